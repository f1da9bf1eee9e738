package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// tableProgram is what the program fixes about a table.
type tableProgram struct {
	src      *bmjson.Table
	keys     []tableKey
	keyWords int
	lpm      int // the key that is LPM in a table ordered by prefix length, or -1
	ordered  bool
	counted  bool
	ages     bool
	actions  []*action
	next     []*node // of each action, after a hit
	hit      *node   // if byHit
	miss     *node   // if byHit
	byHit    bool
	profile  *profileProgram // nil: entries have actions of their own
	ordinal  int             // among the profile's tables
	empty    *actionData     // what a hit on an empty group runs: nothing
	meter    *directMeter    // nil: none
	base     *node           // after a miss without a default action
}

type tableKey struct {
	src  *bmjson.Key
	word int // in the lookup key
}

// actionData is what a hit or a miss runs, and where control goes then. It is immutable.
type actionData struct {
	slot   int // of the action in the table's list
	params []uint64
	short  [2]uint64 // params, if there are few
	action *action   // nil: nothing
	next   *node
	via    *indirect // instead: a member or group of the table's action profile
}

func (c *compiler) tableProgram(t *bmjson.Table, n *pipelineNodes) *tableProgram {
	tp := &tableProgram{src: t, lpm: -1, counted: t.Counters, ages: t.Timeout, byHit: t.ByHit, base: n.at(t.Base)}
	for i := range t.Keys {
		k := &t.Keys[i]
		tp.keys = append(tp.keys, tableKey{k, tp.keyWords})
		tp.keyWords += wordsOf(k.Width)
		switch k.Kind {
		case bmjson.KeyTernary, bmjson.KeyRange:
			tp.ordered = true
		case bmjson.KeyLPM:
			tp.lpm = i
		}
	}
	tp.meter = c.directMeter(t.DirectMeter)
	c.prog.maxKey = max(c.prog.maxKey, tp.keyWords)
	if tp.ordered {
		tp.lpm = -1
	}
	for i, a := range t.Actions {
		tp.actions = append(tp.actions, c.prog.actions[a])
		if !t.ByHit {
			tp.next = append(tp.next, n.at(t.Next[i]))
		}
	}
	if t.ByHit {
		tp.hit, tp.miss = n.at(t.Hit), n.at(t.Miss)
	}
	if t.Kind != bmjson.TableSimple {
		n.profiles[t.Profile].join(tp)
	}
	return tp
}

// data builds what an action with parameters means as an entry, or as the default entry.
func (tp *tableProgram) data(slot int, params []uint64, isDefault bool) *actionData {
	d := &actionData{action: tp.actions[slot], slot: slot, params: params}
	if len(params) <= len(d.short) {
		d.params = d.short[:copy(d.short[:], params)]
	}
	switch {
	case !tp.byHit:
		d.next = tp.next[slot]
	case isDefault:
		d.next = tp.miss
	default:
		d.next = tp.hit
	}
	return d
}

// noAction is the default entry of a table that declares none.
func (tp *tableProgram) noAction() *actionData {
	if tp.byHit {
		return &actionData{slot: -1, next: tp.miss}
	}
	return &actionData{slot: -1, next: tp.base}
}

// declared is the default entry that the program declares.
func (tp *tableProgram) declared() *actionData {
	def := tp.src.Default
	if def == nil {
		return tp.noAction()
	}
	for i, a := range tp.actions {
		if a.index == def.Action {
			var params []uint64
			for j, v := range def.Params {
				params = append(params, constWords(v, a.params[j].words)...)
			}
			return tp.data(i, params, true)
		}
	}
	return tp.noAction()
}

// fixedAction is what a table always runs that can have no entries and whose default entry
// is constant; nil for other tables. p4c makes such tables of statements.
func (tp *tableProgram) fixedAction() *actionData {
	if len(tp.keys) > 0 || tp.counted || tp.meter != nil || tp.src.Default == nil || !tp.src.Default.EntryConst {
		return nil
	}
	return tp.declared()
}
