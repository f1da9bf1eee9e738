package engine

import (
	"fmt"
	"strings"
	"testing"
)

func TestMeters(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/indirect.json") {
		t.Run(name, func(t *testing.T) { testMeters(t, sw) })
	}
}

// colours sends n frames at a time and returns what out1 says, a digit each.
func colours(t *testing.T, sw *Switch, now uint64, n int, frame string) string {
	t.Helper()
	var s strings.Builder
	for range n {
		var out recorder
		sw.Process(now, 3, unhex(t, frame), &out)
		fmt.Fprint(&s, out.frames[0].frame[8])
	}
	return s.String()
}

func testMeters(t *testing.T, sw *Switch) {
	m, ok := sw.Meter("I.m")
	if !ok || m.Size() != 4 || m.Unit() != MeterPackets {
		t.Fatalf("meter %v", m)
	}
	frame := indirectFrame(7, 0, 0, 2)
	if got := colours(t, sw, 0, 3, frame); got != "000" {
		t.Errorf("not configured: %s", got)
	}
	// 10 packets/s and 2 at once; 20/s and 4 at once.
	r := MeterRates{CIR: 10, CBurst: 2, PIR: 20, PBurst: 4}
	must(t, m.SetRates(2, r))
	for _, c := range []struct {
		now  uint64
		want string
	}{
		// A yellow packet takes a token of the peak rate, a red one takes none.
		{0, "00112222"}, {50_000, "122"}, {100_000, "022"}, {1_000_000, "00112"},
	} {
		if got := colours(t, sw, c.now, len(c.want), frame); got != c.want {
			t.Errorf("at %d µs: %s, want %s", c.now, got, c.want)
		}
	}
	if got := colours(t, sw, 1_000_000, 1, indirectFrame(7, 0, 0, 4)); got != "0" {
		t.Errorf("outside: %s", got)
	}
	if got, set := m.Rates(2); !set || got != r {
		t.Errorf("rates %v, %v", got, set)
	}
	must(t, m.Reset(2))
	if got := colours(t, sw, 1_000_000, 3, frame); got != "000" {
		t.Errorf("reset: %s", got)
	}
	if _, set := m.Rates(2); set {
		t.Error("a reset meter has rates")
	}
	wantErr(t, "outside", m.SetRates(4, r), ErrNotFound)
	wantErr(t, "peak below committed", m.SetRates(0, MeterRates{CIR: 2, PIR: 1}), ErrInvalid)
	wantErr(t, "negative", m.SetRates(0, MeterRates{CBurst: -1}), ErrInvalid)

	// Frames of 10 bytes: 2 in the committed burst, 3 in the peak one.
	mb, _ := sw.Meter("I.mb")
	must(t, mb.SetRates(1, MeterRates{CBurst: 29, PBurst: 30}))
	if got := colours(t, sw, 2_000_000, 5, indirectFrame(8, 0, 0, 1)); got != "00122" || mb.Unit() != MeterBytes {
		t.Errorf("bytes: %s", got)
	}
}

// TestExcessBurst follows RFC 2697, section 3: the tokens of both bursts, by hand.
func TestExcessBurst(t *testing.T) {
	sw := load(t, "testdata/indirect.json")
	m, _ := sw.Meter("I.m")
	must(t, m.SetRates(2, MeterRates{CIR: 10, CBurst: 2, PIR: 10, PBurst: 2, EBurst: 3}))
	frame := indirectFrame(7, 0, 0, 2)
	for _, c := range []struct {
		now  uint64
		want string
	}{
		// Both are full. 100 ms bring a token: of the committed burst first, then, when that is
		// full, of the excess burst, until that is full as well.
		{0, "0011122"}, {100_000, "02"}, {500_000, "00112"}, {10_000_000, "0011122"},
	} {
		if got := colours(t, sw, c.now, len(c.want), frame); got != c.want {
			t.Errorf("at %d µs: %s, want %s", c.now, got, c.want)
		}
	}
	if r, _ := m.Rates(2); r.EBurst != 3 {
		t.Errorf("rates %+v", r)
	}
	want := Colours{{Packets: 7, Bytes: 70}, {Packets: 8, Bytes: 80}, {Packets: 6, Bytes: 60}}
	if got, err := m.Colours(2); err != nil || got != want {
		t.Errorf("marked %v, %v, want %v", got, err, want)
	}
	must(t, m.WriteColours(2, Colours{}))
	if got, err := m.Colours(2); err != nil || got != (Colours{}) {
		t.Errorf("cleared %v, %v", got, err)
	}
	_, err := m.Colours(4)
	wantErr(t, "outside", err, ErrNotFound)
	wantErr(t, "outside", m.WriteColours(4, Colours{}), ErrNotFound)
	wantErr(t, "negative", m.SetRates(0, MeterRates{EBurst: -1}), ErrInvalid)
}

func TestDefaultMeter(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/indirect.json") {
		t.Run(name, func(t *testing.T) { testDefaultMeter(t, sw) })
	}
}

func testDefaultMeter(t *testing.T, sw *Switch) {
	table := mustTable(t, sw, "I.t_meter")
	frame := indirectFrame(6, 1, 0, 0)
	if got := colours(t, sw, 0, 3, frame); got != "000" {
		t.Errorf("not configured: %s", got)
	}
	if d, _ := table.Default(); d.Meter != nil || *d.Colours != (Colours{}) {
		t.Errorf("not configured: %v, %v", d.Meter, d.Colours)
	}
	rates := MeterRates{CIR: 1, CBurst: 1, PIR: 1, PBurst: 2}
	must(t, table.WriteDefaultMeter(&rates))
	if got := colours(t, sw, 0, 4, frame); got != "0122" {
		t.Errorf("configured: %s", got)
	}
	want := Colours{{Packets: 1, Bytes: 10}, {Packets: 1, Bytes: 10}, {Packets: 2, Bytes: 20}}
	if d, _ := table.Default(); *d.Meter != rates || *d.Colours != want {
		t.Errorf("configured: %v, %v", d.Meter, d.Colours)
	}
	must(t, table.WriteDefaultColours(Colours{}))
	must(t, table.WriteDefaultMeter(nil))
	if got := colours(t, sw, 0, 3, frame); got != "000" {
		t.Errorf("reset: %s", got)
	}
	if d, _ := table.Default(); d.Meter != nil || *d.Colours != (Colours{}) {
		t.Errorf("reset: %v, %v", d.Meter, d.Colours)
	}
	without := mustTable(t, sw, "I.t_profile")
	wantErr(t, "a table without meters", without.WriteDefaultMeter(nil), ErrInvalid)
	wantErr(t, "a table without meters", without.WriteDefaultColours(Colours{}), ErrInvalid)
	wantErr(t, "a table without meters", without.WriteColours([]Match{exact(1)}, 0, Colours{}), ErrInvalid)
}

func TestDirectMeter(t *testing.T) {
	for name, sw := range bothNamed(t, "testdata/indirect.json") {
		t.Run(name, func(t *testing.T) { testDirectMeter(t, sw) })
	}
}

func testDirectMeter(t *testing.T, sw *Switch) {
	table := mustTable(t, sw, "I.t_meter")
	if !table.HasMeter() || table.MeterUnit() != MeterPackets {
		t.Fatal("no direct meter")
	}
	e := set("colour", 9, 0, exact(1))
	must(t, table.Insert(e))
	frame := indirectFrame(6, 1, 0, 0)
	if got := colours(t, sw, 0, 4, frame); got != "0000" {
		t.Errorf("not configured: %s", got)
	}
	e.Meter = &MeterRates{CIR: 1, CBurst: 1, PIR: 1, PBurst: 2}
	must(t, table.Modify(e))
	if got := colours(t, sw, 0, 4, frame); got != "0122" {
		t.Errorf("configured: %s", got)
	}
	if got, err := table.Lookup(e.Match, 0); err != nil || got.Meter == nil || *got.Meter != *e.Meter {
		t.Errorf("entry %+v, %v", got, err)
	}
	must(t, table.WriteMeter(e.Match, 0, &MeterRates{CBurst: 3, PBurst: 3}))
	if got := colours(t, sw, 0, 4, frame); got != "0002" {
		t.Errorf("configured again: %s", got)
	}
	e.Meter = nil
	must(t, table.Modify(e))
	if got := colours(t, sw, 0, 4, frame); got != "0000" {
		t.Errorf("reset: %s", got)
	}
	wantErr(t, "no entry", table.WriteMeter([]Match{exact(2)}, 0, nil), ErrNotFound)
	wantErr(t, "bad rates", table.WriteMeter(e.Match, 0, &MeterRates{CIR: 2}), ErrInvalid)
	other := toMember(1, exact(1))
	other.Meter = &MeterRates{}
	wantErr(t, "a table without a meter", mustTable(t, sw, "I.t_profile").Insert(other), ErrInvalid)
}
