package gnmi

import (
	"math/bits"
	"slices"
)

// A program is a set of request paths, compiled to match data paths element by element.
// Each path is a run of positions with an accepting one at its end; a state of the match is
// the set of positions that the next element may take. Once a path is accepted, everything
// beneath is, or as many levels of it as the program has.
//
// The layout for the paths /a/*/b and /c/... is
//
//	0:a 1:* 2:b 3:end  4:c 5:... 6:end
//
// and with two levels, that of /a
//
//	0:a 1:end 2:end 3:end
type program struct {
	levels    int // beneath the paths; 0 for all
	positions []position
	start     states
	accepting states
}

// position is one element of a request path.
type position struct {
	name string // empty for a wildcard
	deep bool   // any number of elements, none included
	end  bool   // the end of a path, or a level beneath it
	more bool   // of an end: the next level is the next position
	keys map[string]string
}

// maxPositions is how many positions a program can have.
const maxPositions = 256

// states is a set of positions.
type states [maxPositions / 64]uint64

func (s *states) add(i int)  { s[i/64] |= 1 << (i % 64) }
func (s states) empty() bool { return s == states{} }

func (s states) meets(o states) bool {
	for i := range s {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// each calls f for every position in the set.
func (s states) each(f func(i int)) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			f(w*64 + bits.TrailingZeros64(word))
		}
	}
}

// room says whether a path of n elements still fits.
func (p *program) room(n int) bool { return len(p.positions)+n+p.levels+1 <= maxPositions }

// add compiles a path into the program, which must have room for it.
func (p *program) add(path []position) {
	first := len(p.positions)
	p.positions = append(p.positions, path...)
	for level := range p.levels + 1 {
		p.positions = append(p.positions, position{end: true, more: level < p.levels})
		p.accepting.add(len(p.positions) - 1)
	}
	p.enter(&p.start, first)
}

// enter adds position i, and what can be reached from it without an element.
func (p *program) enter(s *states, i int) {
	s.add(i)
	if p.positions[i].deep {
		p.enter(s, i+1)
	}
}

// accepts says whether a path ends in s.
func (p *program) accepts(s states) bool { return s.meets(p.accepting) }

// whole says whether everything beneath a path that ends in s is accepted.
func (p *program) whole(s states) bool { return p.levels == 0 && p.accepts(s) }

// step matches one element of a data path. names and values are its keys; a nil values
// stands for any.
func (p *program) step(s states, name string, names, values []string) states {
	var next states
	s.each(func(i int) {
		at := &p.positions[i]
		switch {
		case at.more:
			next.add(i + 1)
		case at.deep, at.end && p.levels == 0:
			p.enter(&next, i)
		case at.end:
		case at.name != "" && at.name != name, at.name == "" && !at.fits(names):
		case values != nil && !at.admits(names, values):
		default:
			p.enter(&next, i+1)
		}
	})
	return next
}

// fits says whether a list has all keys that are asked for, as an element of any name must.
func (at *position) fits(names []string) bool {
	for key := range at.keys {
		if !slices.Contains(names, key) {
			return false
		}
	}
	return true
}

// admits says whether the keys of a data element are among those asked for.
func (at *position) admits(names, values []string) bool {
	for i, name := range names {
		if want, ok := at.keys[name]; ok && want != "*" && want != values[i] {
			return false
		}
	}
	return true
}
