package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// A packet's state is one array of 64-bit words. Each header instance has a word for its
// validity (0 or 1), one for where it is in the frame, then its fields in order, each in as many words as it needs, the least
// significant word first, zero above its width (a signed field in two's complement within
// its width). A variable-length field has one word, its length in bits; its content is kept
// aside. Then come the stacks' next indices, and scratch space for wide arithmetic.

// fieldLayout is the place of a field relative to its header's base word.
type fieldLayout struct {
	off     int // words from the header's base
	words   int
	width   int // bits; 0 for a variable-length field
	signed  bool
	varbits bool
	bitOff  int // in the header, counting a variable-length field as empty
}

func (f *fieldLayout) mask() uint64 { return topMask(f.width) }

// topMask covers the bits of the most significant word of a value of width bits.
func topMask(width int) uint64 {
	if r := width % 64; r != 0 {
		return 1<<r - 1
	}
	return ^uint64(0)
}

func wordsOf(bits int) int { return (bits + 63) / 64 }

// typeLayout is the layout of a header type.
type typeLayout struct {
	fields   []fieldLayout
	words    int // with the two words before the fields
	bytes    int // on the wire, without the variable-length field
	varbits  int // index of the variable-length field, or -1
	maxBytes int // of the whole header, 0 if unbounded
}

// headerLayout is the place of a header instance.
type headerLayout struct {
	base     int // the word of its validity
	typ      *typeLayout
	index    int
	union    int // the union it is in, or -1
	metadata bool
	varSlot  int  // where the content of its variable-length field is, or -1
	copied   bool // leaves as it is in the frame, but for patch
	patch    []patchChunk
	rank     int // see emit.go
}

// stackLayout is a stack of headers or of unions.
type stackLayout struct {
	next     int // the word of its next index
	size     int
	elements []int // headers, or unions
	nowhere  int   // the header or union that an index outside of the stack yields
}

// layout places everything in the state array.
type layout struct {
	types       []typeLayout
	headers     []headerLayout
	stacks      []stackLayout
	unionStacks []stackLayout
	unions      [][]int // the headers of each
	cleared     int     // words that start as 0
	scratch     int     // words of scratch space behind them
	varSlots    int
}

func newLayout(p *bmjson.Program) *layout {
	l := &layout{}
	for i := range p.HeaderTypes {
		l.types = append(l.types, layoutType(&p.HeaderTypes[i]))
	}
	for i := range p.Headers {
		h := &p.Headers[i]
		l.addHeader(h.Type, h.Union, h.Metadata)
	}
	for i := range p.Unions {
		l.unions = append(l.unions, p.Unions[i].Headers)
	}
	for i := range p.Stacks {
		s := &p.Stacks[i]
		nowhere := l.addHeader(s.Type, -1, false)
		l.stacks = append(l.stacks, stackLayout{l.cleared, len(s.Headers), s.Headers, nowhere})
		l.cleared++
	}
	for i := range p.UnionStacks {
		s := &p.UnionStacks[i]
		var members []int
		for _, h := range l.unions[s.Unions[0]] {
			members = append(members, l.addHeader(p.Headers[h].Type, len(l.unions), false))
		}
		l.unionStacks = append(l.unionStacks, stackLayout{l.cleared, len(s.Unions), s.Unions, len(l.unions)})
		l.unions = append(l.unions, members)
		l.cleared++
	}
	return l
}

func (l *layout) addHeader(headerType, union int, metadata bool) int {
	t := &l.types[headerType]
	h := headerLayout{base: l.cleared, typ: t, index: len(l.headers), union: union, metadata: metadata, varSlot: -1}
	if t.varbits >= 0 {
		h.varSlot = l.varSlots
		l.varSlots++
	}
	l.headers = append(l.headers, h)
	l.cleared += t.words
	return h.index
}

func layoutType(t *bmjson.HeaderType) typeLayout {
	tl := typeLayout{words: fieldWords, varbits: t.VarBits(), bytes: t.FixedBits() / 8, maxBytes: t.MaxBytes}
	bit := 0
	for _, f := range t.Fields {
		fl := fieldLayout{off: tl.words, words: 1, width: f.Width, signed: f.Signed, varbits: f.VarBits, bitOff: bit}
		if !f.VarBits {
			fl.words = wordsOf(f.Width)
		}
		bit += f.Width
		tl.words += fl.words
		tl.fields = append(tl.fields, fl)
	}
	return tl
}

// rawWord is where, relative to a header's base, the offset in the frame stands of a header
// that is copied; fieldWords is where its fields start.
const (
	rawWord    = 1
	fieldWords = 2
)

// validLayout is the hidden field $valid$.
var validLayout = fieldLayout{off: 0, words: 1, width: 1}

// field returns the layout of a field and the word where it starts.
func (l *layout) field(f bmjson.FieldRef) (*fieldLayout, int) {
	h := &l.headers[f.Header]
	if f.Field == bmjson.ValidField {
		return &validLayout, h.base
	}
	fl := &h.typ.fields[f.Field]
	return fl, h.base + fl.off
}
