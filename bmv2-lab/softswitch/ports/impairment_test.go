package ports

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

// badWire is a port in memory and what left it.
func badWire(t *testing.T) (*impairer, *port, *[]uint32) {
	t.Helper()
	var got []uint32
	p := &port{transmit: func(_ uint32, frame []byte) { got = append(got, binary.BigEndian.Uint32(frame)) }}
	m := newImpairer(1 << 20)
	return m, p, &got
}

func impaired(imp Impairment) *wire {
	imp.Seed = 1
	return &wire{Impairment: imp, rand: newRand(imp.Seed)}
}

func frame(i uint32) []byte { return binary.BigEndian.AppendUint32(nil, i) }

func TestLossIsCountedExactly(t *testing.T) {
	m, p, got := badWire(t)
	w := impaired(Impairment{Loss: 0.02})
	const n = 100_000
	for i := range uint32(n) {
		m.send(0, p, w, frame(i))
	}
	lost := p.counts.lost.Load()
	if uint64(len(*got))+lost != n {
		t.Errorf("%d arrived and %d lost of %d", len(*got), lost, n)
	}
	if lost < 1700 || lost > 2300 {
		t.Errorf("%d of %d lost at 2 %%", lost, n)
	}
	*got = nil
	w = impaired(Impairment{Loss: 1})
	for i := range uint32(1000) {
		m.send(0, p, w, frame(i))
	}
	if len(*got) != 0 {
		t.Errorf("%d frames passed a loss of 1", len(*got))
	}
}

func TestDuplicate(t *testing.T) {
	m, p, got := badWire(t)
	w := impaired(Impairment{Duplicate: 0.1})
	const n = 10_000
	for i := range uint32(n) {
		m.send(0, p, w, frame(i))
	}
	if d := p.counts.duplicated.Load(); uint64(len(*got)) != n+d || d < 800 || d > 1200 {
		t.Errorf("%d arrived, %d duplicated of %d", len(*got), d, n)
	}
}

func TestDelayKeepsOrder(t *testing.T) {
	m, p, got := badWire(t)
	w := impaired(Impairment{Delay: Duration(10 * time.Millisecond)})
	for i := range uint32(100) {
		m.send(time.Duration(i)*time.Millisecond, p, w, frame(i))
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
	m, p, got := badWire(t)
	w := impaired(Impairment{Reorder: 0.1})
	for i := range uint32(1000) {
		now := time.Duration(i) * time.Millisecond
		m.release(now)
		m.send(now, p, w, frame(i))
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

// The same seed hits the same frames, another one others; a seed is one port's affair.
func TestSeed(t *testing.T) {
	run := func(imp Impairment) []uint32 {
		var got []uint32
		s := openSet(t, memory(1, 2), Deps{Transmit: func(port uint32, f []byte) {
			if port == 1 {
				got = append(got, binary.BigEndian.Uint32(f))
			}
		}})
		for _, port := range []uint32{1, 2} {
			if err := s.Impair(port, imp); err != nil {
				t.Fatal(err)
			}
		}
		for i := range uint32(1000) {
			s.Transmit(1, frame(i))
			for range int(imp.Seed) % 3 { // other ports' traffic changes nothing
				s.Transmit(2, frame(i))
			}
		}
		return got
	}
	first := run(Impairment{Loss: 0.3, Duplicate: 0.3, Seed: 7})
	if again := run(Impairment{Loss: 0.3, Duplicate: 0.3, Seed: 7}); !slices.Equal(first, again) {
		t.Error("the same seed did not hit the same frames")
	}
	if other := run(Impairment{Loss: 0.3, Duplicate: 0.3, Seed: 8}); slices.Equal(first, other) {
		t.Error("another seed hit the same frames")
	}
	if a, b := run(Impairment{Loss: 0.3}), run(Impairment{Loss: 0.3}); slices.Equal(a, b) {
		t.Error("without a seed the same frames were hit twice")
	}
}

// A port that is shut neither takes nor gives, counts what that cost, and keeps its impairment.
func TestShut(t *testing.T) {
	sent := 0
	s := openSet(t, memory(1), Deps{Transmit: func(uint32, []byte) { sent++ }})
	received := 0
	pass := func() {
		t.Helper()
		if err := s.Inject(1, frame(1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Poll(ReceiverFunc(func(uint32, []byte) { received++ })); err != nil {
			t.Fatal(err)
		}
		s.Transmit(1, frame(1))
	}
	if err := s.Impair(1, Impairment{Duplicate: 1}); err != nil {
		t.Fatal(err)
	}
	for _, shut := range []bool{true, false} {
		before := s.Changes()
		if err := s.Shut(1, shut); err != nil {
			t.Fatal(err)
		}
		if s.Changes() == before || s.Down()[1] != shut {
			t.Errorf("shut %v: %d changes, as before %d; down %v", shut, s.Changes(), before, s.Down())
		}
		pass()
		if st := s.Stats()[0]; st.Up == shut || st.Shut != shut || st.Impairment.Duplicate != 1 {
			t.Errorf("shut %v: %+v", shut, st)
		}
	}
	st := s.Stats()[0]
	if received != 1 || sent != 2 || st.RxLinkDown != 1 || st.TxLinkDown != 1 || st.RxFrames != 1 || st.TxFrames != 2 {
		t.Errorf("%d received, %d sent, %+v", received, sent, st)
	}
	if err := s.Shut(9, true); !errors.Is(err, ErrNoPort) || s.Has(9) || !s.Has(1) {
		t.Errorf("unknown port: %v", err)
	}
}

func TestDelayLineIsBounded(t *testing.T) {
	m, p, _ := badWire(t)
	m.limit = 5
	for i := range uint32(8) {
		m.send(0, p, impaired(Impairment{Delay: 1}), frame(i))
	}
	if p.counts.delayed.Load() != 5 || p.counts.delayFull.Load() != 3 {
		t.Errorf("%d delayed, %d dropped", p.counts.delayed.Load(), p.counts.delayFull.Load())
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
