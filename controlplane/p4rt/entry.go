package p4rt

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Entry is one table entry with everything named as in the program. Match fields and
// parameters may come in any order.
type Entry struct {
	Table    string
	Match    []Match
	Priority int32 // higher wins; only for tables with ternary, range or optional fields
	Action   string
	Params   []Param
}

// MatchKind is how a match field compares (P4Runtime 1.4, section 9.1.1).
type MatchKind uint8

// The kinds of match fields.
const (
	MatchExact MatchKind = iota + 1
	MatchLPM
	MatchTernary
	MatchRange
	MatchOptional
)

// Match is the match on one field. A field that is not named matches everything.
type Match struct {
	Field  string
	Kind   MatchKind
	Value  Value // low end of a range
	Mask   Value // ternary: mask; range: high end
	Prefix int   // LPM: prefix length in bits
}

// Exact matches one value.
func Exact(field string, v Value) Match { return Match{Field: field, Kind: MatchExact, Value: v} }

// LPM matches the first prefix bits of v, whose other bits must be 0.
func LPM(field string, v Value, prefix int) Match {
	return Match{Field: field, Kind: MatchLPM, Value: v, Prefix: prefix}
}

// Prefix matches the addresses in p.
func Prefix(field string, p netip.Prefix) Match {
	return LPM(field, Addr(p.Masked().Addr()), p.Bits())
}

// Ternary matches v where mask has ones.
func Ternary(field string, v, mask Value) Match {
	return Match{Field: field, Kind: MatchTernary, Value: v, Mask: mask}
}

// Range matches low to high, both included.
func Range(field string, low, high Value) Match {
	return Match{Field: field, Kind: MatchRange, Value: low, Mask: high}
}

// Optional matches one value of a field that may also be left out.
func Optional(field string, v Value) Match {
	return Match{Field: field, Kind: MatchOptional, Value: v}
}

// Param is one action parameter.
type Param struct {
	Name  string
	Value Value
}

// Key is the entry's identity: two entries with the same key cannot both be in a switch.
func (e Entry) Key() string {
	match := slices.Clone(e.Match)
	slices.SortFunc(match, func(a, b Match) int { return cmp.Compare(a.Field, b.Field) })
	var b strings.Builder
	b.WriteString(e.Table)
	for _, m := range match {
		if m.Kind == MatchLPM && m.Prefix == 0 {
			continue // as if it were not there
		}
		fmt.Fprintf(&b, "|%s:%d:%s:%s:%d", m.Field, m.Kind, m.Value, m.Mask, m.Prefix)
	}
	if e.Priority != 0 {
		fmt.Fprintf(&b, "|%d", e.Priority)
	}
	return b.String()
}

// Param gives the value of an action parameter by its name, 0 if there is none.
func (e Entry) Param(name string) Value {
	for _, p := range e.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return Uint(0)
}

// Field gives the match on a field by its name.
func (e Entry) Field(name string) (Match, bool) {
	for _, m := range e.Match {
		if m.Field == name {
			return m, true
		}
	}
	return Match{}, false
}

// sameAction says whether two entries with the same key do the same.
func (e Entry) sameAction(o Entry) bool {
	if e.Action != o.Action || len(e.Params) != len(o.Params) {
		return false
	}
	for _, p := range e.Params {
		if o.Param(p.Name).canonical() != p.Value.canonical() {
			return false
		}
	}
	return true
}

// String gives the entry on one line, for messages.
func (e Entry) String() string {
	var b strings.Builder
	b.WriteString(e.Table + "[")
	for i, m := range e.Match {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(m.Field + "=" + m.Value.String())
		switch m.Kind {
		case MatchLPM:
			fmt.Fprintf(&b, "/%d", m.Prefix)
		case MatchTernary:
			b.WriteString("&" + m.Mask.String())
		case MatchRange:
			b.WriteString(".." + m.Mask.String())
		}
	}
	b.WriteString("] " + e.Action + "(")
	for i, p := range e.Params {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(p.Name + "=" + p.Value.String())
	}
	b.WriteByte(')')
	return b.String()
}
