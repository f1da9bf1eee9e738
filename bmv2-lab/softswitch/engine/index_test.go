package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// keySpec is a table's key for the tests of indexes: kinds and widths.
type keySpec []struct {
	kind  bmjson.KeyKind
	width int
}

var (
	keyExact   = keySpec{{bmjson.KeyExact, 48}}
	keyExacts  = keySpec{{bmjson.KeyExact, 9}, {bmjson.KeyExact, 128}, {bmjson.KeyExact, 16}}
	keyLPM     = keySpec{{bmjson.KeyLPM, 32}}
	keyMixed   = keySpec{{bmjson.KeyExact, 12}, {bmjson.KeyLPM, 32}, {bmjson.KeyExact, 7}}
	keyLPM6    = keySpec{{bmjson.KeyLPM, 128}}
	keyWide    = keySpec{{bmjson.KeyExact, 64}, {bmjson.KeyLPM, 128}}
	keyTernary = keySpec{{bmjson.KeyTernary, 32}, {bmjson.KeyTernary, 32}, {bmjson.KeyTernary, 16}, {bmjson.KeyTernary, 16}, {bmjson.KeyTernary, 8}}
	keyRange   = keySpec{{bmjson.KeyRange, 16}, {bmjson.KeyTernary, 70}, {bmjson.KeyLPM, 32}, {bmjson.KeyExact, 3}}
)

// program is a table with such a key and room for any number of entries.
func (s keySpec) program() *tableProgram {
	tp := &tableProgram{src: &bmjson.Table{Name: "t", Size: 1 << 30}, lpm: -1}
	for i, k := range s {
		tp.keys = append(tp.keys, tableKey{&bmjson.Key{Name: fmt.Sprint("k", i), Kind: k.kind, Width: k.width}, tp.keyWords})
		tp.keyWords += wordsOf(k.width)
		tp.ordered = tp.ordered || k.kind == bmjson.KeyTernary || k.kind == bmjson.KeyRange
		if k.kind == bmjson.KeyLPM {
			tp.lpm = i
		}
	}
	if tp.ordered {
		tp.lpm = -1
	}
	tp.actions = []*action{{name: "a"}}
	tp.next = []*node{nil}
	return tp
}

// few makes values that are often alike: a random one with most of its bits 0.
func few(r *rand.Rand, width int) []uint64 {
	v := make([]uint64, wordsOf(width))
	for range 3 {
		bit := r.IntN(width)
		v[bit/64] |= 1 << (bit % 64)
	}
	return v
}

// match is a random match on the key.
func (s keySpec) match(r *rand.Rand) []Match {
	var out []Match
	for _, k := range s {
		v := few(r, k.width)
		var m Match
		switch k.kind {
		case bmjson.KeyExact:
			m = Match{Kind: MatchExact, Value: valueBytes(v, k.width)}
		case bmjson.KeyLPM:
			n := r.IntN(k.width + 1)
			for i, w := range prefixMask(n, k.width) {
				v[i] &= w
			}
			m = Match{Kind: MatchLPM, Value: valueBytes(v, k.width), PrefixLen: n}
		case bmjson.KeyTernary:
			mask := few(r, k.width)
			for i := range v {
				v[i] &= mask[i]
			}
			m = Match{Kind: MatchTernary, Value: valueBytes(v, k.width), Mask: valueBytes(mask, k.width)}
			if r.IntN(3) == 0 {
				m = Match{Kind: MatchTernary, Any: true}
			}
		default:
			high := few(r, k.width)
			if !wideUnsignedGE(high, v) {
				v, high = high, v
			}
			m = Match{Kind: MatchRange, Value: valueBytes(v, k.width), High: valueBytes(high, k.width)}
		}
		out = append(out, m)
	}
	return out
}

// key is any key or one that an entry matches, if there is one.
func (s keySpec) key(r *rand.Rand, t *Table, held []Entry) []uint64 {
	var key []uint64
	for _, k := range s {
		key = append(key, few(r, k.width)...)
	}
	if len(held) == 0 || r.IntN(2) == 0 {
		return key
	}
	e := held[r.IntN(len(held))]
	m, err := t.matcher(e.Match, e.Priority)
	if err != nil {
		panic(err)
	}
	for i := range key {
		key[i] = m.key[i] | key[i]&^m.mask[i]
	}
	for _, b := range m.ranges {
		copy(key[b.from:b.to], b.low)
	}
	return key
}

// naive compares a key with an entry's match as the control plane sees it. Made out once for each
// entry, it is in known.
func (t *Table) naive(known map[*entry]*matcher, e *entry, key []uint64) bool {
	m := known[e]
	if m == nil {
		var err error
		if m, err = t.matcher(e.match, e.priority); err != nil {
			panic(err)
		}
		known[e] = m
	}
	for i, w := range key {
		if w&m.mask[i] != m.key[i] {
			return false
		}
	}
	return !slices.ContainsFunc(m.ranges, func(r rangeBound) bool { return !r.contains(key) })
}

// slowest is the plain definition of a lookup.
func slowest(t *Table, known map[*entry]*matcher, key []uint64) *entry {
	var best *entry
	for _, e := range t.entries {
		if t.naive(known, e, key) && e.beats(best) {
			best = e
		}
	}
	return best
}

var indexKeys = map[string]keySpec{"exact": keyExact, "exacts": keyExacts, "lpm": keyLPM, "exact and lpm": keyMixed,
	"lpm of 128 bits": keyLPM6, "192 bits": keyWide, "ternary": keyTernary, "range": keyRange}

// TestIndexesFindWhatASearchOfAllEntriesFinds writes at random, many entries of a few masks
// among them, and looks up.
func TestIndexesFindWhatASearchOfAllEntriesFinds(t *testing.T) {
	for name, spec := range indexKeys {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			table := newTable(&Switch{}, spec.program())
			var held []Entry
			found, known := 0, map[*entry]*matcher{}
			for i := range 2000 {
				switch {
				case len(held) > 0 && (r.IntN(5) == 0 || i > 1300):
					at := r.IntN(len(held))
					if err := table.Delete(held[at].Match, held[at].Priority); err != nil {
						t.Fatal(err)
					}
					held[at] = held[len(held)-1]
					held = held[:len(held)-1]
				default:
					e := Entry{Match: spec.match(r), Action: "a"}
					if table.NeedsPriority() {
						e.Priority = 1 + r.Int32N(20)
					}
					if len(held) > 0 && r.IntN(2) == 0 { // a mask that is there already
						e.Match = similar(r, spec, held[r.IntN(len(held))].Match)
					}
					if table.Insert(e) == nil {
						held = append(held, e)
					}
				}
				key := spec.key(r, table, held)
				got, want := table.index.find(key), slowest(table, known, key)
				if got != want {
					t.Fatalf("after %d writes: key %x: %+v, want %+v", i, key, got, want)
				}
				if got != nil {
					found++
				}
			}
			if found < 100 {
				t.Errorf("only %d lookups found anything", found)
			}
		})
	}
}

// similar is a match with the masks of another.
func similar(r *rand.Rand, spec keySpec, like []Match) []Match {
	out := make([]Match, len(like))
	for i, m := range like {
		v := few(r, spec[i].width)
		switch {
		case m.Any || m.Kind == MatchRange:
		case m.Kind == MatchTernary:
			mask := make([]uint64, len(v))
			wordsFromBytes(mask, m.Mask)
			for j := range v {
				v[j] &= mask[j]
			}
			m.Value = valueBytes(v, spec[i].width)
		case m.Kind == MatchLPM:
			for j, w := range prefixMask(m.PrefixLen, spec[i].width) {
				v[j] &= w
			}
			m.Value = valueBytes(v, spec[i].width)
		default:
			m.Value = valueBytes(v, spec[i].width)
		}
		out[i] = m
	}
	return out
}

// TestIndexesKeepWhatIsThereUnderWrites looks an entry up that nothing beats, while others
// come and go, hash tables grow and masks move from vectors to tuples.
func TestIndexesKeepWhatIsThereUnderWrites(t *testing.T) {
	for name, spec := range indexKeys {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			table := newTable(&Switch{}, spec.program())
			stay := Entry{Match: spec.match(r), Action: "a"}
			if table.NeedsPriority() {
				stay.Priority = 1000
			}
			if err := table.Insert(stay); err != nil {
				t.Fatal(err)
			}
			m, err := table.matcher(stay.Match, stay.Priority)
			if err != nil {
				t.Fatal(err)
			}
			key := append([]uint64(nil), m.key...)
			for _, b := range m.ranges {
				copy(key[b.from:b.to], b.low)
			}
			var wg sync.WaitGroup
			done := make(chan struct{})
			wg.Go(func() {
				defer close(done)
				var held []Entry
				for range 2000 {
					e := Entry{Match: similar(r, spec, stay.Match), Action: "a"}
					if r.IntN(4) == 0 {
						e.Match = spec.match(r)
					}
					if table.NeedsPriority() {
						e.Priority = 1 + r.Int32N(20)
					}
					if table.Insert(e) == nil {
						held = append(held, e)
					}
					if len(held) > 400 {
						for _, e := range held[200:] {
							if err := table.Delete(e.Match, e.Priority); err != nil {
								t.Error(err)
							}
						}
						held = held[:200]
					}
				}
			})
			for lookups := 0; ; lookups++ {
				if table.index.find(key) == nil {
					t.Fatalf("lookup %d found nothing", lookups)
				}
				select {
				case <-done:
					wg.Wait()
					return
				default:
				}
			}
		})
	}
}
