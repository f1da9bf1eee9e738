package engine

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

// indirectFrame is the header of indirect.p4; out1 and out2 are its last two bytes.
func indirectFrame(op, a byte, b uint16, c uint32) string {
	return fmt.Sprintf("%02x%02x%04x%08x0000", op, a, b, c)
}

// outs sends a frame and returns out1 and out2.
func outs(t *testing.T, sw *Switch, op, a byte, b uint16, c uint32) string {
	t.Helper()
	got := one(t, sw, indirectFrame(op, a, b, c))
	return got[len(got)-4:]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func mustProfile(t *testing.T, sw *Switch, name string) *Profile {
	t.Helper()
	p, ok := sw.Profile(name)
	if !ok {
		t.Fatalf("no profile %s", name)
	}
	return p
}

func param(v byte) [][]byte { return [][]byte{{v}} }

func toMember(id uint32, match ...Match) Entry {
	return Entry{Match: match, Indirect: IndirectMember, Member: id}
}

func toGroup(id uint32, match ...Match) Entry {
	return Entry{Match: match, Indirect: IndirectGroup, Group: id}
}

func TestActionProfile(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/indirect.json") {
		t.Run(name, func(t *testing.T) { testActionProfile(t, sw) })
	}
}

// bothNamed is both forms of a program.
func bothNamed(t *testing.T, path string) map[string]*Switch {
	flat, plain := bothForms(t, path)
	return map[string]*Switch{"flat": flat, "plain": plain}
}

func testActionProfile(t *testing.T, sw *Switch) {
	p := mustProfile(t, sw, "I.ap")
	if p.HasSelector() || p.Size() != 3 || len(p.Actions()) != 3 {
		t.Errorf("selector %v, size %d, actions %v", p.HasSelector(), p.Size(), p.Actions())
	}
	must(t, p.AddMember(10, "I.set1", param(0x11)))
	must(t, p.AddMember(20, "I.set2", param(0x22)))
	must(t, p.AddMember(30, "NoAction", nil))
	wantErr(t, "the same member", p.AddMember(10, "I.set1", param(1)), ErrExists)
	wantErr(t, "a fourth member", p.AddMember(40, "I.set1", param(1)), ErrFull)
	wantErr(t, "an unknown action", p.AddMember(50, "I.colour", param(1)), ErrInvalid)
	wantErr(t, "a parameter too few", p.ModifyMember(10, "I.set1", nil), ErrInvalid)
	wantErr(t, "a group without a selector", p.AddGroup(1, nil), ErrInvalid)

	byA, byB := mustTable(t, sw, "I.t_profile"), mustTable(t, sw, "I.t_again")
	must(t, byA.Insert(toMember(10, exact(1))))
	must(t, byA.Insert(toMember(20, exact(2))))
	again := toMember(10, ternary([]byte{7}, []byte{0xff}))
	again.Priority = 5
	must(t, byB.Insert(again))
	wantErr(t, "no such member", byA.Insert(toMember(99, exact(3))), ErrNotFound)
	wantErr(t, "no such group", byA.Insert(toGroup(1, exact(3))), ErrNotFound)
	wantErr(t, "an action of its own", byA.Insert(set("set1", 1, 0, exact(3))), ErrInvalid)
	wantErr(t, "a member in a direct table", mustTable(t, sw, "I.t_meter").Insert(toMember(10, exact(3))), ErrInvalid)
	wantErr(t, "the same entry", byA.Insert(toMember(20, exact(1))), ErrExists)

	for _, c := range []struct {
		what     string
		op, a, b byte
		want     string
	}{
		{"member 10", 3, 1, 0, "1101"}, {"member 20", 3, 2, 0, "0023"}, {"miss", 3, 3, 0, "0000"},
		{"member 10 by action", 4, 0, 7, "11cc"}, {"miss by action", 4, 0, 8, "0000"},
	} {
		if got := outs(t, sw, c.op, c.a, uint16(c.b), 0); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}

	wantErr(t, "a member with entries", p.DeleteMember(10), ErrInUse)
	must(t, p.ModifyMember(10, "I.set2", param(0x33)))
	if got := outs(t, sw, 4, 0, 7, 0); got != "0033" {
		t.Errorf("the member with another action: %s", got)
	}
	must(t, byA.Modify(toMember(30, exact(1))))
	must(t, byB.Delete(again.Match, 5))
	must(t, p.DeleteMember(10))
	wantErr(t, "deleting it again", p.DeleteMember(10), ErrNotFound)
	e, err := byA.Lookup([]Match{exact(1)}, 0)
	if err != nil || e.Indirect != IndirectMember || e.Member != 30 || e.Action != "" {
		t.Errorf("entry %+v, %v", e, err)
	}
	want := []ProfileMember{{20, "I.set2", param(0x22)}, {30, "NoAction", nil}}
	if got := p.Members(); !reflect.DeepEqual(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	must(t, byA.SetDefaultIndirect(IndirectMember, 20))
	if got := outs(t, sw, 3, 77, 0, 0); got != "0022" {
		t.Errorf("default member: %s", got)
	}
	must(t, byA.Delete([]Match{exact(2)}, 0))
	wantErr(t, "the default entry's member", p.DeleteMember(20), ErrInUse)
	must(t, byA.ResetDefault())
	must(t, p.DeleteMember(20))
}

// crc16Bitwise is CRC-16/ARC as its definition has it.
func crc16Bitwise(b []byte) uint16 {
	var crc uint16
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			crc, v = crc>>1, byte(crc&1)
			if v == 1 {
				crc ^= 0xa001
			}
		}
	}
	return crc
}

func TestActionSelector(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/indirect.json") {
		t.Run(name, func(t *testing.T) { testActionSelector(t, sw) })
	}
}

func testActionSelector(t *testing.T, sw *Switch) {
	p, table := mustProfile(t, sw, "I.as"), mustTable(t, sw, "I.t_selector")
	// BMv2 counts members in the order in which they were made, whatever their ids are.
	for i, id := range []uint32{300, 100, 200} {
		must(t, p.AddMember(id, "I.set1", param(byte(0xb0+i))))
	}
	must(t, p.AddGroup(1, []GroupMember{{ID: 100, Weight: 1}, {ID: 200, Weight: 1}, {ID: 300, Weight: 1}}))
	must(t, p.AddGroup(2, nil))
	must(t, table.Insert(toGroup(1, lpm(8, 1))))
	must(t, table.Insert(toGroup(2, lpm(8, 2))))
	must(t, table.Insert(toMember(200, lpm(8, 3))))

	// o is invalid, and no input.
	chosen := func(b uint16, c uint32, of []byte) string {
		h := crc16Bitwise(unhex(t, fmt.Sprintf("%04x%08x", b, c)))
		return fmt.Sprintf("%02xaa", of[int(h)%len(of)])
	}
	all := []byte{0xb0, 0xb1, 0xb2}
	check := func(what string, of []byte) {
		t.Helper()
		for i := range 50 {
			b, c := uint16(31*i), uint32(i*i*7919)
			if got, want := outs(t, sw, 5, 1, b, c), chosen(b, c, of); got != want {
				t.Fatalf("%s: b %x, c %x: %s, want %s", what, b, c, got, want)
			}
		}
	}
	check("three members", all)
	if got := outs(t, sw, 5, 2, 1, 1); got != "00aa" {
		t.Errorf("empty group: %s", got)
	}
	if got := outs(t, sw, 5, 3, 1, 1); got != "b2aa" {
		t.Errorf("member: %s", got)
	}

	// Copies of a member have the next numbers.
	must(t, p.ModifyGroup(1, []GroupMember{{ID: 200, Weight: 2}, {ID: 300, Weight: 3}}))
	check("weights", []byte{0xb0, 0xb2, 0xb2, 0xb0, 0xb0})
	must(t, p.ModifyGroup(1, []GroupMember{{ID: 100, Weight: 1}, {ID: 200, Weight: 1}, {ID: 300, Weight: 1}}))
	check("weights of 1 again", all)

	must(t, p.ModifyGroup(1, []GroupMember{{ID: 100, Weight: 1, Watched: true, Watch: 7}, {ID: 200, Weight: 1, Watched: true, Watch: 8}, {ID: 300, Weight: 1}}))
	check("watched ports are up", all)
	sw.SetPortsDown(map[uint32]bool{7: true})
	check("port 7 is down", []byte{0xb0, 0xb2})
	must(t, p.ModifyGroup(1, []GroupMember{{ID: 100, Weight: 1, Watched: true, Watch: 7}, {ID: 200, Weight: 1, Watched: true, Watch: 8}}))
	check("a group made while it is down", []byte{0xb2})
	sw.SetPortsDown(map[uint32]bool{7: true, 8: true})
	if got := outs(t, sw, 5, 1, 1, 1); got != "00aa" {
		t.Errorf("all ports are down: %s", got)
	}
	if got := outs(t, sw, 5, 3, 1, 1); got != "b2aa" {
		t.Errorf("member without a group: %s", got)
	}
	sw.SetPortsDown(nil)
	check("ports are up again", []byte{0xb1, 0xb2})
	must(t, p.ModifyGroup(1, []GroupMember{{ID: 100, Weight: 1}, {ID: 200, Weight: 1}, {ID: 300, Weight: 1}}))

	wantErr(t, "member in a group", p.DeleteMember(100), ErrInUse)
	wantErr(t, "group with an entry", p.DeleteGroup(1), ErrInUse)
	wantErr(t, "member twice", p.ModifyGroup(1, []GroupMember{{ID: 100, Weight: 1}, {ID: 100, Weight: 2}}), ErrInvalid)
	wantErr(t, "weight 0", p.ModifyGroup(1, []GroupMember{{ID: 100, Weight: 0}}), ErrInvalid)
	wantErr(t, "unknown member", p.AddGroup(3, []GroupMember{{ID: 7, Weight: 1}}), ErrNotFound)
	wantErr(t, "enormous weight", p.AddGroup(3, []GroupMember{{ID: 100, Weight: 1 << 30}}), ErrFull)
	wantErr(t, "unknown group", p.ModifyGroup(3, nil), ErrNotFound)
	check("after refusals", all)
	if g, ok := p.Group(1); !ok || !reflect.DeepEqual(g.Members, []GroupMember{{ID: 100, Weight: 1}, {ID: 200, Weight: 1}, {ID: 300, Weight: 1}}) {
		t.Errorf("group %v, %v", g, ok)
	}

	must(t, p.ModifyGroup(1, []GroupMember{{ID: 200, Weight: 1}}))
	check("one member", []byte{0xb2})
	must(t, p.DeleteMember(300))
	must(t, p.AddMember(400, "I.set1", param(0xb9)))
	must(t, p.ModifyGroup(1, []GroupMember{{ID: 200, Weight: 1}, {ID: 400, Weight: 1}}))
	check("the number of a deleted member", []byte{0xb9, 0xb2})
	must(t, table.Delete([]Match{lpm(8, 1)}, 0))
	must(t, p.DeleteGroup(1))
	if got := p.Groups(); len(got) != 1 || got[0].ID != 2 {
		t.Errorf("groups %v", got)
	}
}

func TestValueSets(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/indirect.json") {
		t.Run(name, func(t *testing.T) { testValueSets(t, sw) })
	}
}

func testValueSets(t *testing.T, sw *Switch) {
	s, ok := sw.ValueSet("P.one")
	if !ok || s.Size() != 4 || !reflect.DeepEqual(s.Widths(), []int{16}) {
		t.Fatalf("value set %v", s)
	}
	parsed := func(op, a byte, b uint16) string { return outs(t, sw, op, a, b, 0)[:2] }
	if got := parsed(1, 0, 0x1234) + parsed(1, 0, 7); got != "0007" {
		t.Errorf("empty set: %s", got)
	}
	must(t, s.Set([][]Match{{exact(0x12, 0x34)}, {exact(7)}, {ternary([]byte{0x80, 0}, []byte{0xf0, 0})}}))
	if got := parsed(1, 0, 0x1234) + parsed(1, 0, 7) + parsed(1, 0, 0x8abc) + parsed(1, 0, 0x9abc); got != "01070100" {
		t.Errorf("three members: %s", got)
	}
	must(t, s.Set([][]Match{{{Kind: MatchRange, Value: []byte{2, 0}, High: []byte{3, 1}}}, {lpm(12, 0x45, 0x60)}}))
	if got := parsed(1, 0, 0x1234) + parsed(1, 0, 0x301) + parsed(1, 0, 0x302) + parsed(1, 0, 0x456f); got != "00010001" {
		t.Errorf("replaced: %s", got)
	}
	if got := s.Members(); len(got) != 2 || got[0][0].Kind != MatchRange || got[1][0].PrefixLen != 12 {
		t.Errorf("members %v", got)
	}
	wantErr(t, "too many", s.Set(make([][]Match, 5)), ErrFull)
	wantErr(t, "no parts", s.Set([][]Match{{}}), ErrInvalid)
	wantErr(t, "too wide", s.Set([][]Match{{exact(1, 0, 0)}}), ErrInvalid)
	if len(s.Members()) != 2 {
		t.Error("a refused write changed the set")
	}

	two, _ := sw.ValueSet("P.two")
	if !reflect.DeepEqual(two.Widths(), []int{8, 4}) {
		t.Errorf("widths %v", two.Widths())
	}
	must(t, two.Set([][]Match{{exact(0xff), exact(1)}, {{Kind: MatchOptional, Any: true}, exact(2)}}))
	if got := parsed(2, 0xff, 1) + parsed(2, 0xff, 3) + parsed(2, 0x33, 0x52) + parsed(2, 0x33, 1); got != "01070100" {
		t.Errorf("two parts: %s", got)
	}
}
