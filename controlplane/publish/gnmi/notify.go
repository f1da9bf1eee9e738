package gnmi

import (
	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// answer says how notifications are written for one request.
type answer struct {
	scope    scope
	encoding gpb.Encoding
}

// prefix gives the prefix of a notification about the entry.
func (a answer) prefix(entry []elem) *gpb.Path {
	return &gpb.Path{Target: a.scope.target, Origin: a.scope.origin, Elem: protoPath(entry)}
}

func (a answer) update(l leaf) *gpb.Update {
	return &gpb.Update{Path: &gpb.Path{Elem: protoPath(l.path)}, Val: l.value.typed(a.encoding, l.node.wide)}
}

// all tells every leaf of a fact.
func (a answer) all(r rendered) *gpb.Notification {
	n := &gpb.Notification{Timestamp: r.time, Prefix: a.prefix(r.entry), Atomic: r.kind.node.atomic}
	for _, l := range r.leaves {
		n.Update = append(n.Update, a.update(l))
	}
	return n
}

// change tells what differs between two states of one fact; nil when nothing does. Atomic facts
// are told whole. e is the fact as it is now.
func (a answer) change(before, now rendered, e inventory.Entry) *gpb.Notification {
	n := &gpb.Notification{Timestamp: e.Event.UnixNano(), Prefix: a.prefix(before.entry)}
	old := make(map[string]value, len(before.leaves))
	for _, l := range before.leaves {
		old[l.key()] = l.value
	}
	still := 0
	for _, l := range now.leaves {
		v, ok := old[l.key()]
		if ok {
			still++
		}
		if !ok || !v.equal(l.value) {
			n.Update = append(n.Update, a.update(l))
		}
	}
	if still < len(before.leaves) {
		n.Delete = gone(before.leaves, before.kind.whole(e))
	}
	switch {
	case len(n.Update) == 0 && len(n.Delete) == 0:
		return nil
	case before.kind.node.atomic && len(now.leaves) > 0:
		return a.all(now)
	}
	return n
}

// whole gives every leaf of a fact, asked for or not.
func (k *kind) whole(e inventory.Entry) []leaf {
	var p program
	p.add(nil)
	r, _ := k.render(e, &p, nil)
	return r.leaves
}

// end tells that a fact is no more. What other facts have beneath the same entry stays.
func (a answer) end(r rendered, at int64) *gpb.Notification {
	n := &gpb.Notification{Timestamp: at}
	switch {
	case r.kind.parent:
		n.Prefix = a.prefix(r.entry)
		n.Delete = gone(r.leaves, nil)
		return n
	case r.kind.guest:
		n.Prefix = a.prefix(r.entry)
		for _, l := range r.leaves {
			n.Delete = append(n.Delete, &gpb.Path{Elem: protoPath(l.path)})
		}
		return n
	}
	n.Prefix = a.prefix(nil)
	n.Delete = []*gpb.Path{{Elem: protoPath(r.entry)}}
	return n
}

// key is the path of a leaf as a map key.
func (l leaf) key() string {
	var b []byte
	for _, e := range l.path {
		b = e.appendText(b)
	}
	return string(b)
}

// gone gives the fewest paths that cover the leaves of before that are not in now, and
// none of those in now.
func gone(before, now []leaf) []*gpb.Path {
	kept := map[string]bool{}
	for _, l := range now {
		var b []byte
		for _, e := range l.path {
			b = e.appendText(b)
			kept[string(b)] = true
		}
	}
	var paths []*gpb.Path
	told := map[string]bool{}
	for _, l := range before {
		var b []byte
		for i, e := range l.path {
			b = e.appendText(b)
			if kept[string(b)] {
				continue
			}
			if !told[string(b)] {
				told[string(b)] = true
				paths = append(paths, &gpb.Path{Elem: protoPath(l.path[:i+1])})
			}
			break
		}
	}
	return paths
}
