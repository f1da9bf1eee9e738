package fabric

// ids gives small numbers to things that a table refers to by number. A thing keeps its
// number while it is in use, so that tables change little, and a number that was given back
// is taken again as late as possible: until then no entry can mean another thing by it.
type ids[K comparable] struct {
	byKey map[K]uint16
	byID  map[uint16]K
	last  uint16
}

func newIDs[K comparable]() *ids[K] {
	return &ids[K]{byKey: map[K]uint16{}, byID: map[uint16]K{}}
}

// get gives k's number; 0, which is no number, if all 65535 are taken.
func (i *ids[K]) get(k K) uint16 {
	if id, ok := i.byKey[k]; ok {
		return id
	}
	for range 1 << 16 {
		i.last++
		if _, taken := i.byID[i.last]; !taken && i.last != 0 {
			i.byKey[k], i.byID[i.last] = i.last, k
			return i.last
		}
	}
	return 0
}

// adopt takes over a number that a switch uses already, unless k or the number has another.
func (i *ids[K]) adopt(k K, id uint16) {
	_, known := i.byKey[k]
	_, taken := i.byID[id]
	if !known && !taken && id != 0 {
		i.byKey[k], i.byID[id] = id, k
		i.last = max(i.last, id)
	}
}

// retain gives back the numbers of everything that is not used.
func (i *ids[K]) retain(used map[K]bool) {
	for k, id := range i.byKey {
		if !used[k] {
			delete(i.byKey, k)
			delete(i.byID, id)
		}
	}
}
