package engine

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// withTrace is the program again, on a switch that tells what it does.
func withTrace(t *testing.T, path string, lines *[]string) *Switch {
	t.Helper()
	return New(load(t, path).prog, Options{Seed: 1, Trace: func(line string) { *lines = append(*lines, line) }})
}

// traceCases are frames whose traces together have every kind of line.
var traceCases = []struct {
	program string
	prepare func(t *testing.T, sw *Switch)
	frames  []string
}{
	{"parse", nil, []string{"0112 abcd 1234 99", "0210 0205 1234", "0310 0205 1234", "0210 02040608 0b", "0410 abcd 1234", "0612 aabb 1234 77", "0120 abcd", "01"}},
	{"match", prepareMatches, []string{
		matchFrame("01", "0000", "00000000", "05"), matchFrame("01", "0000", "00000000", "06"), matchFrame("02", "0000", "0a000001", ""),
		matchFrame("03", "0012", "00000000", ""), matchFrame("04", "0000", "00000000", ""), matchFrame("06", "1234", "00000000", ""),
		matchFrame("07", "0000", "00000000", ""), matchFrame("ff", "0000", "00000000", "") + "42"}},
	{"state", nil, []string{
		stateFrame(1, 2, 7), stateFrame(4, 3, 7), stateFrame(5, 0, 9), stateFrame(5, 9, 9), stateFrame(6, 1, 0), stateFrame(7, 1, 5), stateFrame(8, 1, 5),
		stateFrame(12, 0, 0), stateFrame(13, 2, 3), stateFrame(14, 0, 0), stateFrame(15, 0, 9), stateFrame(16, 0, 0), stateFrame(20, 0, 0) + "0102030405060708"}},
	{"replicate", prepareReplication, []string{
		"0100000000000000000000", "0200000000000000000000", "0300000000000000000000", "0400000000000000000000", "0500000000000000000000",
		"0700000000000000000000", "0800000000000000000000"}},
	{"indirect", prepareIndirect, []string{
		indirectFrame(1, 0, 7, 0), indirectFrame(2, 1, 2, 0), indirectFrame(3, 1, 0, 0), indirectFrame(5, 1, 2, 3), indirectFrame(5, 2, 2, 3),
		indirectFrame(6, 1, 0, 0), indirectFrame(7, 0, 0, 1)}},
	{"rare", nil, []string{"0100020000 1aabb234 55", "0100000000 1234 55", "0200000000 1234 000000000000 00000000", "0400000000 0b77 0a 99", "0b00010000", "0c00040000"}},
}

func prepareMatches(t *testing.T, sw *Switch) {
	insert(t, mustTable(t, sw, "I.t_exact"), set("set1", 0x77, 0, exact(1), exact(5)))
	insert(t, mustTable(t, sw, "I.t_lpm"), set("count1", 0x11, 0, exact(2), lpm(8, 10, 0, 0, 0)))
}

func prepareReplication(t *testing.T, sw *Switch) {
	must(t, sw.SetMulticast(7, []Replica{{Port: 1, Instance: 5}, {Port: 2, Instance: 6}}))
	must(t, sw.SetCloneSession(5, CloneSession{Replicas: []Replica{{Port: 2, Instance: 0}}}))
}

func prepareIndirect(t *testing.T, sw *Switch) {
	ap, as := mustProfile(t, sw, "I.ap"), mustProfile(t, sw, "I.as")
	must(t, ap.AddMember(10, "I.set1", param(0x11)))
	must(t, as.AddMember(20, "I.set2", param(0x22)))
	must(t, as.AddGroup(1, []GroupMember{{ID: 20, Weight: 1}}))
	must(t, as.AddGroup(2, nil))
	must(t, mustTable(t, sw, "I.t_profile").Insert(toMember(10, exact(1))))
	must(t, mustTable(t, sw, "I.t_selector").Insert(toGroup(1, lpm(8, 1))))
	must(t, mustTable(t, sw, "I.t_selector").Insert(toGroup(2, lpm(8, 2))))
	must(t, mustTable(t, sw, "I.t_meter").Insert(set("colour", 9, 0, exact(1))))
}

func TestTrace(t *testing.T) {
	for _, c := range traceCases {
		t.Run(c.program, func(t *testing.T) {
			var lines []string
			sw, quiet := withTrace(t, "testdata/"+c.program+".json", &lines), load(t, "testdata/"+c.program+".json")
			if c.prepare != nil {
				c.prepare(t, sw)
				c.prepare(t, quiet)
			}
			for i, f := range c.frames {
				var got, want recorder
				if i > 0 {
					lines = append(lines, "")
				}
				sw.Process(uint64(i), 3, unhex(t, f), &got)
				quiet.Process(uint64(i), 3, unhex(t, f), &want)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: with a trace %+v, without %+v", f, got, want)
				}
			}
			golden(t, "testdata/"+c.program+".trace", strings.Join(lines, "\n")+"\n")
		})
	}
}

// golden compares a text with a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("%s:%d:\n got %q\nwant %q", path, i+1, at(g, i), at(w, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
