package diagnose

import (
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Frames of a port within window from which on it is found.
const (
	expiredFrames   = 100 // whose TTL ended: packets go round in a loop
	malformedFrames = 10
)

// hop is what was wrong with frames at one port, window by window.
type hop struct {
	port               inventory.Accounting // at the beginning of this window
	began              time.Time
	now                inventory.Accounting
	expired, malformed uint64 // in the window before
}

// account takes the counters of a port.
func (s *state) account(r inventory.Ref, a inventory.Accounting, now time.Time) {
	h := s.hops[r]
	if h == nil {
		h = &hop{port: a, began: now}
		s.hops[r] = h
	}
	if a.PortPackets < h.now.PortPackets { // the switch counts anew
		h.port, h.began = a, now
	}
	h.now = a
}

// expiredNow and malformedNow are the most of this window and the one before.
func (h *hop) expiredNow() uint64 {
	return max(h.expired, h.now.Expired.Packets-h.port.Expired.Packets)
}

func (h *hop) malformedNow() uint64 {
	return max(h.malformed, h.now.Buckets.Malformed.Packets-h.port.Buckets.Malformed.Packets)
}

// erring gives the findings of ports with frames that are wrong.
func (s *state) erring(now time.Time) (list []inventory.Finding) {
	for _, h := range s.hops {
		if now.Sub(h.began) >= window {
			h.expired, h.malformed = h.now.Expired.Packets-h.port.Expired.Packets, h.now.Buckets.Malformed.Packets-h.port.Buckets.Malformed.Packets
			h.port, h.began = h.now, now
		}
		name := h.now.Switch + "/" + h.now.Port
		at := inventory.Subject{Kind: "port", Name: name}
		if n := h.expiredNow(); n >= expiredFrames {
			list = append(list, finding("ttl-expired", inventory.Major, at, now, n,
				fmt.Sprintf("the TTL of %d packets that entered at %s ended there in a minute: packets may go round in a loop", n, name)))
		}
		if n := h.malformedNow(); n >= malformedFrames {
			list = append(list, finding("malformed-frames", inventory.Minor, at, now, n,
				fmt.Sprintf("%d frames that entered at %s in a minute were malformed", n, name)))
		}
	}
	return list
}
