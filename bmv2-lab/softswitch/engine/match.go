package engine

import (
	"fmt"
	"math"
	"math/big"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// canonical is the shortest form of a big-endian value: at least one byte.
func canonical(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}

// bitLen is the number of significant bits of a big-endian value.
func bitLen(b []byte) int {
	b = canonical(b)
	n := 8*len(b) - 8
	for v := b[0]; v != 0; v >>= 1 {
		n++
	}
	return n
}

// value reads a value of at most width bits.
func value(b []byte, width int) ([]uint64, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: is empty", ErrInvalid)
	}
	if n := bitLen(b); n > width {
		return nil, fmt.Errorf("%w: %x has %d bits, more than %d", ErrInvalid, b, n, width)
	}
	v := make([]uint64, wordsOf(width))
	wordsFromBytes(v, canonical(b))
	return v, nil
}

func valueBytes(v []uint64, width int) []byte {
	b := make([]byte, (width+7)/8)
	wordsToBytes(b, v)
	return canonical(b)
}

// prefixMask has the top n bits of width set.
func prefixMask(n, width int) []uint64 {
	m := new(big.Int).Lsh(big.NewInt(1), uint(n))
	m.Sub(m, big.NewInt(1))
	m.Lsh(m, uint(width-n))
	return constWords(m, wordsOf(width))
}

// matcher is a match in the form of the lookup.
type matcher struct {
	key, mask []uint64
	exact     bool // the mask has all bits
	ranges    []rangeBound
	rank      int32
	canon     []Match
}

// matcher checks a match and prepares it.
func (t *Table) matcher(match []Match, priority int32) (*matcher, error) {
	tp := t.prog
	if len(match) != len(tp.keys) {
		return nil, fmt.Errorf("%w: table %s: %d match fields, not %d", ErrInvalid, t.Name(), len(match), len(tp.keys))
	}
	switch {
	case tp.ordered && priority <= 0:
		return nil, fmt.Errorf("%w: table %s: entries need a positive priority", ErrInvalid, t.Name())
	case !tp.ordered && priority != 0:
		return nil, fmt.Errorf("%w: table %s: entries have no priority", ErrInvalid, t.Name())
	}
	m := &matcher{key: make([]uint64, tp.keyWords), mask: make([]uint64, tp.keyWords), exact: true, rank: priority}
	for i := range match {
		if err := m.field(tp, i, &match[i]); err != nil {
			return nil, fmt.Errorf("table %s: key %s: %w", t.Name(), tp.keys[i].src.Name, err)
		}
	}
	return m, nil
}

func (m *matcher) field(tp *tableProgram, i int, in *Match) error {
	k := tp.keys[i].src
	word, width := tp.keys[i].word, k.Width
	n := wordsOf(width)
	key, mask := m.key[word:word+n], m.mask[word:word+n]
	full := prefixMask(width, width)
	want := kindOf(k)
	if err := checkKind(in, want); err != nil {
		return err
	}
	out := Match{Kind: want}
	any := in.Any
	if !any {
		v, err := value(in.Value, width)
		if err != nil {
			return err
		}
		copy(key, v)
	}
	switch {
	case any:
	case in.Kind == MatchExact || in.Kind == MatchOptional:
		copy(mask, full)
	case in.Kind == MatchLPM:
		if in.PrefixLen < 0 || in.PrefixLen > width {
			return fmt.Errorf("%w: prefix length %d of %d bits", ErrInvalid, in.PrefixLen, width)
		}
		out.PrefixLen = in.PrefixLen
		copy(mask, prefixMask(in.PrefixLen, width))
		any = in.PrefixLen == 0
	case in.Kind == MatchTernary:
		v, err := value(in.Mask, width)
		if err != nil {
			return err
		}
		copy(mask, v)
		any = wideIsZero(mask)
	default:
		if err := m.rangeField(in, &out, word, width, key); err != nil {
			return err
		}
		m.exact = false
		m.canon = append(m.canon, out)
		return nil
	}
	if tp.lpm == i {
		m.rank = int32(out.PrefixLen)
	}
	for j := range key {
		if key[j]&^mask[j] != 0 {
			return fmt.Errorf("%w: the value has bits outside of its mask", ErrInvalid)
		}
		m.exact = m.exact && mask[j] == full[j]
	}
	if out.Any = any; !any {
		out.Value = valueBytes(key, width)
		if want == MatchTernary {
			out.Mask = valueBytes(mask, width)
		}
	}
	m.canon = append(m.canon, out)
	return nil
}

// kindOf is the match kind of a key.
func kindOf(k *bmjson.Key) MatchKind {
	return [...]MatchKind{MatchExact, MatchLPM, MatchTernary, MatchRange}[k.Kind]
}

func checkKind(in *Match, want MatchKind) error {
	switch {
	case in.Kind != want && !(in.Kind == MatchOptional && want == MatchTernary):
		return fmt.Errorf("%w: match kind %d, not %d", ErrInvalid, in.Kind, want)
	case in.Kind == MatchExact && in.Any:
		return fmt.Errorf("%w: an exact field cannot match anything", ErrInvalid)
	}
	return nil
}

func (m *matcher) rangeField(in, out *Match, word, width int, key []uint64) error {
	if in.Any {
		out.Any = true
		return nil
	}
	high, err := value(in.High, width)
	if err != nil {
		return err
	}
	low := append([]uint64(nil), key...)
	clear(key)
	if !wideUnsignedGE(high, low) {
		return fmt.Errorf("%w: the low bound of a range is above the high one", ErrInvalid)
	}
	out.Value, out.High = valueBytes(low, width), valueBytes(high, width)
	m.ranges = append(m.ranges, rangeBound{word, word + len(key), low[0], high[0], low, high})
	return nil
}

// identity tells entries of a table apart: same identity, same entry.
func (m *matcher) identity() string {
	b := make([]byte, 0, 64)
	put := func(words []uint64) {
		for _, w := range words {
			for s := 56; s >= 0; s -= 8 {
				b = append(b, byte(w>>s))
			}
		}
	}
	put(m.key)
	if !m.exact {
		put(m.mask)
		for _, r := range m.ranges {
			put([]uint64{uint64(r.from)})
			put(r.low)
			put(r.high)
		}
	}
	put([]uint64{uint64(uint32(m.rank))})
	return string(b)
}

// TopPriority relates P4Runtime's priorities to BMv2's, which are those in the JSON: p and
// TopPriority - p. It is the one of BMv2's P4Runtime server.
const TopPriority = math.MaxInt32

// declaredMatch turns a match of the JSON into one of the control plane.
func declaredMatch(k *bmjson.Key, m *bmjson.EntryMatch) Match {
	bytes := func(v *big.Int) []byte { return canonical(v.Bytes()) }
	switch k.Kind {
	case bmjson.KeyLPM:
		mask := wordsToInt(prefixMask(m.Prefix, k.Width))
		return Match{Kind: MatchLPM, Value: bytes(new(big.Int).And(m.Value, mask)), PrefixLen: m.Prefix}
	case bmjson.KeyTernary:
		return Match{Kind: MatchTernary, Value: bytes(new(big.Int).And(m.Value, m.Mask)), Mask: bytes(m.Mask)}
	case bmjson.KeyRange:
		return Match{Kind: MatchRange, Value: bytes(m.Value), High: bytes(m.High)}
	}
	return Match{Kind: MatchExact, Value: bytes(m.Value)}
}

func wordsToInt(v []uint64) *big.Int {
	b := make([]byte, 8*len(v))
	wordsToBytes(b, v)
	return new(big.Int).SetBytes(b)
}
