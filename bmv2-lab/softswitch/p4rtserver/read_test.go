package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What was written is read back as it was.
func TestReadWriteSymmetry(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	written := []*p4.Entity{
		tableEntity(with(b.dmac(1, b.act("forward", []byte{1, 0xff})), func(e *p4.TableEntry) {
			e.Metadata, e.IdleTimeoutNs = []byte("cookie"), 1234567
		})),
		tableEntity(b.acl(10, b.act("deny"), ternary(1, []byte{1}, []byte{0xff}), between(2, []byte{1}, []byte{2}), optional(3, 1))),
		tableEntity(b.acl(11, b.act("mirror"), between(2, []byte{0x10, 0}, []byte{0xff, 0xff}))),
		tableEntity(b.acl(12, b.act("NoAction"))),
		tableEntity(b.vendor(lpm(1, 24, 1, 2, 3, 0, 0, 0))),
		tableEntity(b.vendor()),
		group(7, replica(1, 1), replica(2, 2)),
		clone(9, 100, replica(0, 1, 0xfe)),
		digestEntity(b.id("learn_t"), &p4.DigestEntry_Config{MaxTimeoutNs: 5, MaxListSize: 6, AckTimeoutNs: 7}),
	}
	for _, e := range written {
		s.mustWrite(insert(e))
	}
	read := b.mustRead(
		tableEntity(&p4.TableEntry{}), group(0), clone(0, 0), digestEntity(0, nil),
	)
	for _, want := range written {
		found := false
		for _, got := range read {
			found = found || proto.Equal(got, want)
		}
		if !found {
			t.Errorf("not read back: %v", want)
		}
	}
	if len(read) != len(written)+1 { // and the constant entry
		t.Errorf("%d entities, want %d: %v", len(read), len(written)+1, read)
	}
	for _, e := range written {
		s.mustWrite(deleteOf(e))
	}
	if read = b.mustRead(tableEntity(&p4.TableEntry{}), group(0), clone(0, 0), digestEntity(0, nil)); len(read) != 1 {
		t.Errorf("left over: %v", read)
	}
}

// Byte strings may be longer than they need to be; the ones that come back are not.
func TestReadsAreCanonical(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	e := b.dmac(0, b.act("forward", []byte{0, 0, 0, 5}))
	e.Match = []*p4.FieldMatch{exact(1, 0, 0, 0, 0, 0, 0, 0, 1)}
	s.mustWrite(insert(tableEntity(e)))
	got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac")}))
	want := tableEntity(b.dmac(1, b.act("forward", []byte{5})))
	if len(got) != 1 || !proto.Equal(got[0], want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := s.code(insert(want)); got != codes.AlreadyExists {
		t.Errorf("the same entry in canonical form: %s", got)
	}
}

func TestReadFilters(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	dmac, acl := b.id("dmac"), b.id("acl")
	s.mustWrite(
		insert(tableEntity(b.dmac(1, b.act("forward", []byte{1})))),
		insert(tableEntity(with(b.dmac(2, b.act("forward", []byte{2})), func(e *p4.TableEntry) { e.Metadata = []byte("m") }))),
		insert(tableEntity(b.dmac(3, b.act("punt", []byte{2})))),
		insert(tableEntity(b.acl(10, b.act("deny"), optional(3, 1)))),
		insert(tableEntity(b.acl(20, b.act("deny"), optional(3, 1)))),
		insert(tableEntity(b.acl(20, b.act("deny"), optional(3, 2)))),
	)
	for _, c := range []struct {
		name   string
		filter *p4.TableEntry
		want   int
	}{
		{"all tables", &p4.TableEntry{}, 7},
		{"one table", &p4.TableEntry{TableId: dmac}, 3},
		{"match", b.dmac(2, nil), 1},
		{"match that is not there", b.dmac(9, nil), 0},
		{"action", &p4.TableEntry{TableId: dmac, Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{ActionId: b.id("forward")}}}}, 2},
		{"metadata", &p4.TableEntry{TableId: dmac, Metadata: []byte("m")}, 1},
		{"priority", &p4.TableEntry{TableId: acl, Priority: 20}, 2},
		{"match and priority", b.acl(20, nil, optional(3, 1)), 1},
		{"match of any priority", b.acl(0, nil, optional(3, 1)), 2},
		{"default", &p4.TableEntry{TableId: dmac, IsDefaultAction: true}, 1},
		{"all defaults", &p4.TableEntry{IsDefaultAction: true}, 4},
		{"constant entries", &p4.TableEntry{TableId: b.id("learning")}, 1},
	} {
		if got := b.mustRead(tableEntity(c.filter)); len(got) != c.want {
			t.Errorf("%s: %d entries, want %d: %v", c.name, len(got), c.want, got)
		}
	}
	fixed := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("learning")}))[0].GetTableEntry()
	if !fixed.GetIsConst() || fixed.GetAction().GetAction().GetActionId() != b.id("learn") {
		t.Errorf("constant entry: %v", fixed)
	}
	constant := b.mustRead(tableEntity(&p4.TableEntry{TableId: acl, IsDefaultAction: true}))[0].GetTableEntry()
	if !constant.GetIsConst() || !constant.GetIsDefaultAction() || constant.GetAction().GetAction().GetActionId() != b.id("NoAction") {
		t.Errorf("constant default: %v", constant)
	}
}

func TestReadErrors(t *testing.T) {
	b := newBench(t)
	if _, _, err := b.read(tableEntity(&p4.TableEntry{})); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("without a pipeline: %v", err)
	}
	s := b.primary()
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{1})))))
	// The good parts of a batch come before its status.
	got, _, err := b.read(
		tableEntity(&p4.TableEntry{TableId: b.id("dmac")}),
		&p4.Entity{},
		tableEntity(&p4.TableEntry{TableId: 5}),
		tableEntity(&p4.TableEntry{Priority: 1}),
		counterEntity(b.id("rx"), &p4.Index{Index: 99}, nil),
		&p4.Entity{Entity: &p4.Entity_ExternEntry{ExternEntry: &p4.ExternEntry{ExternTypeId: 0x81}}},
		counterEntity(b.id("rx"), &p4.Index{Index: 1}, nil),
	)
	if len(got) != 2 {
		t.Errorf("%d entities", len(got))
	}
	want := []codes.Code{codes.OK, codes.InvalidArgument, codes.NotFound, codes.InvalidArgument, codes.OutOfRange, codes.Unimplemented, codes.OK}
	d := details(t, err)
	for i := range want {
		if codes.Code(d[i].GetCanonicalCode()) != want[i] {
			t.Errorf("request %d: %v, want %s", i, d[i], want[i])
		}
	}
	r, err := b.Read(b.ctx(), &p4.ReadRequest{DeviceId: 99})
	if err == nil {
		_, err = r.Recv()
	}
	if status.Code(err) != codes.NotFound {
		t.Errorf("unknown device: %v", err)
	}
}

func TestCountersAndRegisters(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
	for range 5 {
		b.inject(1, frame(1, 9, 0x800))
		b.leaves(2, frame(1, 9, 0x800))
	}
	b.inject(1, frame(8, 9, 0x800)) // misses
	rx := func() *p4.CounterData {
		return b.mustRead(counterEntity(b.id("rx"), &p4.Index{Index: 1}, nil))[0].GetCounterEntry().GetData()
	}
	b.until("six frames are counted", func() bool { return rx().GetPacketCount() == 6 })
	if rx().GetByteCount() != 360 {
		t.Errorf("%v", rx())
	}
	if n := len(b.mustRead(counterEntity(b.id("rx"), nil, nil))); n != 16 {
		t.Errorf("%d cells", n)
	}
	if n := len(b.mustRead(counterEntity(0, nil, nil))); n != 16 {
		t.Errorf("%d cells of all counters", n)
	}

	// The direct counter, both ways.
	hit := b.mustRead(tableEntity(with(b.dmac(1, nil), func(e *p4.TableEntry) { e.CounterData = &p4.CounterData{} })))
	if d := hit[0].GetTableEntry().GetCounterData(); d.GetPacketCount() != 5 || d.GetByteCount() != 300 {
		t.Errorf("with the entry: %v", d)
	}
	directs := b.mustRead(&p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{TableEntry: b.dmac(1, nil)}}})
	if d := directs[0].GetDirectCounterEntry().GetData(); len(directs) != 1 || d.GetPacketCount() != 5 {
		t.Errorf("on its own: %v", directs)
	}
	missed := b.mustRead(&p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{
		TableEntry: &p4.TableEntry{TableId: b.id("dmac"), IsDefaultAction: true}}}})
	if d := missed[0].GetDirectCounterEntry().GetData(); d.GetPacketCount() != 1 {
		t.Errorf("of the default entry: %v", missed)
	}
	// MODIFY without an action keeps it, and the counter.
	s.mustWrite(modify(tableEntity(with(b.dmac(1, nil), func(e *p4.TableEntry) { e.Metadata = []byte("x") }))))
	hit = b.mustRead(tableEntity(with(b.dmac(1, nil), func(e *p4.TableEntry) { e.CounterData = &p4.CounterData{} })))
	if e := hit[0].GetTableEntry(); e.GetCounterData().GetPacketCount() != 5 || e.GetAction().GetAction().GetActionId() != b.id("forward") || string(e.GetMetadata()) != "x" {
		t.Errorf("after an empty modify: %v", e)
	}
	s.mustWrite(modify(tableEntity(with(b.dmac(1, nil), func(e *p4.TableEntry) { e.CounterData = &p4.CounterData{PacketCount: 100} }))))
	hit = b.mustRead(tableEntity(with(b.dmac(1, nil), func(e *p4.TableEntry) { e.CounterData = &p4.CounterData{} })))
	if d := hit[0].GetTableEntry().GetCounterData(); d.GetPacketCount() != 100 {
		t.Errorf("set counter: %v", d)
	}

	// Registers, unsigned and signed.
	cells := b.mustRead(registerEntity(b.id("frames"), nil, nil))
	if len(cells) != 8 || string(cells[1].GetRegisterEntry().GetData().GetBitstring()) != "\x06" {
		t.Errorf("%v", cells)
	}
	offset := b.mustRead(registerEntity(b.id("offsets"), &p4.Index{}, nil))
	if v := offset[0].GetRegisterEntry().GetData().GetBitstring(); string(v) != "\xfd" {
		t.Errorf("-3 was read as %x", v)
	}
	s.mustWrite(modify(registerEntity(b.id("offsets"), &p4.Index{Index: 2}, []byte{0xf8, 0x00})))
	offset = b.mustRead(registerEntity(b.id("offsets"), &p4.Index{Index: 2}, nil))
	if v := offset[0].GetRegisterEntry().GetData().GetBitstring(); string(v) != "\xf8\x00" {
		t.Errorf("-2048 was read as %x", v)
	}
}

func TestTimeSinceLastHit(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
	elapsed := func() int64 {
		got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac"), TimeSinceLastHit: &p4.TableEntry_IdleTimeout{}}))
		return got[0].GetTableEntry().GetTimeSinceLastHit().GetElapsedNs()
	}
	const wait = 20_000_000
	b.until("20 ms without a hit", func() bool { return elapsed() > wait })
	before := elapsed()
	b.inject(1, frame(1, 9, 0x800))
	b.leaves(2, frame(1, 9, 0x800))
	if after := elapsed(); after >= before {
		t.Errorf("%d ns since the last hit, and %d before it", after, before)
	}
}

// An answer that is larger than a message comes in several.
func TestReadsAreChunked(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	for i := byte(0); i < 8; i++ {
		s.mustWrite(insert(tableEntity(with(b.dmac(i, b.act("forward", []byte{1})), func(e *p4.TableEntry) { e.Metadata = make([]byte, 1<<20) }))))
	}
	got, messages, err := b.read(tableEntity(&p4.TableEntry{TableId: b.id("dmac")}))
	if err != nil || len(got) != 8 || messages != 8 {
		t.Errorf("%d entries in %d messages, %v", len(got), messages, err)
	}
}

// An entry that is not hit for its idle timeout is reported, again and again, and one that
// is hit is not.
func TestIdleTimeout(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(
		insert(tableEntity(with(b.dmac(1, b.act("forward", []byte{2})), func(e *p4.TableEntry) { e.IdleTimeoutNs, e.Metadata = 1, []byte("m") }))),
		insert(tableEntity(with(b.dmac(2, b.act("forward", []byte{2})), func(e *p4.TableEntry) { e.IdleTimeoutNs = 3600e9 }))),
		insert(tableEntity(b.dmac(3, b.act("forward", []byte{2})))),
	)
	want := with(b.dmac(1, nil), func(e *p4.TableEntry) { e.IdleTimeoutNs, e.Metadata = 1, []byte("m") })
	for range 2 {
		n := s.next("idle").GetIdleTimeoutNotification()
		if len(n.GetTableEntry()) != 1 || !proto.Equal(n.GetTableEntry()[0], want) || n.GetTimestamp() == 0 {
			t.Errorf("%v, want %v", n, want)
		}
	}
}
