package p4rtserver_test

import (
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/proto"
)

// marked is what a meter has marked, in frames of 60 bytes.
func marked(green, yellow, red int64) *p4.MeterCounterData {
	of := func(n int64) *p4.CounterData { return &p4.CounterData{PacketCount: n, ByteCount: 60 * n} }
	return &p4.MeterCounterData{Green: of(green), Yellow: of(yellow), Red: of(red)}
}

// through sends frames of a host in at port 1 and waits until they have left or were dropped.
func (b *bench) through(host byte, n int) (passed int) {
	b.t.Helper()
	for range n {
		b.inject(1, frame(5, host, 0x800))
	}
	b.inject(2, frame(6, 99, 0x800))
	for ; ; passed++ {
		if b.leaving().frame[5] == 6 {
			return passed
		}
	}
}

func TestMetersCountColours(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	cell := func(c *p4.MeterCounterData) *p4.Entity {
		e := b.meter("per_port", 1, nil)
		e.GetMeterEntry().CounterData = c
		return e
	}
	check := func(what string, want *p4.MeterCounterData) {
		t.Helper()
		got := b.mustRead(cell(&p4.MeterCounterData{}))
		if len(got) != 1 || !proto.Equal(got[0].GetMeterEntry().GetCounterData(), want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	b.through(9, 2)
	check("a meter without configuration", marked(2, 0, 0))
	s.mustWrite(modify(b.meter("per_port", 1, &p4.MeterConfig{Cburst: 1, Pburst: 3})))
	b.through(9, 5)
	check("three colours", marked(3, 2, 2))
	if got := b.mustRead(cell(nil)); got[0].GetMeterEntry().CounterData != nil {
		t.Errorf("nobody asked for %v", got)
	}
	s.mustWrite(modify(cell(&p4.MeterCounterData{Green: &p4.CounterData{}})))
	check("cleared", marked(0, 0, 0))
}

func TestDirectMetersCountColours(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	host := b.entry("hosts", 9, b.act("police"))
	host.MeterConfig, host.MeterCounterData = &p4.MeterConfig{Cburst: 1, Pburst: 2}, &p4.MeterCounterData{}
	s.mustWrite(insert(tableEntity(host)))
	b.through(9, 4)
	key := b.entry("hosts", 9, nil)
	for _, c := range []struct{ name string }{{"read"}, {"read again"}} {
		got := b.mustRead(
			b.of(&p4.DirectMeterEntry{TableEntry: key, CounterData: &p4.MeterCounterData{}}),
			tableEntity(with(key, func(e *p4.TableEntry) { e.MeterCounterData = &p4.MeterCounterData{} })))
		if len(got) != 2 || !proto.Equal(got[0].GetDirectMeterEntry().GetCounterData(), marked(1, 1, 2)) ||
			!proto.Equal(got[1].GetTableEntry().GetMeterCounterData(), marked(1, 1, 2)) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	// They stay when a program with a place for them takes over, and when the entry is modified.
	host.MeterCounterData = nil
	s.mustWrite(modify(tableEntity(host)))
	if err := s.set(reconcile, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = append(c.P4DeviceConfig, '\n') })); err != nil {
		t.Fatal(err)
	}
	all := b.of(&p4.DirectMeterEntry{TableEntry: &p4.TableEntry{TableId: b.id("hosts")}, CounterData: &p4.MeterCounterData{}})
	if got := b.mustRead(all); len(got) != 1 || !proto.Equal(got[0].GetDirectMeterEntry().GetCounterData(), marked(1, 1, 2)) {
		t.Errorf("carried over: %v", got)
	}
	s.mustWrite(modify(b.of(&p4.DirectMeterEntry{TableEntry: key, CounterData: &p4.MeterCounterData{}})))
	if got := b.mustRead(all); !proto.Equal(got[0].GetDirectMeterEntry().GetCounterData(), marked(0, 0, 0)) || got[0].GetDirectMeterEntry().Config != nil {
		t.Errorf("cleared: %v", got)
	}
}

// The default entry has a meter like any other, which marks misses once it is configured.
func TestDefaultEntrysMeter(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	def := &p4.TableEntry{TableId: b.id("hosts"), IsDefaultAction: true, Action: b.act("police"),
		MeterConfig: &p4.MeterConfig{Cburst: 1, Pburst: 2}}
	s.mustWrite(modify(tableEntity(def)), insert(tableEntity(b.entry("hosts", 99, b.act("ignore")))))
	if n := b.through(9, 5); n != 2 {
		t.Errorf("%d frames passed", n)
	}
	read := tableEntity(&p4.TableEntry{TableId: b.id("hosts"), IsDefaultAction: true, MeterConfig: &p4.MeterConfig{}, MeterCounterData: &p4.MeterCounterData{}})
	def.MeterCounterData = marked(1, 1, 3)
	if got := b.mustRead(read); len(got) != 1 || !proto.Equal(got[0].GetTableEntry(), def) {
		t.Errorf("read %v, want %v", got, def)
	}
	s.mustWrite(modify(b.direct(&p4.TableEntry{TableId: b.id("hosts"), IsDefaultAction: true}, nil)))
	if n := b.through(9, 5); n != 5 {
		t.Errorf("%d of 5 frames passed a meter that was reset", n)
	}
}

// An excess burst is what a meter of one rate and three colours has in place of a peak rate.
func TestExcessBurst(t *testing.T) {
	b := newBenchOf(t, "gateway")
	for _, m := range b.info.GetMeters() {
		if m.GetPreamble().GetId() == b.id("per_port") {
			m.Spec.Type = p4config.MeterSpec_SINGLE_RATE_THREE_COLOR
		}
	}
	s := b.primary()
	c := &p4.MeterConfig{Cburst: 2, Pburst: 2, Eburst: 3}
	s.mustWrite(modify(b.meter("per_port", 1, c)))
	if n := b.through(9, 9); n != 5 {
		t.Errorf("%d frames passed", n)
	}
	cell := b.meter("per_port", 1, nil)
	cell.GetMeterEntry().CounterData = &p4.MeterCounterData{}
	want := b.meter("per_port", 1, c)
	want.GetMeterEntry().CounterData = marked(2, 3, 4)
	if got := b.mustRead(cell); len(got) != 1 || !proto.Equal(got[0], want) {
		t.Errorf("read %v, want %v", got, want)
	}
}
