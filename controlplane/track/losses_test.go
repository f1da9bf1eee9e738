package track

import (
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// silently lets a packet enter whose digest gets lost.
func (c *cache) silently(k flow.Key, bytes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.model.now = uint64(time.Since(c.zero).Microseconds()) - 1000
	c.model.packet(k, bytes)
	c.model.reports = nil
}

// A digest that is lost takes packets with it, if it was the last of its generation. The
// accounting says which, and how many; what is still in the cache is found by reading it again.
func TestLossesAreExplained(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		if err := tracker.Connected(c.ctx, c, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a, b, d, e := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80), tcp(1, "10.0.0.1", "10.0.0.2", 40008, 80),
			tcp(1, "10.0.0.1", "10.0.0.2", 40016, 80), tcp(1, "10.0.0.1", "10.0.0.2", 40001, 80)
		for range 3 { // of which the first is digested
			c.packet(a, 100, 0)
		}
		c.silently(b, 100) // takes the slot, and nobody hears what a had counted
		c.packet(d, 100, 0)
		c.silently(e, 100) // is in a slot of its own, and nobody knows
		c.silently(e, 100)
		time.Sleep(time.Second)
		c.packet(tcp(2, "10.0.0.3", "10.0.0.4", 40002, 80), 100, 0) // after which no digest of before can come
		time.Sleep(3 * time.Second)
		account := s.accounting(t, 1)
		if account.ResiduePackets != 4 {
			t.Errorf("%d packets are unexplained, want 2 of the first flow and 2 that can be read", account.ResiduePackets)
		}
		if n := len(account.Losses); n != 1 || account.Losses[0].Settled || account.Losses[0].Packets != 4 {
			t.Errorf("losses %+v, want one that is not settled", account.Losses)
		}
		time.Sleep(time.Minute)
		account = s.accounting(t, 1)
		if account.ResiduePackets != 2 || len(account.Losses) != 1 {
			t.Fatalf("%+v, want 2 packets missing, in one loss", account)
		}
		var id string
		for _, v := range s.conversations() {
			if v.Client.Port == 40000 {
				id = v.ID
			}
		}
		loss := account.Losses[0]
		if !loss.Settled || loss.Packets != 2 || loss.Bytes != 200 || loss.Generations != 1 || len(loss.Gaps) != 1 ||
			loss.Gaps[0].Slot != 0 || loss.Gaps[0].Conversation != id || id == "" {
			t.Errorf("%+v, want 2 packets of the conversation %s", loss, id)
		}
		if other := s.accounting(t, 1); other.RecordPackets != 5 {
			t.Errorf("%d packets in records, want 5", other.RecordPackets)
		}
	})
}

// Of a generation of which nothing was heard it is not known whose packets it held.
func TestALossOfUnknownFlows(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		if err := tracker.Connected(c.ctx, c, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for i := range uint16(5) {
			k := tcp(1+uint32(i%2), "10.0.0.1", "10.0.0.2", 40000+8*i, 80)
			if i == 1 || i == 2 {
				c.silently(k, 100)
			} else {
				c.packet(k, 100, 0)
			}
		}
		time.Sleep(time.Minute)
		lost, clean := s.accounting(t, 2), s.accounting(t, 1)
		if clean.ResiduePackets != 0 || len(clean.Losses) != 0 {
			t.Errorf("port 1: %+v, want nothing lost", clean)
		}
		if lost.ResiduePackets != 1 || len(lost.Losses) != 1 {
			t.Fatalf("port 2: %+v, want one packet lost", lost)
		}
		loss := lost.Losses[0]
		if !loss.Settled || loss.Packets != 1 || len(loss.Gaps) == 0 || loss.Gaps[len(loss.Gaps)-1].Conversation != "" {
			t.Errorf("%+v, want a gap of which no conversation is known", loss)
		}
	})
}
