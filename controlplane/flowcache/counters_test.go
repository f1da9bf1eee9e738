package flowcache

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// busySwitch receives a frame of LLDP at some ports after each read of a counter, as often as it is told to.
type busySwitch struct {
	frames map[int64]uint64 // LLDP received
	more   map[int64]int    // still to come
	reads  int
	broken int // the read that fails; 0: none
}

func (s *busySwitch) Counters(_ context.Context, name string, indices ...int64) ([]p4rt.Counter, error) {
	if s.reads++; s.reads == s.broken {
		return nil, errors.New("connection lost")
	}
	if len(indices) == 0 {
		return nil, errors.New("all cells are asked for")
	}
	var cells []p4rt.Counter
	for _, i := range indices {
		cell := p4rt.Counter{Index: i}
		switch name {
		case p4src.CounterPort:
			cell.Packets = 100*uint64(i) + s.frames[i] // and a hundred of flows
		case p4src.CounterClass:
			if p4src.Class(i%p4src.ClassesPerPort) == p4src.ClassLLDP {
				cell.Packets = s.frames[i/p4src.ClassesPerPort]
			}
		}
		cell.Bytes = 60 * cell.Packets
		cells = append(cells, cell)
	}
	for port, more := range s.more {
		if more > 0 {
			s.more[port]--
			s.frames[port]++
		}
	}
	return cells, nil
}

func TestFramesThatComeBetweenTwoReads(t *testing.T) {
	s := &busySwitch{frames: map[int64]uint64{1: 7}, more: map[int64]int{2: 2, 3: 5}}
	got, err := readCounters(t.Context(), s, []uint32{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b track.PortCounters) int { return int(a.Number) - int(b.Number) })
	if len(got) != 3 {
		t.Fatalf("read %d ports", len(got))
	}
	for i, lldp := range []uint64{7, 2, 5} {
		n := uint64(i + 1)
		if flows := got[i].Total.Sub(got[i].Buckets); flows != (flow.Counters{Packets: 100 * n, Bytes: 6000 * n}) {
			t.Errorf("port %d: %+v are not in buckets", n, flows)
		}
		if got[i].Classes.LLDP.Packets != lldp {
			t.Errorf("port %d: %d frames of LLDP, want %d", n, got[i].Classes.LLDP.Packets, lldp)
		}
	}
}

func TestPortsWhoseBucketsNeverStandStill(t *testing.T) {
	s := &busySwitch{frames: map[int64]uint64{}, more: map[int64]int{1: 1000}}
	got, err := readCounters(t.Context(), s, []uint32{1, 2})
	if err != nil || len(got) != 2 {
		t.Errorf("read %+v, %v", got, err)
	}
	if got, err := readCounters(t.Context(), s, nil); err != nil || len(got) != 0 {
		t.Errorf("of no port: %+v, %v", got, err)
	}
}

func TestReadsOfCountersThatFail(t *testing.T) {
	for read := 1; read <= 4; read++ {
		s := &busySwitch{frames: map[int64]uint64{}, broken: read}
		if got, err := readCounters(t.Context(), s, []uint32{1}); err == nil {
			t.Errorf("read %d fails: %+v without an error", read, got)
		}
	}
}
