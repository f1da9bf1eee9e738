package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func (b *bench) meter(name string, i int64, c *p4.MeterConfig) *p4.Entity {
	return b.of(&p4.MeterEntry{MeterId: b.id(name), Index: &p4.Index{Index: i}, Config: c})
}

func (b *bench) direct(e *p4.TableEntry, c *p4.MeterConfig) *p4.Entity {
	return b.of(&p4.DirectMeterEntry{TableEntry: e, Config: c})
}

// trickle lets so few packets through that a test sees none but the first ones.
func trickle(first int64) *p4.MeterConfig {
	return &p4.MeterConfig{Cburst: first, Pburst: first}
}

func TestMetersMeter(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	f := frame(5, 9, 0x800)
	// passed sends frames behind each other and says how many of them leave.
	passed := func(n int) int {
		for range n {
			b.inject(1, f)
		}
		b.inject(2, frame(6, 6, 0x800)) // another cell and another host
		for got := 0; ; got++ {
			if b.leaving().frame[5] == 6 {
				return got
			}
		}
	}
	if n := passed(5); n != 5 {
		t.Errorf("meters that are not configured let %d of 5 through", n)
	}
	s.mustWrite(modify(b.meter("per_port", 1, trickle(3))))
	if n := passed(5); n != 3 {
		t.Errorf("%d frames passed, the burst is 3", n)
	}
	s.mustWrite(modify(b.meter("per_port", 1, nil)))
	if n := passed(5); n != 5 {
		t.Errorf("%d of 5 frames passed a meter that was reset", n)
	}
	host := b.entry("hosts", 9, b.act("police"))
	host.MeterConfig = trickle(2)
	s.mustWrite(insert(tableEntity(host)))
	if n := passed(5); n != 2 {
		t.Errorf("%d frames passed, the host's burst is 2", n)
	}
	s.mustWrite(modify(b.direct(host, trickle(4))))
	if n := passed(5); n != 4 {
		t.Errorf("%d frames passed, the host's burst is 4", n)
	}
	host.MeterConfig = nil // MODIFY without a configuration resets it
	s.mustWrite(modify(tableEntity(host)))
	if n := passed(5); n != 5 {
		t.Errorf("%d of 5 frames passed", n)
	}
}

func TestMetersAreReadAsWritten(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	full := &p4.MeterConfig{Cir: 1, Cburst: 2, Pir: 3, Pburst: 4}
	one := &p4.MeterConfig{Cir: 5, Cburst: 6, Pir: 5, Pburst: 6}
	host := b.entry("hosts", 9, b.act("police"))
	s.mustWrite(
		modify(b.meter("per_port", 2, full)),
		modify(b.of(&p4.MeterEntry{MeterId: b.id("total"), Config: one})), // all cells
		insert(tableEntity(with(host, func(e *p4.TableEntry) { e.MeterConfig = full }))),
		insert(tableEntity(b.entry("hosts", 10, b.act("ignore")))),
	)
	key := func(e byte) *p4.TableEntry { return b.entry("hosts", e, nil) }
	for _, c := range []struct {
		name string
		e    *p4.Entity
		want []*p4.Entity
	}{
		{"all meters", b.of(&p4.MeterEntry{}), []*p4.Entity{
			b.meter("per_port", 0, nil), b.meter("per_port", 1, nil), b.meter("per_port", 2, full), b.meter("per_port", 3, nil),
			b.meter("total", 0, one), b.meter("total", 1, one)}},
		{"a meter", b.of(&p4.MeterEntry{MeterId: b.id("total")}), []*p4.Entity{b.meter("total", 0, one), b.meter("total", 1, one)}},
		{"a cell", b.meter("per_port", 2, nil), []*p4.Entity{b.meter("per_port", 2, full)}},
		{"with its entry", tableEntity(with(key(9), func(e *p4.TableEntry) { e.MeterConfig = &p4.MeterConfig{} })),
			[]*p4.Entity{tableEntity(with(host, func(e *p4.TableEntry) { e.MeterConfig = full }))}},
		{"an entry without its meter", tableEntity(key(9)), []*p4.Entity{tableEntity(host)}},
		{"an entry with the default", tableEntity(with(key(10), func(e *p4.TableEntry) { e.MeterConfig = &p4.MeterConfig{} })),
			[]*p4.Entity{tableEntity(b.entry("hosts", 10, b.act("ignore")))}},
		{"on its own", b.direct(key(9), nil), []*p4.Entity{b.direct(key(9), full)}},
		{"of the default entry", b.direct(&p4.TableEntry{TableId: b.id("hosts"), IsDefaultAction: true}, nil),
			[]*p4.Entity{b.direct(&p4.TableEntry{TableId: b.id("hosts"), IsDefaultAction: true}, nil)}},
	} {
		got := b.mustRead(c.e)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", c.name, got)
			continue
		}
		for i := range got {
			if !proto.Equal(got[i], c.want[i]) {
				t.Errorf("%s: %v, want %v", c.name, got[i], c.want[i])
			}
		}
	}
	for _, e := range []*p4.Entity{b.of(&p4.DirectMeterEntry{}), b.direct(&p4.TableEntry{TableId: b.id("hosts")}, nil)} {
		if got := b.mustRead(e); len(got) != 2 {
			t.Errorf("all direct meters: %v", got)
		}
	}
}

func TestMeterErrors(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	host := b.entry("hosts", 9, b.act("police"))
	s.mustWrite(insert(tableEntity(host)))
	counters := func(e *p4.TableEntry) { e.MeterCounterData = &p4.MeterCounterData{} }
	label := b.entry("labels", 9, b.act("relabel", []byte{1}))
	def := &p4.TableEntry{TableId: b.id("hosts"), IsDefaultAction: true}
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"insert", insert(b.meter("per_port", 0, nil)), codes.InvalidArgument},
		{"delete", deleteOf(b.meter("per_port", 0, nil)), codes.InvalidArgument},
		{"behind the end", modify(b.meter("per_port", 4, nil)), codes.OutOfRange},
		{"negative index", modify(b.meter("per_port", -1, nil)), codes.InvalidArgument},
		{"id 0", modify(b.of(&p4.MeterEntry{})), codes.InvalidArgument},
		{"unknown", modify(b.of(&p4.MeterEntry{MeterId: 1})), codes.NotFound},
		{"negative rate", modify(b.meter("per_port", 0, &p4.MeterConfig{Cir: -1})), codes.InvalidArgument},
		{"peak below committed rate", modify(b.meter("per_port", 0, &p4.MeterConfig{Cir: 2, Pir: 1})), codes.InvalidArgument},
		{"excess burst", modify(b.meter("per_port", 0, &p4.MeterConfig{Eburst: 1})), codes.InvalidArgument},
		{"counters that are not 0", modify(b.of(&p4.MeterEntry{MeterId: b.id("per_port"), CounterData: marked(0, 1, 0)})), codes.InvalidArgument},
		{"insert direct", insert(b.direct(host, nil)), codes.InvalidArgument},
		{"direct of no entry", modify(b.direct(b.entry("hosts", 1, nil), trickle(1))), codes.NotFound},
		{"direct of no table", modify(b.direct(nil, trickle(1))), codes.InvalidArgument},
		{"direct of a table without", modify(b.direct(label, trickle(1))), codes.InvalidArgument},
		{"excess burst of two rates", modify(b.direct(def, &p4.MeterConfig{Eburst: 1})), codes.InvalidArgument},
		{"default entry's peak below committed rate", modify(tableEntity(with(def, func(e *p4.TableEntry) { e.MeterConfig = &p4.MeterConfig{Cir: 2} }))), codes.InvalidArgument},
		{"direct with counters that are not 0", modify(b.of(&p4.DirectMeterEntry{TableEntry: host, CounterData: marked(1, 0, 0)})), codes.InvalidArgument},
		{"entry with counters that are not 0", modify(tableEntity(with(host, func(e *p4.TableEntry) { e.MeterCounterData = marked(0, 0, 1) }))), codes.InvalidArgument},
		{"entry of a table without", insert(tableEntity(with(label, func(e *p4.TableEntry) { e.MeterConfig = trickle(1) }))), codes.InvalidArgument},
		{"counters of a table without", insert(tableEntity(with(label, counters))), codes.InvalidArgument},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	requests := []*p4.Entity{
		b.direct(b.entry("hosts", 1, nil), nil), b.direct(label, nil), b.meter("per_port", 4, nil),
	}
	want := []codes.Code{codes.NotFound, codes.InvalidArgument, codes.OutOfRange}
	_, _, err := b.read(requests...)
	for i, d := range details(t, err) {
		if codes.Code(d.GetCanonicalCode()) != want[i] {
			t.Errorf("read %d: %v, want %s", i, d, want[i])
		}
	}
}
