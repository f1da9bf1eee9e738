package p4rtserver

import (
	"encoding/binary"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Match format: P4Runtime specification, section 9.1.1.

// matchIn translates an entry's match. A field that is left out matches everything, which
// exact fields cannot.
func (k *key) matchIn(in []*p4.FieldMatch) ([]engine.Match, error) {
	out := make([]engine.Match, len(k.fields))
	for _, m := range in {
		i, ok := k.byField[m.GetFieldId()]
		if !ok {
			return nil, fail(codes.InvalidArgument, "no match field has id %d", m.GetFieldId())
		}
		f := k.fields[i]
		if out[i].Kind != 0 {
			return nil, fail(codes.InvalidArgument, "match field %q is there twice", f.name)
		}
		var err error
		if out[i], err = f.matchIn(m); err != nil {
			return nil, within(err, "match field %q", f.name)
		}
	}
	for i, f := range k.fields {
		if out[i].Kind != 0 {
			continue
		}
		if f.kind == engine.MatchExact {
			return nil, fail(codes.InvalidArgument, "match field %q is missing, and is exact", f.name)
		}
		out[i] = f.any()
	}
	return out, nil
}

// any is the match that takes every value of a field.
func (f field) any() engine.Match {
	m := engine.Match{Kind: f.kind, Any: true, Value: []byte{0}}
	switch f.kind {
	case engine.MatchTernary:
		m.Mask = []byte{0}
	case engine.MatchRange:
		m.High = ones(f.width)
	}
	return m
}

func (f field) matchIn(m *p4.FieldMatch) (engine.Match, error) {
	out := engine.Match{Kind: f.kind}
	var err error
	switch v := m.GetFieldMatchType().(type) {
	case *p4.FieldMatch_Exact_:
		if f.kind == engine.MatchExact {
			out.Value, err = f.valueIn(v.Exact.GetValue())
			return out, err
		}
	case *p4.FieldMatch_Optional_:
		if f.kind == engine.MatchOptional {
			out.Value, err = f.valueIn(v.Optional.GetValue())
			return out, err
		}
	case *p4.FieldMatch_Lpm:
		if f.kind == engine.MatchLPM {
			return f.lpmIn(v.Lpm)
		}
	case *p4.FieldMatch_Ternary_:
		if f.kind == engine.MatchTernary {
			return f.ternaryIn(v.Ternary)
		}
	case *p4.FieldMatch_Range_:
		if f.kind == engine.MatchRange {
			return f.rangeIn(v.Range)
		}
	}
	return out, fail(codes.InvalidArgument, "%T is not the match type that the P4Info says", m.GetFieldMatchType())
}

func (f field) lpmIn(v *p4.FieldMatch_LPM) (engine.Match, error) {
	out := engine.Match{Kind: f.kind, PrefixLen: int(v.GetPrefixLen())}
	var err error
	if out.Value, err = unsigned(v.GetValue(), f.width); err != nil {
		return out, err
	}
	if out.PrefixLen <= 0 || out.PrefixLen > f.width {
		return out, fail(codes.InvalidArgument, "prefix length %d is not between 1 and %d; leave the field out to match everything", out.PrefixLen, f.width)
	}
	if outside(out.Value, prefixMask(out.PrefixLen, f.width)) {
		return out, fail(codes.InvalidArgument, "value %#x has bits set behind the prefix of %d bits", out.Value, out.PrefixLen)
	}
	return out, nil
}

func (f field) ternaryIn(v *p4.FieldMatch_Ternary) (engine.Match, error) {
	out := engine.Match{Kind: f.kind}
	var err error
	if out.Value, err = unsigned(v.GetValue(), f.width); err != nil {
		return out, err
	}
	if out.Mask, err = unsigned(v.GetMask(), f.width); err != nil {
		return out, within(err, "mask")
	}
	if bitLen(out.Mask) == 0 {
		return out, fail(codes.InvalidArgument, "the mask is zero; leave the field out to match everything")
	}
	if outside(out.Value, out.Mask) {
		return out, fail(codes.InvalidArgument, "value %#x has bits set that mask %#x has not", out.Value, out.Mask)
	}
	return out, nil
}

func (f field) rangeIn(v *p4.FieldMatch_Range) (engine.Match, error) {
	out := engine.Match{Kind: f.kind}
	var err error
	if out.Value, err = unsigned(v.GetLow(), f.width); err != nil {
		return out, within(err, "low")
	}
	if out.High, err = unsigned(v.GetHigh(), f.width); err != nil {
		return out, within(err, "high")
	}
	if compare(out.Value, out.High) > 0 {
		return out, fail(codes.InvalidArgument, "low %#x is above high %#x", out.Value, out.High)
	}
	if bitLen(out.Value) == 0 && compare(out.High, ones(f.width)) == 0 {
		return out, fail(codes.InvalidArgument, "the range takes every value; leave the field out instead")
	}
	return out, nil
}

// matchOut translates back; fields that match everything are left out.
func (k *key) matchOut(in []engine.Match) []*p4.FieldMatch {
	var out []*p4.FieldMatch
	for i, m := range in {
		f := k.fields[i]
		fm := &p4.FieldMatch{FieldId: f.id}
		switch {
		case f.all(m):
			continue
		case m.Kind == engine.MatchExact:
			fm.FieldMatchType = &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: f.valueOut(m.Value)}}
		case f.kind == engine.MatchOptional:
			fm.FieldMatchType = &p4.FieldMatch_Optional_{Optional: &p4.FieldMatch_Optional{Value: f.valueOut(m.Value)}}
		case m.Kind == engine.MatchLPM:
			fm.FieldMatchType = &p4.FieldMatch_Lpm{Lpm: &p4.FieldMatch_LPM{
				Value: canonical(m.Value), PrefixLen: int32(m.PrefixLen)}}
		case m.Kind == engine.MatchTernary:
			fm.FieldMatchType = &p4.FieldMatch_Ternary_{Ternary: &p4.FieldMatch_Ternary{
				Value: canonical(m.Value), Mask: canonical(m.Mask)}}
		case m.Kind == engine.MatchRange:
			fm.FieldMatchType = &p4.FieldMatch_Range_{Range: &p4.FieldMatch_Range{
				Low: canonical(m.Value), High: canonical(m.High)}}
		}
		out = append(out, fm)
	}
	return out
}

// all says whether a match takes every value of the field.
func (f field) all(m engine.Match) bool {
	switch m.Kind {
	case engine.MatchLPM:
		return m.Any || m.PrefixLen == 0
	case engine.MatchTernary:
		return m.Any || bitLen(m.Mask) == 0
	case engine.MatchRange:
		return m.Any || bitLen(m.Value) == 0 && compare(m.High, ones(f.width)) == 0
	case engine.MatchOptional:
		return m.Any
	}
	return false
}

// matchKey identifies an entry of a table, or a member of a value set.
func (k *key) matchKey(match []engine.Match, priority int32) string {
	b := binary.LittleEndian.AppendUint32(nil, uint32(priority))
	for i, m := range match {
		if k.fields[i].all(m) {
			b = append(b, 0)
			continue
		}
		b = append(b, 1, byte(m.PrefixLen), byte(m.PrefixLen>>8))
		if k.fields[i].kind == engine.MatchOptional {
			m.Mask = nil // the engine returns a full one
		}
		for _, v := range [][]byte{m.Value, m.Mask, m.High} {
			v = canonical(v)
			b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
			b = append(b, v...)
		}
	}
	return string(b)
}
