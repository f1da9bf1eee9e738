package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

var allOrNothing = []p4.WriteRequest_Atomicity{p4.WriteRequest_ROLLBACK_ON_ERROR, p4.WriteRequest_DATAPLANE_ATOMIC}

func (s *session) writeAs(a p4.WriteRequest_Atomicity, updates ...*p4.Update) error {
	_, err := s.Write(s.ctx(), &p4.WriteRequest{DeviceId: device, Role: s.role, ElectionId: s.id, Atomicity: a, Updates: updates})
	return err
}

// everything is all that can be read of a bench's program.
func (b *bench) everything() []*p4.Entity {
	b.t.Helper()
	all := &p4.TableEntry{CounterData: &p4.CounterData{}, MeterConfig: &p4.MeterConfig{}, MeterCounterData: &p4.MeterCounterData{}}
	return b.mustRead(
		tableEntity(all), tableEntity(with(all, func(e *p4.TableEntry) { e.IsDefaultAction = true })),
		b.of(&p4.ActionProfileMember{}), b.of(&p4.ActionProfileGroup{}), b.of(&p4.MeterEntry{CounterData: &p4.MeterCounterData{}}),
		b.of(&p4.ValueSetEntry{}), counterEntity(0, nil, nil), registerEntity(0, nil, nil), group(0), clone(0, 0), digestEntity(0, nil))
}

func (b *bench) unchanged(what string, before []*p4.Entity) {
	b.t.Helper()
	after := b.everything()
	for i := range max(len(before), len(after)) {
		if i >= len(before) || i >= len(after) || !proto.Equal(before[i], after[i]) {
			b.t.Fatalf("%s: %v\nbecame %v", what, before, after)
		}
	}
}

// A batch that fails in its last update leaves nothing of the others, whatever they were.
func TestRollbackOnError(t *testing.T) {
	gateway, bridge := newBenchOf(t, "gateway"), newBench(t)
	fwd, drop := gateway.act("forward", []byte{1}), gateway.act("drop")
	metered := func(e *p4.TableEntry) { e.MeterConfig = trickle(7) }
	dmac := func(e *p4.TableEntry) {
		e.CounterData, e.Metadata, e.IdleTimeoutNs = &p4.CounterData{PacketCount: 5}, []byte("m"), 1e18
	}
	learn := bridge.id("learn_t")
	at := &p4.Index{Index: 3}
	for _, c := range []struct {
		name           string
		b              *bench
		first, batch   []*p4.Update
		wrong, correct *p4.Update
	}{
		{"gateway", gateway, []*p4.Update{
			insert(gateway.member("next_hops", 1, fwd)), insert(tableEntity(gateway.entry("neighbours", 1, memberID(1)))),
			insert(tableEntity(gateway.route(oneShot(fwd, drop)))),
			insert(gateway.member("lag", 1, fwd)), insert(gateway.member("lag", 2, gateway.act("NoAction"))), insert(gateway.selection("lag", 4, 3, weighs(1, 3))),
			insert(tableEntity(with(gateway.entry("hosts", 9, gateway.act("police")), metered))),
			modify(gateway.meter("per_port", 1, trickle(3))),
		}, []*p4.Update{
			deleteOf(tableEntity(gateway.entry("neighbours", 1, nil))), deleteOf(gateway.member("next_hops", 1, nil)),
			insert(gateway.member("next_hops", 3, drop)), insert(tableEntity(gateway.entry("neighbours", 2, memberID(3)))),
			modify(tableEntity(gateway.route(oneShot(drop, fwd, fwd)))), deleteOf(tableEntity(gateway.route(nil))),
			insert(gateway.member("ecmp", 1, fwd)), insert(gateway.selection("ecmp", 2, 0, weighs(1, 2))),
			modify(gateway.selection("lag", 4, 3, weighs(2, 9))), modify(gateway.member("lag", 1, gateway.act("NoAction"))), deleteOf(gateway.selection("lag", 4, 0)),
			modify(tableEntity(gateway.entry("hosts", 9, gateway.act("ignore")))), modify(gateway.meter("per_port", 1, nil)),
			modify(tableEntity(&p4.TableEntry{TableId: gateway.id("hosts"), IsDefaultAction: true, Action: gateway.act("police"), MeterConfig: trickle(1)})),
			modify(gateway.valueSet("labelled", member(exact(1, 0x88, 0xb5)))),
			modify(tableEntity(gateway.entry("labels", 2, gateway.act("relabel", []byte{5})))), deleteOf(tableEntity(gateway.entry("labels", 1, nil))),
		}, insert(tableEntity(gateway.entry("neighbours", 7, memberID(9)))), insert(gateway.member("next_hops", 2, drop))},
		{"bridge", bridge, []*p4.Update{
			insert(tableEntity(with(bridge.dmac(1, bridge.act("forward", []byte{2})), dmac))), insert(group(1, replica(1, 1))),
			insert(clone(5, 0, replica(1, 3))), insert(digestEntity(learn, &p4.DigestEntry_Config{MaxListSize: 7})),
			modify(registerEntity(bridge.id("frames"), nil, []byte{9})), modify(counterEntity(bridge.id("rx"), nil, &p4.CounterData{PacketCount: 8})),
		}, []*p4.Update{
			modify(tableEntity(bridge.dmac(1, bridge.act("flood", []byte{1})))), insert(tableEntity(bridge.dmac(2, bridge.act("flood", []byte{1})))),
			deleteOf(tableEntity(bridge.dmac(1, nil))), modify(group(1)), deleteOf(group(1)), insert(group(2)),
			deleteOf(clone(5, 0)), insert(clone(6, 0)), deleteOf(digestEntity(learn, nil)),
			modify(registerEntity(bridge.id("frames"), at, []byte{1})), modify(registerEntity(bridge.id("frames"), nil, []byte{0})),
			modify(counterEntity(bridge.id("rx"), at, &p4.CounterData{})),
			modify(tableEntity(&p4.TableEntry{TableId: bridge.id("dmac"), IsDefaultAction: true, Action: bridge.act("flood", []byte{1}), Metadata: []byte("d")})),
		}, insert(group(0)), insert(group(3))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.b.primary()
			s.mustWrite(c.first...)
			before := c.b.everything()
			for _, a := range allOrNothing {
				d := details(t, s.writeAs(a, append(c.batch, c.wrong, c.correct)...))
				if len(d) != len(c.batch)+2 {
					t.Fatalf("%d details", len(d))
				}
				for i, e := range d {
					if got := codes.Code(e.GetCanonicalCode()); (got == codes.Aborted) != (i != len(c.batch)) || got == codes.OK {
						t.Errorf("%s: update %d: %v", a, i, e)
					}
				}
				c.b.unchanged(a.String(), before)
			}
			if err := s.writeAs(p4.WriteRequest_ROLLBACK_ON_ERROR, append(c.batch, c.correct)...); err != nil {
				t.Error(err)
			}
		})
	}
	s := bridge.open()
	s.arbitrate(device, "", election(2))
	s.told(codes.OK, election(2))
	if err := s.writeAs(7); status.Code(err) != codes.InvalidArgument {
		t.Errorf("atomicity 7: %v", err)
	}
}

// Every packet finds an entry that is deleted and inserted anew all the time.
func TestDataplaneAtomic(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	entry := func(port byte) *p4.Entity { return tableEntity(b.dmac(1, b.act("forward", []byte{port}))) }
	s.mustWrite(insert(entry(2)))
	const swaps, each = 100, 10
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range swaps * each {
			for b.sw.Inject(1, frame(1, 9, 0x800)) != nil { // the queue is full
			}
		}
	}()
	for i := range swaps {
		if err := s.writeAs(p4.WriteRequest_DATAPLANE_ATOMIC, deleteOf(entry(0)), insert(entry(byte(2+i%2)))); err != nil {
			t.Fatal(err)
		}
	}
	<-sent
	if err := b.sw.Settle(b.ctx()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.out); n != swaps*each {
		t.Errorf("%d of %d frames found the entry", n, swaps*each)
	}
}
