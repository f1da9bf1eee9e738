package engine

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// stateFrame is the header of state.p4.
func stateFrame(op byte, index uint32, value uint64) string {
	return fmt.Sprintf("%02x%08x%016x", op, index, value)
}

func TestRegisters(t *testing.T) {
	sw := load(t, "testdata/state.json")
	const v = 0x1122334455667788
	steps := []struct {
		name      string
		in        string
		wantValue uint64
	}{
		{"600 bits, write", stateFrame(1, 2, v), v},
		{"600 bits, read", stateFrame(2, 2, 0), v ^ 0x77},
		{"600 bits, other cell", stateFrame(2, 1, 9), 0},
		{"600 bits, outside", stateFrame(2, 4, 9), 0},
		{"128 bits, write", stateFrame(3, 3, v), v},
		{"128 bits, read the middle", stateFrame(4, 3, 0), 0x55667788eeddccbb},
		{"8 bits, add", stateFrame(5, 0, 200), 200},
		{"8 bits, overflow", stateFrame(5, 0, 100), 44},
		{"8 bits, outside", stateFrame(5, 1<<31, 7), 7},
	}
	for _, s := range steps {
		want := "1:" + s.in[:10] + fmt.Sprintf("%016x", s.wantValue)
		if got := one(t, sw, s.in); got != want {
			t.Errorf("%s:\n got %s\nwant %s", s.name, got, want)
		}
	}
	r, _ := sw.Register("I.r600")
	if b, err := r.Read(2); err != nil || len(b) != (250+61+7)/8 || b[len(b)-1] != 0x77 {
		t.Errorf("control read: %x, %v", b, err)
	}
	if _, err := r.Read(4); !errors.Is(err, ErrNotFound) {
		t.Errorf("read outside: %v", err)
	}
	r8, _ := sw.Register("I.r8")
	if err := r8.Write(1, []byte{0, 0x21}); err != nil {
		t.Error(err)
	}
	if err := r8.Write(1, []byte{1, 0x21}); !errors.Is(err, ErrInvalid) {
		t.Errorf("value too wide: %v", err)
	}
	if got := one(t, sw, stateFrame(5, 1, 1)); !strings.HasSuffix(got, "22") {
		t.Errorf("after a control write: %s", got)
	}
	if err := r8.Fill([]byte{3}); err != nil {
		t.Error(err)
	}
	if b, _ := r8.Read(3); !bytes.Equal(b, []byte{3}) {
		t.Errorf("after Fill: %x", b)
	}
}

func TestCounters(t *testing.T) {
	sw := load(t, "testdata/state.json")
	for range 3 {
		one(t, sw, stateFrame(6, 1, 0)+"0000")
	}
	one(t, sw, stateFrame(6, 9, 0))
	c, ok := sw.Counter("I.c")
	if !ok {
		t.Fatal("no counter")
	}
	all := make([]CounterData, 8)
	if n := c.ReadRange(0, all); n != 4 || all[1] != (CounterData{3, 45}) || all[0] != (CounterData{}) {
		t.Errorf("%d cells: %+v", n, all)
	}
	if err := c.Write(2, CounterData{5, 6}); err != nil {
		t.Error(err)
	}
	if d, err := c.Read(2); err != nil || d != (CounterData{5, 6}) {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := c.Read(4); !errors.Is(err, ErrNotFound) {
		t.Errorf("read outside: %v", err)
	}
}

func TestHashes(t *testing.T) {
	sw := load(t, "testdata/state.json")
	check := []byte("123456789") // the customary check input
	value, index := uint64(0), uint32(check[8])
	for _, b := range check[:8] {
		value = value<<8 | uint64(b)
	}
	for name, c := range map[string]struct {
		op   byte
		want uint64
	}{
		"crc32":                          {8, uint64(crc32.ChecksumIEEE(check))},
		"crc16 (ARC)":                    {9, 0xbb3d},
		"identity, base 5, max 1000":     {10, value%1000 + 5},
		"xor16 without the invalid part": {11, 0x3132 ^ 0x3334 ^ 0x3536 ^ 0x3738},
	} {
		want := fmt.Sprintf("%016x", c.want)
		if got := one(t, sw, stateFrame(c.op, index, value)); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if crc32.ChecksumIEEE(check) != 0xcbf43926 {
		t.Error("the check value of CRC-32 is wrong")
	}
	if got := crcCCITT(check); got != 0x29b1 {
		t.Errorf("CRC-16/CCITT-FALSE: %x", got)
	}
	long := bytes.Repeat(check, 7)
	tables := crc16Tables()
	var crc uint16
	for _, b := range long {
		crc = crc>>8 ^ tables[0][byte(crc)^b]
	}
	if got := crc16(tables, long); got != crc {
		t.Errorf("crc16 of 63 bytes: %04x, want %04x", got, crc)
	}
}

func TestChecksums(t *testing.T) {
	sw := load(t, "testdata/state.json")
	// ~(1234 + 5678 + 0000) = 9753
	good, bad := "1234 5678 9753 0000", "1234 5678 9754 0000"
	for name, c := range map[string]struct{ in, want string }{
		"right, updated":           {stateFrame(20, 0, 9) + good, stateFrame(20, 0, 0) + good},
		"wrong, updated":           {stateFrame(20, 0, 9) + bad, stateFrame(20, 0, 1) + good},
		"wrong, condition not met": {stateFrame(22, 0, 9) + bad, stateFrame(22, 0, 1) + bad},
		"with payload":             {stateFrame(21, 0, 9) + bad + "0001 02", stateFrame(21, 0, 1) + "1234 5678 9552 0000 0001 02"},
	} {
		if got, want := one(t, sw, c.in), "1:"+strings.ReplaceAll(c.want, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	for _, b := range [][]byte{{}, {1}, {0xff, 0xff}, bytes.Repeat([]byte{0xff, 0xfe, 3}, 21)} {
		var sum uint64
		for i, v := range b {
			sum += uint64(v) << (8 * (1 - i%2))
		}
		for sum > 0xffff {
			sum = sum>>16 + sum&0xffff
		}
		if got := checksum16(b); got != ^sum&0xffff {
			t.Errorf("checksum of %x: %04x, want %04x", b, got, ^sum&0xffff)
		}
	}
}

func TestDigest(t *testing.T) {
	sw := load(t, "testdata/state.json")
	var out recorder
	sw.Process(1, 1, unhex(t, stateFrame(7, 0, 0x1234)), &out)
	if len(out.digests) != 1 || len(out.frames) != 1 {
		t.Fatalf("%d digests, %d frames", len(out.digests), len(out.frames))
	}
	d := out.digests[0]
	want := [][]byte{{7}, {4}, {1, 0, 0, 0, 0, 0, 0, 0, 0}, {0x12, 0x34}}
	if d.Name != "report_t" || fmt.Sprint(d.Values) != fmt.Sprint(want) {
		t.Errorf("digest %s: %v, want %v", d.Name, d.Values, want)
	}
	fields, ok := sw.DigestFields("report_t")
	if !ok || len(fields) != 4 || fields[1].Width != 3 {
		t.Errorf("fields %+v", fields)
	}
}

func TestTargetPrimitives(t *testing.T) {
	sw := load(t, "testdata/state.json")
	var logged []string
	sw.opt.Log = func(s string) { logged = append(logged, s) }
	if got := one(t, sw, stateFrame(12, 0, 0)); got != "" {
		t.Errorf("dropped and exited, but %s came out", got)
	}
	one(t, sw, stateFrame(13, 0, 99))
	if fmt.Sprint(logged) != "[op 13 value 99]" {
		t.Errorf("logged %q", logged)
	}
	seen := map[string]bool{}
	for range 100 {
		got := one(t, sw, stateFrame(14, 0, 0))
		seen[got[len(got)-2:]] = true
	}
	if len(seen) != 3 || !seen["0a"] || !seen["0b"] || !seen["0c"] {
		t.Errorf("random from 10 to 12 gave %v", seen)
	}
	for in, want := range map[uint64]uint64{9: 5, 5: 0xffffffffffffffff, 1: 0xffffffffffffffff, 0: 0xfffffffffffffffe} {
		if got := one(t, sw, stateFrame(15, 0, in)); !strings.HasSuffix(got, fmt.Sprintf("%016x", want)) {
			t.Errorf("jumps and saturation of %d: %s, want %016x", in, got, want)
		}
	}
	if got := one(t, sw, stateFrame(16, 0, 0)+"aabb"); got != "1:1000000000" {
		t.Errorf("truncated to 5 bytes: %s", got)
	}
	if got := one(t, sw, stateFrame(17, 0, 0)+"aabb"); !strings.HasSuffix(got, "0faabb") {
		t.Errorf("packet length: %s", got)
	}
}

// repFrame is the header of replicate.p4.
func repFrame(op, passes, instance byte, rid uint16, kept byte, length uint32) string {
	return fmt.Sprintf("%02x%02x%02x%04x%02x%08x", op, passes, instance, rid, kept, length)
}

func TestReplication(t *testing.T) {
	sw := load(t, "testdata/replicate.json")
	if err := sw.SetMulticast(7, []Replica{{Port: 2, Instance: 100}, {Port: 4, Instance: 101}, {Port: 2, Instance: 102}}); err != nil {
		t.Fatal(err)
	}
	if err := sw.SetCloneSession(5, CloneSession{Replicas: []Replica{{Port: 6, Instance: 9}}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ in, want string }{
		"unicast":     {repFrame(0, 0, 0, 0, 0, 0), "1:" + repFrame(0, 0, 0, 0, 0, 10)},
		"multicast":   {repFrame(1, 0, 0, 0, 0, 0), "2:" + repFrame(1, 0, 5, 100, 0, 10) + " 4:" + repFrame(1, 0, 5, 101, 0, 10) + " 2:" + repFrame(1, 0, 5, 102, 0, 10)},
		"clone I2E":   {repFrame(2, 1, 0, 0, 0, 0), "6:" + repFrame(2, 1, 1, 9, 0x55, 10) + " 1:" + repFrame(2, 9, 0, 0, 0x77, 10)},
		"clone E2E":   {repFrame(4, 1, 0, 0, 0, 0), "1:" + repFrame(4, 1, 0, 0, 0, 10) + " 6:" + repFrame(4, 1, 2, 9, 0x33, 10)},
		"resubmit":    {repFrame(3, 1, 0, 0, 0, 0), "1:" + repFrame(3, 1, 0, 0, 0x44, 10)},
		"recirculate": {repFrame(5, 0, 0, 0, 0, 0), "1:" + repFrame(5, 3, 0, 0, 3, 10)},
		"add_header":  {repFrame(6, 0, 0, 0, 0, 0), "1:" + repFrame(0xad, 0, 0, 0, 0, 0) + repFrame(6, 0, 0, 0, 0, 20)},
		"drop":        {repFrame(7, 0, 0, 0, 0, 0), ""},
		"egress drop": {repFrame(8, 0, 0, 0, 0, 0), ""},
	} {
		if got := one(t, sw, c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
	if got := one(t, sw, repFrame(9, 0, 0, 0, 0, 0)); got != "" || sw.Stats().PassLimit != 1 {
		t.Errorf("a frame that recirculates for ever: %q, %+v", got, sw.Stats())
	}
}

// Backups stand in for a replica whose port is down.
func TestBackupReplicas(t *testing.T) {
	sw := load(t, "testdata/replicate.json")
	backed := []Replica{{Port: 2, Instance: 1, Backups: []Replica{{Port: 3, Instance: 2}, {Port: 4, Instance: 3}}}, {Port: 5, Instance: 4}}
	if err := sw.SetMulticast(7, backed); err != nil {
		t.Fatal(err)
	}
	if err := sw.SetCloneSession(5, CloneSession{Replicas: backed[:1]}); err != nil {
		t.Fatal(err)
	}
	backed[0].Backups[0].Port = 9 // the caller's memory is not kept
	out := func(port, instance int) string {
		return fmt.Sprintf("%d:%s 5:%s", port, repFrame(1, 0, 5, uint16(instance), 0, 10), repFrame(1, 0, 5, 4, 0, 10))
	}
	for _, c := range []struct {
		down []uint32
		want string
	}{
		{nil, out(2, 1)}, {[]uint32{3, 4}, out(2, 1)}, {[]uint32{2}, out(3, 2)}, {[]uint32{2, 3}, out(4, 3)},
		{[]uint32{2, 4}, out(3, 2)}, {[]uint32{5}, out(2, 1)}, {[]uint32{2, 3, 4, 5}, out(2, 1)}, {[]uint32{7}, out(2, 1)},
	} {
		down := map[uint32]bool{}
		for _, port := range c.down {
			down[port] = true
		}
		sw.SetPortsDown(down)
		if got := one(t, sw, repFrame(1, 0, 0, 0, 0, 0)); got != c.want {
			t.Errorf("ports %v down:\n got %s\nwant %s", c.down, got, c.want)
		}
	}
	sw.SetPortsDown(map[uint32]bool{2: true})
	if got := one(t, sw, repFrame(2, 1, 0, 0, 0, 0)); !strings.HasPrefix(got, "3:") {
		t.Errorf("the clone is %s", got)
	}
	if got, _ := sw.Multicast(7); len(got) != 2 || len(got[0].Backups) != 2 || got[0].Backups[0].Port != 3 {
		t.Errorf("group %v", got)
	}
}

func TestReplicationControl(t *testing.T) {
	sw := load(t, "testdata/replicate.json")
	if err := sw.SetMulticast(0, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("group 0: %v", err)
	}
	if err := sw.DeleteMulticast(3); !errors.Is(err, ErrNotFound) {
		t.Errorf("delete a missing group: %v", err)
	}
	if err := sw.SetCloneSession(1<<15, CloneSession{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("session 32768: %v", err)
	}
	for _, g := range []uint16{9, 3} {
		if err := sw.SetMulticast(g, []Replica{{Port: 1, Instance: g}}); err != nil {
			t.Fatal(err)
		}
	}
	if r, ok := sw.Multicast(9); !ok || len(r) != 1 || r[0].Instance != 9 {
		t.Errorf("group 9: %v", r)
	}
	if got := fmt.Sprint(sw.MulticastGroups()); got != "[3 9]" {
		t.Errorf("groups %s", got)
	}
	if err := sw.DeleteMulticast(3); err != nil {
		t.Error(err)
	}
	if _, ok := sw.Multicast(3); ok {
		t.Error("group 3 is still there")
	}
	if got := one(t, sw, repFrame(1, 0, 0, 0, 0, 0)); got != "" {
		t.Errorf("a group that does not exist sent %s", got)
	}
	if err := sw.SetCloneSession(4, CloneSession{Replicas: []Replica{{Port: 1, Instance: 2}}, Truncate: 3}); err != nil {
		t.Fatal(err)
	}
	if c, ok := sw.CloneSession(4); !ok || c.Truncate != 3 || fmt.Sprint(sw.CloneSessions()) != "[4]" {
		t.Errorf("session 4: %+v", c)
	}
	if err := sw.DeleteCloneSession(4); err != nil {
		t.Error(err)
	}
}
