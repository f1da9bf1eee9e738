package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// bothForms loads a program twice: with its flat code, and with closures only.
func bothForms(t testing.TB, path string) (flat, plain *Switch) {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	src, err := bmjson.Decode(doc)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	if prog.flat == nil {
		t.Fatalf("%s has no flat code", path)
	}
	closures := *prog
	closures.flat = nil
	return New(prog, Options{Seed: 1}), New(&closures, Options{Seed: 1})
}

// randomEntry fits a table, with values that frames have a chance to hit.
func randomEntry(r *rand.Rand, table *Table) Entry {
	var e Entry
	small := func(width int) []byte {
		v := make([]byte, (width+7)/8)
		v[len(v)-1] = byte(r.IntN(8))
		if width < 3 {
			v[len(v)-1] &= 1<<width - 1
		}
		return v
	}
	for _, k := range table.Keys() {
		switch k.Kind {
		case MatchExact:
			e.Match = append(e.Match, Match{Kind: MatchExact, Value: small(k.Width)})
		case MatchLPM:
			n := r.IntN(k.Width + 1)
			mask := prefixMask(n, k.Width)
			v := make([]uint64, len(mask))
			wordsFromBytes(v, small(k.Width))
			for i := range v {
				v[i] &= mask[i]
			}
			e.Match = append(e.Match, Match{Kind: MatchLPM, Value: valueBytes(v, k.Width), PrefixLen: n})
		case MatchTernary:
			e.Match = append(e.Match, Match{Kind: MatchTernary, Any: r.IntN(2) == 0, Value: small(k.Width), Mask: []byte{1<<min(3, k.Width) - 1}})
		default:
			e.Match = append(e.Match, Match{Kind: MatchRange, Value: []byte{0}, High: small(k.Width)})
		}
	}
	if table.NeedsPriority() {
		e.Priority = 1 + r.Int32N(100)
	}
	if table.Profile() != nil {
		e.Indirect, e.Member, e.Group = IndirectMember+IndirectKind(r.IntN(2)), uint32(r.IntN(3)), uint32(r.IntN(3))
		return e
	}
	if table.HasMeter() && r.IntN(2) == 0 {
		e.Meter = &MeterRates{CIR: 1, CBurst: r.Int64N(50), PIR: 3, PBurst: r.Int64N(100)}
	}
	a := table.Actions()[r.IntN(len(table.Actions()))]
	e.Action = a.Name
	for _, p := range a.Params {
		e.Params = append(e.Params, small(p.Width))
	}
	return e
}

// randomFrame is a frame of small values, often one of those that are given, changed a bit.
func randomFrame(r *rand.Rand, like [][]byte) []byte {
	var f []byte
	if len(like) > 0 && r.IntN(8) > 0 {
		f = bytes.Clone(like[r.IntN(len(like))])
		for range r.IntN(3) {
			f[r.IntN(len(f))] = byte(r.IntN(256))
		}
	} else {
		f = make([]byte, 1+r.IntN(80))
		zeros := r.IntN(8) // of 8 bytes
		for i := range f {
			if r.IntN(8) >= zeros {
				f[i] = byte(r.IntN(8))
			}
		}
	}
	if r.IntN(10) == 0 {
		f = f[:r.IntN(len(f)+1)]
	}
	return f
}

// TestFormsAgree sends random frames through both forms of every program, with random
// entries, groups and sessions: all that comes out and all state is the same.
func TestFormsAgree(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no programs", err)
	}
	small, err := filepath.Glob("../../conformance/programs/*.json")
	if err != nil || len(small) == 0 {
		t.Fatal("no conformance programs", err)
	}
	for _, path := range slices.Concat(files, small, []string{ourProgram}) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			frames, least := 4000, 100 // and of those that are to come out
			if slices.Contains(small, path) {
				frames, least = 2000, 0
			}
			flat, plain := bothForms(t, path)
			r := rand.New(rand.NewPCG(5, 6))
			var like [][]byte
			if path == ourProgram {
				for i := range 8 {
					like = append(like, vxlanFrame(t, byte(i), uint16(40000+i)))
				}
				flat, plain = ourEntries(t, flat), ourEntries(t, plain)
			}
			sent, raised := 0, 0
			for i := range frames {
				if i%20 == 0 {
					configure(t, r, flat, plain)
				}
				frame, port := randomFrame(r, like), uint32(r.IntN(4))
				var got, want recorder
				flat.Process(uint64(i)*1000, port, frame, &got)
				plain.Process(uint64(i)*1000, port, frame, &want)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("frame %d at port %d: %x\n flat %+v\nplain %+v", i, port, frame, got, want)
				}
				sent, raised = sent+len(got.frames), raised+len(got.digests)
			}
			if a, b := stateOf(flat), stateOf(plain); a != b {
				t.Errorf("state\n flat %s\nplain %s", a, b)
			}
			if sent < least {
				t.Errorf("only %d frames came out, and %d digests", sent, raised)
			}
		})
	}
}

// configure changes both switches in the same way.
func configure(t *testing.T, r *rand.Rand, switches ...*Switch) {
	group, ports := uint16(1+r.IntN(8)), []Replica{{Port: uint32(r.IntN(4)), Instance: 1}, {Port: uint32(r.IntN(4)), Instance: 2}}
	for _, sw := range switches {
		if err := sw.SetMulticast(group, ports); err != nil {
			t.Fatal(err)
		}
		if err := sw.SetCloneSession(group, CloneSession{Replicas: ports[:1], Truncate: uint32(group) * 10}); err != nil {
			t.Fatal(err)
		}
	}
	configureExterns(r, switches)
	tables := switches[0].Tables()
	if len(tables) == 0 {
		return
	}
	n := r.IntN(len(tables))
	e := randomEntry(r, tables[n])
	for i, sw := range switches {
		err := sw.Tables()[n].Insert(e)
		if other := switches[0].Tables()[n].Len(); err == nil && i > 0 && other != sw.Tables()[n].Len() {
			t.Fatalf("%d entries and %d", other, sw.Tables()[n].Len())
		}
	}
}

// configureExterns changes a member and a group of each profile, a cell of each meter and
// every value set. Some of it is refused, by all in the same way.
func configureExterns(r *rand.Rand, switches []*Switch) {
	for i, prof := range switches[0].Profiles() {
		id, weight, actions := uint32(r.IntN(3)), 1+r.IntN(3), prof.Actions()
		a := actions[r.IntN(len(actions))]
		params := make([][]byte, len(a.Params))
		for n := range params {
			params[n] = []byte{byte(r.IntN(2))}
		}
		for _, sw := range switches {
			p := sw.profiles[i]
			_ = p.AddMember(id, a.Name, params)
			_ = p.ModifyMember(id, a.Name, params)
			_ = p.AddGroup(id, nil)
			_ = p.ModifyGroup(id, []GroupMember{{ID: id, Weight: weight}, {ID: (id + 1) % 3, Weight: 1}})
		}
	}
	v := []byte{byte(r.IntN(8))}
	rates := MeterRates{CIR: 1, CBurst: r.Int64N(20), PIR: 2, PBurst: r.Int64N(40)}
	for _, sw := range switches {
		for _, m := range sw.Meters() {
			_ = m.SetRates(int(v[0])%max(m.Size(), 1), rates)
		}
		for _, s := range sw.valueSets {
			_ = s.Set([][]Match{slices.Repeat([]Match{exact(v...)}, len(s.Widths()))})
		}
	}
}

// stateOf is what packets leave behind in a switch.
func stateOf(s *Switch) string {
	var b bytes.Buffer
	for i, reg := range s.registers {
		fmt.Fprintf(&b, "register %d", i)
		for at := range reg.size {
			fmt.Fprintf(&b, " %x", reg.cell(at))
		}
	}
	for _, c := range s.Counters() {
		fmt.Fprintf(&b, "counter %s %v\n", c.name, c.cells)
	}
	for _, m := range s.Meters() {
		for _, c := range m.cells {
			fmt.Fprintf(&b, "meter %s %+v %v\n", m.name, c.state, c.marked)
		}
	}
	for _, table := range s.Tables() {
		for e := range table.Entries() {
			fmt.Fprintf(&b, "entry %v %v %v\n", e.Match, e.Counter, e.LastHit)
		}
		fmt.Fprintf(&b, "default %v\n", table.defCounter)
	}
	fmt.Fprintf(&b, "%+v\n", s.Stats())
	return b.String()
}
