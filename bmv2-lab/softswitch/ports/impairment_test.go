package ports

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

// wire is a port in memory and what left it.
func wire(t *testing.T) (*impairer, *port, *[]uint32) {
	t.Helper()
	var got []uint32
	p := &port{transmit: func(_ uint32, frame []byte) { got = append(got, binary.BigEndian.Uint32(frame)) }}
	m := newImpairer(1 << 20)
	m.rand = rand.New(rand.NewPCG(1, 2))
	return m, p, &got
}

func frame(i uint32) []byte { return binary.BigEndian.AppendUint32(nil, i) }

func TestLossIsCountedExactly(t *testing.T) {
	m, p, got := wire(t)
	const n = 100_000
	for i := range uint32(n) {
		m.send(0, p, &Impairment{Loss: 0.02}, frame(i))
	}
	lost := p.counts.lost.Load()
	if uint64(len(*got))+lost != n {
		t.Errorf("%d arrived and %d lost of %d", len(*got), lost, n)
	}
	if lost < 1700 || lost > 2300 {
		t.Errorf("%d of %d lost at 2 %%", lost, n)
	}
	*got = nil
	for i := range uint32(1000) {
		m.send(0, p, &Impairment{Loss: 1}, frame(i))
	}
	if len(*got) != 0 {
		t.Errorf("%d frames passed a loss of 1", len(*got))
	}
}

func TestDuplicate(t *testing.T) {
	m, p, got := wire(t)
	const n = 10_000
	for i := range uint32(n) {
		m.send(0, p, &Impairment{Duplicate: 0.1}, frame(i))
	}
	if d := p.counts.duplicated.Load(); uint64(len(*got)) != n+d || d < 800 || d > 1200 {
		t.Errorf("%d arrived, %d duplicated of %d", len(*got), d, n)
	}
}

func TestDelayKeepsOrder(t *testing.T) {
	m, p, got := wire(t)
	imp := &Impairment{Delay: Duration(10 * time.Millisecond)}
	for i := range uint32(100) {
		m.send(time.Duration(i)*time.Millisecond, p, imp, frame(i))
	}
	m.release(10*time.Millisecond - 1)
	if len(*got) != 0 {
		t.Fatalf("%d frames left early", len(*got))
	}
	if wait, ok := m.next(5 * time.Millisecond); !ok || wait != 5*time.Millisecond {
		t.Errorf("next in %s, %v", wait, ok)
	}
	m.release(time.Second)
	for i, g := range *got {
		if g != uint32(i) {
			t.Fatalf("frame %d left at place %d", g, i)
		}
	}
	if len(*got) != 100 || p.counts.delayed.Load() != 100 {
		t.Errorf("%d left, %d delayed", len(*got), p.counts.delayed.Load())
	}
}

func TestReorder(t *testing.T) {
	m, p, got := wire(t)
	imp := &Impairment{Reorder: 0.1}
	for i := range uint32(1000) {
		now := time.Duration(i) * time.Millisecond
		m.release(now)
		m.send(now, p, imp, frame(i))
	}
	m.release(time.Hour)
	seen, behind := map[uint32]bool{}, uint64(0)
	newest := uint32(0)
	for _, g := range *got {
		if seen[g] {
			t.Fatalf("frame %d twice", g)
		}
		seen[g] = true
		if g < newest {
			behind++
		}
		newest = max(newest, g)
	}
	r := p.counts.reordered.Load()
	if len(seen) != 1000 || r < 60 || r > 140 || behind == 0 || behind > r {
		t.Errorf("%d arrived, %d held back, %d behind a later one", len(seen), r, behind)
	}
}

func TestDelayLineIsBounded(t *testing.T) {
	m, p, _ := wire(t)
	m.limit = 5
	for i := range uint32(8) {
		m.send(0, p, &Impairment{Delay: 1}, frame(i))
	}
	if p.counts.delayed.Load() != 5 || p.counts.overflow.Load() != 3 {
		t.Errorf("%d delayed, %d dropped", p.counts.delayed.Load(), p.counts.overflow.Load())
	}
}

func TestImpairmentJSON(t *testing.T) {
	var imp Impairment
	if err := json.Unmarshal([]byte(`{"loss": 0.02, "delay": "10ms"}`), &imp); err != nil {
		t.Fatal(err)
	}
	if imp.Loss != 0.02 || imp.Delay != Duration(10*time.Millisecond) {
		t.Errorf("%+v", imp)
	}
	if err := json.Unmarshal([]byte(`{"delay": 10}`), &imp); err == nil {
		t.Error("a delay without a unit was taken")
	}
	for _, bad := range []Impairment{{Loss: 1.1}, {Loss: -0.1}, {Duplicate: 2}, {Delay: -1}, {Delay: maxDelay + 1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
