package engine

import (
	"math/big"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// setCase is a transition on a value set.
type setCase struct {
	set  int      // -1: it is an ordinary one
	mask []uint64 // of the key; nil: all bits
}

// selectSets compiles a select with value sets, whose keys have each part in words of its
// own. For ordinary transitions the parts are packed as in selectMany.
func (c *compiler) selectSets(s *bmjson.State, parts []selectPart, words int, cases []selectCase) func(*packet) (int, int) {
	apart := 0
	for i := range parts {
		apart += parts[i].words
	}
	var sets []setCase
	for i := range s.Transitions {
		sets = append(sets, newSetCase(&s.Transitions[i], parts, apart))
	}
	apartFrom, apartTo := c.temp(apart)
	packedFrom, packedTo := c.temp(words)
	shiftedFrom, shiftedTo := c.temp(words)
	c.statement()
	def := s.Default
	return func(p *packet) (int, int) {
		key, packed, shifted := p.words[apartFrom:apartTo], p.words[packedFrom:packedTo], p.words[shiftedFrom:shiftedTo]
		clear(packed)
		at := 0
		for i := range parts {
			v := key[at : at+parts[i].words]
			if !parts[i].read(p, v) {
				return 0, p.prog.errs.tooShort + 1
			}
			at += parts[i].words
			wideShl(packed, packed, uint64(8*parts[i].bytes))
			copyWords(shifted, v)
			for j := range packed {
				packed[j] |= shifted[j]
			}
		}
		for i := range cases {
			if set := sets[i].set; set < 0 && !cases[i].matches(packed) {
				continue
			} else if set >= 0 && !p.sw.valueSets[set].now.Load().contains(key, sets[i].mask) {
				continue
			}
			return cases[i].next, 0
		}
		return def, 0
	}
}

// newSetCase takes a transition's mask, which is byte-padded for each part, apart.
func newSetCase(t *bmjson.Transition, parts []selectPart, words int) setCase {
	k := setCase{set: t.ValueSet}
	if t.ValueSet < 0 || t.Mask == nil {
		return k
	}
	k.mask = make([]uint64, words)
	rest, at := new(big.Int).Set(t.Mask), words
	for i := len(parts) - 1; i >= 0; i-- {
		at -= parts[i].words
		low := new(big.Int).And(rest, ones(8*parts[i].bytes))
		copy(k.mask[at:], constWords(low, parts[i].words))
		rest.Rsh(rest, uint(8*parts[i].bytes))
	}
	return k
}

// ones is a number of n bits, all set.
func ones(n int) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(1), uint(n))
	return v.Sub(v, big.NewInt(1))
}
