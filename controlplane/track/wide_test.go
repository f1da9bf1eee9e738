package track

import (
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestTimesOfAHandshake(t *testing.T) {
	first := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC).UnixNano()
	for name, after := range map[string]time.Duration{
		"at once":           0,
		"a microsecond":     time.Microsecond,
		"within an hour":    70 * time.Minute,
		"the last that fit": (1<<32 - 3) * time.Microsecond,
		"the first too far": (1<<32 - 2) * time.Microsecond,
		"days later":        100 * time.Hour,
		"before":            -time.Second,
	} {
		j := newJoiner(1, 1, nil)
		n := j.hops.add()
		h := j.hops.at(n)
		j.beganAt(n, h, first, 0)
		want := first + int64(after)
		j.setLastSYN(n, h, want)
		if syn, ack := j.handshake(n, h); syn != want || ack != 0 {
			t.Errorf("%s: SYN %d and ACK %d, want %d and none", name, syn-first, ack, want-first)
		}
		j.setFirstACK(n, h, want+1000)
		j.beganAt(n, h, first-int64(time.Hour), 0) // an earlier packet is heard of later
		if syn, ack := j.handshake(n, h); syn != want || ack != want+1000 {
			t.Errorf("%s, and an hour: SYN %d and ACK %d, want %d and %d", name, syn-first, ack-first, want-first, want+1000-first)
		}
		j.narrow(n, h)
		if len(j.wide) != 0 {
			t.Errorf("%s: %d left behind", name, len(j.wide))
		}
	}
}

// What a hop counts between two publications may be more than it has room for itself.
func TestRecordsOfMuchAtOnce(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		if err := tracker.Connected(c.ctx, c, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a, b := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80), tcp(1, "10.0.0.1", "10.0.0.2", 40008, 80)
		for range 5 { // they take the slot from each other
			c.packet(a, 3<<30, 0)
			c.packet(b, 1<<31, 0)
		}
		time.Sleep(20 * time.Second)
		want := flow.Counters{Packets: 10, Bytes: 5*3<<30 + 5<<31}
		l, ok := s.stored()[inventory.Ledger{Switch: "leaf1"}.Ref()].(inventory.Ledger)
		if !ok || len(l.Ports) != 1 || flow.Counters(l.Ports[0].Records) != want {
			t.Errorf("records go as far as %+v, want %+v", l, want)
		}
		for _, v := range s.conversations() {
			if h := v.ForwardHops[0]; h.Packets != 5 || h.Live != nil {
				t.Errorf("%+v, want 5 packets and a slot that was given up", h)
			}
		}
	})
}
