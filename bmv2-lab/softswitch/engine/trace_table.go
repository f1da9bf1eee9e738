package engine

import (
	"fmt"
	"slices"
	"strings"
)

// lookupText tells what a table found: entry is what an entry or the default entry says, and
// found is what that runs.
func (p *packet) lookupText(tp *tableProgram, key []uint64, hit bool, entry, found *actionData) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s:", tp.src.Name)
	for _, k := range tp.keys {
		fmt.Fprintf(&b, " %s=%s", k.src.Name, hexDigits(key[k.word:k.word+wordsOf(k.src.Width)], k.src.Width))
	}
	if hit {
		b.WriteString(" hit, ")
	} else {
		b.WriteString(" miss, ")
	}
	if hit && tp.meter != nil {
		fmt.Fprintf(&b, "meter %d, ", p.words[tp.meter.result.off])
	}
	b.WriteString(p.viaText(tp, entry.via, found))
	b.WriteString(p.actionText(found))
	return b.String()
}

// viaText names the member or group through which an action was found.
func (p *packet) viaText(tp *tableProgram, via *indirect, found *actionData) string {
	switch {
	case via == nil:
		return ""
	case via.member != nil:
		return fmt.Sprintf("member %d, ", via.member.id)
	}
	list := *via.group.list.Load()
	i := slices.IndexFunc(list, func(m *member) bool {
		act := m.act.Load()
		return act.hit[tp.ordinal] == found || act.miss[tp.ordinal] == found
	})
	if i < 0 {
		return fmt.Sprintf("group %d, ", via.group.id)
	}
	return fmt.Sprintf("group %d, member %d, ", via.group.id, list[i].id)
}

// actionText is an action with its parameters.
func (p *packet) actionText(d *actionData) string {
	if d.action == nil {
		return "no action"
	}
	names := p.prog.src.Actions[d.action.index].Params
	var params []string
	for i, l := range d.action.params {
		params = append(params, names[i].Name+"="+hexDigits(d.params[l.off:l.off+l.words], l.width))
	}
	return d.action.name + "(" + strings.Join(params, ", ") + ")"
}
