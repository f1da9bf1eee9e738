package engine

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// one sends a frame to port 3 and returns what comes out, in hex, as "port:frame port:frame".
func one(t testing.TB, sw *Switch, frame string) string {
	t.Helper()
	var out recorder
	sw.Process(100, 3, unhex(t, frame), &out)
	var parts []string
	for _, f := range out.frames {
		parts = append(parts, string(rune('0'+f.port))+":"+hex.EncodeToString(f.frame))
	}
	return strings.Join(parts, " ")
}

// TestParser sends frames whose report says: error, valid labels, the 16 bits after the
// first header, the last label.
func TestParser(t *testing.T) {
	sw := load(t, "testdata/parse.json")
	for name, c := range map[string]struct{ in, want string }{
		"accept in the select":         {"0110 abcd", "00 00 abcd 00 0110 abcd"},
		"options of 2 bytes":           {"0112 abcd 1234 99", "00 00 abcd 00 0112 abcd 1234 99"},
		"options longer than the type": {"011f " + strings.Repeat("aa", 20), "03 00 aaaa 00 011f " + strings.Repeat("aa", 20)},
		"options beyond the packet":    {"0118 aabb", "01 00 aabb 00 0118 aabb"},
		"two labels":                   {"0210 0205 1234", "00 02 0205 02 0210 0205 1234"},
		"a label popped":               {"0310 0205 1234", "00 02 0205 02 0310 05 1234"},
		"four labels in a stack of 3":  {"0210 02040608 0b", "02 03 0204 03 0210 02040608 0b"},
		"union member replaced":        {"0410 abcd 1234", "00 00 abcd 00 0410 0a0b0c0d 1234"},
		"other union member":           {"0510 abcdef01 1234", "00 00 abcd 00 0510 abcdef01 1234"},
		"advance drops":                {"0612 aabb 1234 77", "00 00 aabb 00 0612 1234 77"},
		"advance beyond the packet":    {"0618 aabb", "01 00 aabb 00 0618 aabb"},
		"verify fails":                 {"0120 abcd", "04 00 0000 00 0120 abcd"},
		"lookahead too short":          {"0110 ab", "01 00 0000 00 0110 ab"},
		"nothing to extract":           {"01", "01 00 0000 00 01"},
		"tail too short":               {"0510 abcdef01 12", "01 00 abcd 00 0510 abcdef01 12"},
		"no case":                      {"0910 abcd", "00 00 abcd 00 0910 abcd"},
	} {
		if got, want := one(t, sw, c.in), "1:"+strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// matchFrame is the header of match.p4 with out1 and out2 zero.
func matchFrame(a, b, c, d string) string {
	return a + b + c + strings.Repeat("00", 16-len(d)/2) + d + "0000"
}

func mustTable(t testing.TB, sw *Switch, name string) *Table {
	t.Helper()
	table, ok := sw.Table(name)
	if !ok {
		t.Fatalf("no table %s", name)
	}
	return table
}

func lpm(prefix int, b ...byte) Match {
	return Match{Kind: MatchLPM, Value: b, PrefixLen: prefix}
}

func ternary(value, mask []byte) Match { return Match{Kind: MatchTernary, Value: value, Mask: mask} }

func set(action string, v byte, priority int32, match ...Match) Entry {
	return Entry{Match: match, Priority: priority, Action: "I." + action, Params: [][]byte{{v}}}
}

func insert(t testing.TB, table *Table, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if err := table.Insert(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMatchKinds(t *testing.T) {
	sw := load(t, "testdata/match.json")
	anything := Match{Kind: MatchTernary, Any: true}
	insert(t, mustTable(t, sw, "I.t_exact"), set("set1", 7, 0, exact(1), exact(0xd, 0xd)),
		Entry{Match: []Match{exact(1), exact(9)}, Action: "I.drop"})
	insert(t, mustTable(t, sw, "I.t_lpm"),
		set("count1", 1, 0, exact(2), lpm(8, 10, 0, 0, 0)), set("count1", 2, 0, exact(2), lpm(24, 10, 1, 2, 0)),
		set("count1", 3, 0, exact(2), lpm(32, 10, 1, 2, 3)), set("count1", 4, 0, exact(3), lpm(0, 0)))
	insert(t, mustTable(t, sw, "I.t_ternary"),
		set("set1", 1, 10, ternary([]byte{0x12, 0}, []byte{0xff, 0}), anything),
		set("set1", 2, 30, ternary([]byte{0x12, 0x34}, []byte{0xff, 0xff}), anything),
		set("set1", 3, 20, anything, ternary([]byte{1}, []byte{1})),
		set("set1", 4, 20, ternary([]byte{0x56, 0}, []byte{0xff, 0}), anything))
	insert(t, mustTable(t, sw, "I.t_range"),
		set("set1", 1, 5, Match{Kind: MatchRange, Value: []byte{0x10}, High: []byte{0x20}}, anything),
		set("set1", 2, 9, Match{Kind: MatchRange, Value: []byte{0x18}, High: []byte{0x18}}, anything),
		set("set1", 3, 7, Match{Kind: MatchRange, Any: true}, Match{Kind: MatchOptional, Value: []byte{5}}))
	insert(t, mustTable(t, sw, "I.t_invalid"), set("set2", 8, 0, exact(0), exact(0)), set("set2", 9, 0, exact(1), exact(0x42)))

	for name, c := range map[string]struct{ frame, out string }{
		"exact hit":                   {matchFrame("01", "0000", "00000000", "0d0d"), "07aa"},
		"exact miss":                  {matchFrame("01", "0000", "00000000", "0d0e"), "00bb"},
		"longest prefix":              {matchFrame("02", "0000", "0a010203", ""), "0300"},
		"middle prefix":               {matchFrame("02", "0000", "0a010204", ""), "0200"},
		"shortest prefix":             {matchFrame("02", "0000", "0aff0204", ""), "0100"},
		"no prefix":                   {matchFrame("02", "0000", "0bff0204", ""), "0000"},
		"highest priority":            {matchFrame("03", "1234", "00000000", "01"), "02cc"},
		"second priority":             {matchFrame("03", "1235", "00000000", "01"), "03cc"},
		"lowest priority":             {matchFrame("03", "1235", "00000000", "02"), "01cc"},
		"equal priorities, the older": {matchFrame("03", "5600", "00000000", "01"), "03cc"},
		"ternary miss":                {matchFrame("03", "9900", "00000000", "02"), "eecc"},
		"range low bound":             {matchFrame("04", "0010", "00000000", ""), "0100"},
		"range high bound":            {matchFrame("04", "0020", "00000000", ""), "0100"},
		"range priority":              {matchFrame("04", "0018", "00000000", ""), "0200"},
		"above the range":             {matchFrame("04", "0021", "00000000", ""), "0000"},
		"optional value":              {matchFrame("05", "0011", "00000000", ""), "0300"},
		"constant entry, the first":   {matchFrame("06", "1234", "00000000", ""), "0001"},
		"constant entry, the last":    {matchFrame("06", "340f", "00000000", ""), "0003"},
		"constant entry, none":        {matchFrame("06", "3410", "00000000", ""), "00dd"},
		"an invalid header reads 0":   {matchFrame("07", "0000", "00000000", ""), "0008"},
	} {
		want := "1:" + strings.TrimSuffix(c.frame, "0000") + c.out
		if got := one(t, sw, c.frame); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if got := one(t, sw, matchFrame("ff", "0000", "00000000", "")+"42"); !strings.HasSuffix(got, "000942") {
		t.Errorf("a valid header: %s", got)
	}
	if got := one(t, sw, matchFrame("01", "0000", "00000000", "09")); got != "" {
		t.Errorf("dropped, but %s came out", got)
	}
	e, err := mustTable(t, sw, "I.t_lpm").Lookup([]Match{exact(2), lpm(24, 10, 1, 2, 0)}, 0)
	if err != nil || e.Counter == nil || *e.Counter != (CounterData{1, 25}) || e.Params[0][0] != 2 {
		t.Errorf("direct counter: %+v, %v", e, err)
	}
}

func TestTableWrites(t *testing.T) {
	sw := load(t, "testdata/match.json")
	table := mustTable(t, sw, "I.t_exact")
	a, b, c := set("set1", 1, 0, exact(1), exact(1)), set("set1", 2, 0, exact(1), exact(2)), set("set1", 3, 0, exact(1), exact(3))
	steps := []struct {
		name string
		err  error
		want error
	}{
		{"insert", table.Insert(a), nil},
		{"insert the same", table.Insert(a), ErrExists},
		{"insert another", table.Insert(b), nil},
		{"insert beyond the size", table.Insert(c), ErrFull},
		{"modify what is not there", table.Modify(c), ErrNotFound},
		{"modify", table.Modify(set("set1", 9, 0, exact(1), exact(2))), nil},
		{"delete what is not there", table.Delete(c.Match, 0), ErrNotFound},
		{"delete", table.Delete(a.Match, 0), nil},
		{"insert after a delete", table.Insert(c), nil},
		{"unknown action", table.Insert(set("nonsense", 1, 0, exact(5), exact(5))), ErrInvalid},
		{"an action of another table", table.Insert(set("set2", 1, 0, exact(5), exact(5))), ErrInvalid},
		{"missing parameter", table.Insert(Entry{Match: a.Match, Action: "I.set1"}), ErrInvalid},
		{"parameter too wide", table.Insert(Entry{Match: a.Match, Action: "I.set1", Params: [][]byte{{1, 0}}}), ErrInvalid},
		{"empty parameter", table.Insert(Entry{Match: a.Match, Action: "I.set1", Params: [][]byte{{}}}), ErrInvalid},
		{"key too wide", table.Insert(set("set1", 1, 0, exact(1, 0), exact(1))), ErrInvalid},
		{"missing key", table.Insert(set("set1", 1, 0, exact(1))), ErrInvalid},
		{"wrong kind", table.Insert(set("set1", 1, 0, lpm(8, 1), exact(1))), ErrInvalid},
		{"priority", table.Insert(set("set1", 1, 3, exact(1), exact(1))), ErrInvalid},
		{"no priority", mustTable(t, sw, "I.t_ternary").Insert(set("set1", 1, 0, ternary([]byte{1}, []byte{1}), ternary([]byte{1}, []byte{1}))), ErrInvalid},
		{"bits outside of the mask", mustTable(t, sw, "I.t_ternary").Insert(set("set1", 1, 1, ternary([]byte{3}, []byte{1}), ternary([]byte{1}, []byte{1}))), ErrInvalid},
		{"bits outside of the prefix", mustTable(t, sw, "I.t_lpm").Insert(set("count1", 1, 0, exact(1), lpm(8, 10, 0, 0, 1))), ErrInvalid},
		{"prefix too long", mustTable(t, sw, "I.t_lpm").Insert(set("count1", 1, 0, exact(1), lpm(33, 10, 0, 0, 1))), ErrInvalid},
		{"empty range", mustTable(t, sw, "I.t_range").Insert(set("set1", 1, 1, Match{Kind: MatchRange, Value: []byte{2}, High: []byte{1}}, Match{Kind: MatchTernary, Any: true})), ErrInvalid},
		{"constant entries", mustTable(t, sw, "I.t_const").Insert(set("set2", 1, 1, ternary([]byte{1}, []byte{1}))), ErrConst},
		{"direct counter of none", table.WriteCounter(b.Match, 0, CounterData{}), ErrInvalid},
	}
	for _, s := range steps {
		if !errors.Is(s.err, s.want) || (s.want == nil && s.err != nil) {
			t.Errorf("%s: %v, want %v", s.name, s.err, s.want)
		}
	}
	var got []byte
	for e := range table.Entries() {
		got = append(got, e.Params[0][0])
	}
	if !bytes.Equal(got, []byte{9, 3}) || table.Len() != 2 {
		t.Errorf("entries %v, length %d", got, table.Len())
	}
	n := 0
	for e := range mustTable(t, sw, "I.t_const").Entries() {
		if n++; !e.Const || e.Priority <= 0 {
			t.Errorf("constant entry %+v", e)
		}
	}
	if n != 3 {
		t.Errorf("%d constant entries", n)
	}
}

func TestDefaultEntry(t *testing.T) {
	sw := load(t, "testdata/match.json")
	table := mustTable(t, sw, "I.t_ternary")
	frame := matchFrame("03", "9900", "00000000", "02")
	if err := table.SetDefault("I.set1", [][]byte{{5}}); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sw, frame); !strings.HasSuffix(got, "05cc") {
		t.Errorf("after SetDefault: %s", got)
	}
	if e, ok := table.Default(); !ok || e.Action != "I.set1" || !bytes.Equal(e.Params[0], []byte{5}) {
		t.Errorf("default entry %+v", e)
	}
	if err := table.ResetDefault(); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sw, frame); !strings.HasSuffix(got, "eecc") {
		t.Errorf("after ResetDefault: %s", got)
	}
	if err := table.SetDefault("I.set1", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("default entry without parameter: %v", err)
	}
	if err := mustTable(t, sw, "I.t_lpm").SetDefault("I.count1", [][]byte{{1}}); err != nil {
		t.Errorf("default entry of a table that does not fix it: %v", err)
	}
}
