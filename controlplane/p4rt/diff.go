package p4rt

import "slices"

// Op is what an update does.
type Op uint8

// The operations of updates.
const (
	Insert Op = iota + 1
	Modify
	Delete
)

// Update is one change of one table entry.
type Update struct {
	Op    Op
	Entry Entry
}

// Diff gives the updates that turn have into want, and none where they agree already.
// tables is the order of dependence: entries of a table may refer to those of tables before
// it. Inserts and modifications come in that order and deletes after them in the opposite
// one, so that a switch that applies updates one by one never refers to what is not there.
// Entries of tables that are not listed are left alone.
func Diff(tables []string, have, want []Entry) []Update {
	type pair struct{ have, want *Entry }
	byTable := make(map[string]map[string]*pair, len(tables))
	for _, t := range tables {
		byTable[t] = map[string]*pair{}
	}
	at := func(e Entry) *pair {
		entries, ok := byTable[e.Table]
		if !ok {
			return &pair{}
		}
		key := e.Key()
		if entries[key] == nil {
			entries[key] = &pair{}
		}
		return entries[key]
	}
	for i := range have {
		at(have[i]).have = &have[i]
	}
	for i := range want {
		at(want[i]).want = &want[i]
	}

	var writes, deletes []Update
	for _, t := range tables {
		keys := make([]string, 0, len(byTable[t]))
		for k := range byTable[t] {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			p := byTable[t][k]
			switch {
			case p.want == nil:
				gone := *p.have
				gone.Action, gone.Params = "", nil
				deletes = append(deletes, Update{Delete, gone})
			case p.have == nil:
				writes = append(writes, Update{Insert, *p.want})
			case !p.want.sameAction(*p.have):
				writes = append(writes, Update{Modify, *p.want})
			}
		}
	}
	slices.Reverse(deletes)
	return append(writes, deletes...)
}
