package stf

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

func TestParseMatch(t *testing.T) {
	const exact, lpm, ternary, span = engine.MatchExact, engine.MatchLPM, engine.MatchTernary, engine.MatchRange
	b := func(v ...byte) []byte { return v }
	for _, c := range []struct {
		text  string
		kind  engine.MatchKind
		width int
		want  engine.Match
	}{
		{"0", exact, 8, engine.Match{Value: b(0)}},
		{"0010", exact, 8, engine.Match{Value: b(10)}},
		{"0XfF", exact, 8, engine.Match{Value: b(0xff)}},
		{"0B101", exact, 8, engine.Match{Value: b(5)}},
		{"0o17", exact, 8, engine.Match{Value: b(15)}},
		{"10.0.0.1", exact, 32, engine.Match{Value: b(10, 0, 0, 1)}},
		{"2001::1", exact, 128, engine.Match{Value: b(0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)}},
		{"02:00:00:00:00:01", exact, 48, engine.Match{Value: b(2, 0, 0, 0, 0, 1)}},

		{"0x0a******", lpm, 32, engine.Match{Value: b(10, 0, 0, 0), PrefixLen: 8}},
		{"0x0a", lpm, 32, engine.Match{Value: b(0), PrefixLen: 8}},
		{"0x********", lpm, 32, engine.Match{Value: b(0), Any: true}},
		{"0b101*", lpm, 4, engine.Match{Value: b(10), PrefixLen: 3}},
		{"0x1ff", lpm, 9, engine.Match{Value: b(1, 0xff), PrefixLen: 9}},
		{"10.1.2.3/16", lpm, 32, engine.Match{Value: b(10, 1, 0, 0), PrefixLen: 16}},
		{"5/0", lpm, 32, engine.Match{Value: b(0), Any: true}},
		{"5", lpm, 8, engine.Match{Value: b(5), PrefixLen: 8}},

		{"0x1*", ternary, 8, engine.Match{Value: b(0x10), Mask: b(0xf0)}},
		{"0x*1", ternary, 32, engine.Match{Value: b(1), Mask: b(0x0f)}},
		{"0x5", ternary, 32, engine.Match{Value: b(5), Mask: b(0x0f)}},
		{"0x005", ternary, 9, engine.Match{Value: b(5), Mask: b(1, 0xff)}},
		{"0b1*0", ternary, 8, engine.Match{Value: b(4), Mask: b(5)}},
		{"0o7*", ternary, 8, engine.Match{Value: b(0x38), Mask: b(0x38)}},
		{"0x**", ternary, 8, engine.Match{Value: b(0), Mask: b(0), Any: true}},
		{"7", ternary, 12, engine.Match{Value: b(7), Mask: b(0x0f, 0xff)}},
		{"0xff&&&0x0f", ternary, 8, engine.Match{Value: b(0x0f), Mask: b(0x0f)}},

		{"1..0x10", span, 8, engine.Match{Value: b(1), High: b(16)}},
		{"1->2", span, 8, engine.Match{Value: b(1), High: b(2)}},
		{"3", span, 8, engine.Match{Value: b(3), High: b(3)}},
	} {
		got, err := parseMatch(key{[]string{"k"}, c.kind, c.width}, c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !bytes.Equal(got.Value, c.want.Value) || !bytes.Equal(got.Mask, c.want.Mask) || !bytes.Equal(got.High, c.want.High) ||
			got.PrefixLen != c.want.PrefixLen || got.Any != c.want.Any || got.Kind != c.kind {
			t.Errorf("%s: %+v, want %+v", c.text, got, c.want)
		}
	}
}

func TestParseMatchRefuses(t *testing.T) {
	for _, c := range []struct {
		text  string
		kind  engine.MatchKind
		width int
	}{
		{"", engine.MatchExact, 8}, {"0x", engine.MatchExact, 8}, {"-1", engine.MatchExact, 8}, {"+1", engine.MatchExact, 8},
		{"0x-1", engine.MatchExact, 8}, {"1_0", engine.MatchExact, 8}, {"0x1_0", engine.MatchExact, 8}, {"256", engine.MatchExact, 8},
		{"0x1*", engine.MatchExact, 8}, {"1*", engine.MatchTernary, 8}, {"0b2", engine.MatchTernary, 8}, {"0o8", engine.MatchTernary, 8},
		{"0x1ff", engine.MatchTernary, 8}, {"1&&&", engine.MatchTernary, 8}, {"1&&&0x1*", engine.MatchTernary, 8},
		{"0x*1", engine.MatchLPM, 8}, {"1/9", engine.MatchLPM, 8}, {"1/", engine.MatchLPM, 8}, {"256", engine.MatchLPM, 8},
		{"2..1", engine.MatchRange, 8}, {"1..", engine.MatchRange, 8}, {"0x1*", engine.MatchRange, 8}, {"1..256", engine.MatchRange, 8},
		{strings.Repeat("1", 1<<17), engine.MatchExact, 8},
	} {
		if got, err := parseMatch(key{[]string{"k"}, c.kind, c.width}, c.text); err == nil {
			t.Errorf("%.20q is accepted as %+v", c.text, got)
		}
	}
}

func TestResolve(t *testing.T) {
	s := &schema{aliases: map[string]string{"short": "I.one"}}
	full := []string{"I.one", "I.a.two", "E.two", "tbl_three", "I.three", "xfour", "four"}
	for name, want := range map[string]string{
		"I.one": "I.one", "short": "I.one", "one": "I.one", "a.two": "I.a.two", "three": "I.three", "four": "four",
		"our": "", "two": "", "five": "",
	} {
		i, err := s.resolve("table", name, full)
		if (err != nil) != (want == "") || err == nil && full[i] != want {
			t.Errorf("%s: %d, %v; want %q", name, i, err, want)
		}
	}
}
