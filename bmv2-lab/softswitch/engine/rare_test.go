package engine

import (
	"os"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// rareCases are frames of rare.p4 and what simple_switch makes of them, if the random hash
// and the assignment from stack.last are taken out of the program: it cannot load those.
var rareCases = []struct{ what, in, want string }{
	{"varbit inside of a byte", "0100020000 1aabb234 55", "0100020001 1aabb234 1aabb235 55"},
	{"a longer one", "0100040000 1aabbccdd234 55", "0100040001 1aabbccdd234 1aabbccdd235 55"},
	{"an empty one", "0100000000 1234 55", "0100000001 1234 1235 55"},
	{"wide checksum", "0200000000 1234 000000000000 0000edcb 77", "0200000000 1235 000000000000 0000edca 77"},
	{"wide checksum, wrong in its high bits", "0200000000 1234 010000000000 0000edcb 77", "0200010000 1235 000000000000 0000edca 77"},
	{"header by index", "0300000001 030405 88", "0300010001 040304 04 0588"},
	{"stack too full", "0300000002 0303030303 88", "0300030002 020303 030388"},
	{"stack of unions", "0400000000 0b77 0a 99", "0400000000 0b77 77 99"},
	{"stack of unions, member replaced", "0400000000 0b77 0b78 99", "0400000000 0b77 77 99"},
	{"stack of unions, untouched", "0400000000 0a 0b78 99", "0400000000 0a 0b78 99"},
	{"signed sum saturates above", "0570200000", "057f200000"},
	{"signed sum saturates below", "0590900000", "0580900000"},
	{"signed difference saturates below", "0690700000", "0680700000"},
	{"signed difference", "0610200000", "06f0200000"},
	{"unsigned difference", "0700c90000", "0700010000"},
	{"unsigned difference saturates", "0700100000", "0700000000"},
	{"unsigned sum", "0800000005", "080000fff5"},
	{"unsigned sum saturates", "0800000055", "080000ffff"},
	{"log text", "0900000000", "0900000000"},
	{"the only priority", "0b00000000", "0b00000000"},
	{"a priority without a queue", "0b00010000", ""},
	{"assumption holds", "0c00030000", "0c00030000"},
}

func TestRareConstructs(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/rare.json") {
		t.Run(name, func(t *testing.T) {
			for _, c := range rareCases {
				want := strings.ReplaceAll("1:"+c.want, " ", "")
				if c.want == "" {
					want = ""
				}
				if got := one(t, sw, c.in); got != want {
					t.Errorf("%s:\n got %s\nwant %s", c.what, got, want)
				}
			}
			if got := sw.Stats().NoQueue; got != 1 {
				t.Errorf("%d frames without a queue", got)
			}
			seen := map[string]bool{}
			for range 100 {
				got := one(t, sw, "0a00000000")
				if got < "1:0a00050000" || got > "1:0a00080000" {
					t.Fatalf("random hash: %s", got)
				}
				seen[got] = true
			}
			if len(seen) != 4 {
				t.Errorf("random hash: %d values", len(seen))
			}
			if got := one(t, sw, "0c00040000"); got != "" || sw.Stats().Assertions != 1 {
				t.Errorf("assumption fails: %s", got)
			}
		})
	}
}

// edited compiles a program with spots of it changed.
func edited(t *testing.T, path string, changes ...[2]string) *Switch {
	t.Helper()
	doc, err := os.ReadFile(path)
	must(t, err)
	text := string(doc)
	for _, c := range changes {
		changed := strings.Replace(text, c[0], c[1], 1)
		if changed == text {
			t.Fatalf("%s is not in %s", c[0], path)
		}
		text = changed
	}
	src, err := bmjson.Decode([]byte(text))
	must(t, err)
	prog, err := Compile(src)
	must(t, err)
	return New(prog, Options{})
}

// TestSaturatingField takes a saturating cast to 8 bits out of the program (it becomes a sum
// with 8), and makes the field saturate that the result is assigned to.
func TestSaturatingField(t *testing.T) {
	sum := [2]string{`"op" : "sat_cast"`, `"op" : "+"`}
	plain := edited(t, "testdata/rare.json", sum)
	saturating := edited(t, "testdata/rare.json", sum, [2]string{`["s", 8, true]`, `["s", 8, true, true]`})
	for _, c := range []struct{ in, plain, saturating string }{
		{"0501020000", "050b020000", "050b020000"},
		{"0570200000", "0598200000", "057f200000"},
		{"0590900000", "0528900000", "0580900000"},
	} {
		if got := one(t, plain, c.in); got != "1:"+c.plain {
			t.Errorf("%s, not saturating: %s", c.in, got)
		}
		if got := one(t, saturating, c.in); got != "1:"+c.saturating {
			t.Errorf("%s, saturating: %s", c.in, got)
		}
	}
}

func TestPriorityQueues(t *testing.T) {
	sw := New(load(t, "testdata/rare.json").prog, Options{Queues: 4})
	if got := one(t, sw, "0b00030000"); got != "1:0b00030000" {
		t.Errorf("the last of 4 queues: %s", got)
	}
	if got := one(t, sw, "0b00040000"); got != "" {
		t.Errorf("a fifth queue: %s", got)
	}
}
