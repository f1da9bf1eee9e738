package engine

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// valueSetProgram is what the program fixes about a parser value set. A key for it is like
// that of a table: its parts are those of the select that uses it.
type valueSetProgram struct {
	src  *bmjson.ValueSet
	keys *tableProgram
}

// valueSets finds out about the value sets how the selects that use them are made up.
func (c *compiler) valueSets() {
	widths := make([][]int, len(c.src.ValueSets))
	for i := range c.src.Parser.States {
		s := &c.src.Parser.States[i]
		var key []int
		for _, k := range s.Key {
			key = append(key, k.Width)
		}
		for _, t := range s.Transitions {
			if t.ValueSet < 0 {
				continue
			}
			if have := widths[t.ValueSet]; have != nil && !slices.Equal(have, key) {
				c.fail(t.At, "value set %q is used with parts of %v bits and of %v bits", c.src.ValueSets[t.ValueSet].Name, have, key)
			}
			widths[t.ValueSet] = key
		}
	}
	for i := range c.src.ValueSets {
		s := &c.src.ValueSets[i]
		if widths[i] == nil {
			widths[i] = []int{s.Width}
		}
		v := &valueSetProgram{src: s, keys: &tableProgram{lpm: -1, ordered: true}}
		for n, w := range widths[i] {
			k := &bmjson.Key{Name: fmt.Sprintf("part %d", n+1), Kind: bmjson.KeyTernary, Width: w}
			v.keys.keys = append(v.keys.keys, tableKey{k, v.keys.keyWords})
			v.keys.keyWords += wordsOf(w)
		}
		c.prog.valueSets = append(c.prog.valueSets, v)
	}
}

// ValueSet is the control-plane handle of a parser value set. Its methods may be called at
// any time by any goroutine.
type ValueSet struct {
	prog *valueSetProgram
	sw   *Switch
	now  atomic.Pointer[valueSet]
}

// valueSet is the content of a value set. It is immutable.
type valueSet struct {
	index   index
	entries []*entry
}

func newValueSet(sw *Switch, v *valueSetProgram) *ValueSet {
	s := &ValueSet{prog: v, sw: sw}
	s.now.Store(&valueSet{index: newIndex(v.keys)})
	return s
}

// Name is the value set's P4 name.
func (s *ValueSet) Name() string { return s.prog.src.Name }

// Size is the number of members that the program declares; 0 is no bound.
func (s *ValueSet) Size() int { return s.prog.src.Size }

// Widths are the widths of a member's parts, in bits.
func (s *ValueSet) Widths() []int {
	var list []int
	for _, k := range s.prog.keys.keys {
		list = append(list, k.src.Width)
	}
	return list
}

// Set replaces all members: ErrFull, ErrInvalid. A member has one condition, of any kind, for
// each part. A select matches if one of the members does.
func (s *ValueSet) Set(members [][]Match) error {
	if size := s.Size(); size > 0 && len(members) > size {
		return fmt.Errorf("value set %s: %w (%d members)", s.Name(), ErrFull, size)
	}
	next := &valueSet{index: newIndex(s.prog.keys)}
	seen := map[string]bool{}
	for i, m := range members {
		e, id, err := s.prog.member(m)
		if err != nil {
			return fmt.Errorf("value set %s: member %d: %w", s.Name(), i+1, err)
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		e.seq = uint64(i)
		next.index.insert(e)
		next.entries = append(next.entries, e)
	}
	old := s.now.Swap(next)
	s.sw.Undo(func() { s.now.Store(old) })
	return nil
}

// member makes an entry of a member.
func (v *valueSetProgram) member(parts []Match) (*entry, string, error) {
	if len(parts) != len(v.keys.keys) {
		return nil, "", fmt.Errorf("%w: %d parts, not %d", ErrInvalid, len(parts), len(v.keys.keys))
	}
	// The kind of match is the member's choice.
	as := &tableProgram{lpm: -1, ordered: true, keyWords: v.keys.keyWords, keys: slices.Clone(v.keys.keys)}
	m := &matcher{key: make([]uint64, as.keyWords), mask: make([]uint64, as.keyWords), exact: true}
	for i := range parts {
		k := *as.keys[i].src
		switch parts[i].Kind {
		case MatchExact:
			k.Kind = bmjson.KeyExact
		case MatchLPM:
			k.Kind = bmjson.KeyLPM
		case MatchRange:
			k.Kind = bmjson.KeyRange
		}
		as.keys[i].src = &k
		if err := m.field(as, i, &parts[i]); err != nil {
			return nil, "", fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	h := v.keys.hot()
	return h.newEntry(m), m.identity(), nil
}

// Members returns the members, in the order in which they were set.
func (s *ValueSet) Members() [][]Match {
	var list [][]Match
	for _, e := range s.now.Load().entries {
		list = append(list, slices.Clone(e.match))
	}
	return list
}

// contains says whether a member matches a key. mask, if not nil, leaves bits out of the
// comparison; ranges do not count then.
func (v *valueSet) contains(key, mask []uint64) bool {
	if mask == nil {
		return v.index.find(key) != nil
	}
	return slices.ContainsFunc(v.entries, func(e *entry) bool {
		for i := range key {
			bits := mask[i]
			if e.partial != nil {
				bits &= e.mask[i]
			}
			if (key[i]^e.key[i])&bits != 0 {
				return false
			}
		}
		return true
	})
}
