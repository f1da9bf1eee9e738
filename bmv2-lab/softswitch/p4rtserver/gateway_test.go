package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Entries that the program brings along are there from the start, and the client's to change.
func TestInitialEntries(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	relabel := func(v byte) *p4.TableAction { return b.act("relabel", []byte{v}) }
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"insert", insert(tableEntity(b.entry("labels", 2, relabel(1)))), codes.AlreadyExists},
		{"modify", modify(tableEntity(b.entry("labels", 2, relabel(7)))), codes.OK},
		{"insert a new one", insert(tableEntity(b.entry("labels", 3, relabel(3)))), codes.OK},
		{"delete what is not there", deleteOf(tableEntity(b.entry("labels", 4, nil))), codes.NotFound},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("labels")}))
	want := map[byte]*p4.TableEntry{1: b.entry("labels", 1, relabel(11)), 2: b.entry("labels", 2, relabel(7)), 3: b.entry("labels", 3, relabel(3))}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for _, e := range got {
		if w := want[e.GetTableEntry().GetMatch()[0].GetExact().GetValue()[0]]; !proto.Equal(e.GetTableEntry(), w) {
			t.Errorf("%v, want %v", e, w)
		}
	}
	s.mustWrite(deleteOf(tableEntity(b.entry("labels", 2, nil))))
	if n := len(b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("labels")}))); n != 2 {
		t.Errorf("%d entries after one was deleted", n)
	}
}

// All of it is still there when the program is replaced by one that has a place for it.
func TestReconcileGateway(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	fwd := b.act("forward", []byte{1})
	s.mustWrite(
		insert(b.member("next_hops", 1, fwd)), insert(tableEntity(b.entry("neighbours", 1, memberID(1)))),
		insert(tableEntity(b.route(oneShot(fwd, b.act("drop"))))),
		insert(b.member("lag", 1, fwd)), insert(b.selection("lag", 4, 2, weighs(1, 3))),
		insert(tableEntity(&p4.TableEntry{TableId: b.id("links"), Priority: 1, Action: groupID(4)})),
		insert(tableEntity(with(b.entry("hosts", 9, b.act("police")), func(e *p4.TableEntry) { e.MeterConfig = trickle(7) }))),
		modify(b.meter("per_port", 1, trickle(3))),
		modify(b.valueSet("labelled", member(exact(1, 0x88, 0xb5)))),
		modify(tableEntity(b.entry("labels", 2, b.act("relabel", []byte{5})))),
		deleteOf(tableEntity(b.entry("labels", 1, nil))),
	)
	state := []*p4.Entity{
		tableEntity(&p4.TableEntry{CounterData: &p4.CounterData{}, MeterConfig: &p4.MeterConfig{}}), b.of(&p4.ActionProfileMember{}),
		b.of(&p4.ActionProfileGroup{}), b.of(&p4.MeterEntry{}), b.of(&p4.ValueSetEntry{}),
	}
	before := b.mustRead(state...)
	if err := s.set(reconcile, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = append(c.P4DeviceConfig, '\n') })); err != nil {
		t.Fatal(err)
	}
	after := b.mustRead(state...)
	if len(after) != len(before) {
		t.Fatalf("%d entities, before %d", len(after), len(before))
	}
	for i := range before {
		if !proto.Equal(before[i], after[i]) {
			t.Errorf("%v became %v", before[i], after[i])
		}
	}
	s.mustWrite(deleteOf(tableEntity(b.route(nil))), insert(b.member("ecmp", 1, fwd)))
}
