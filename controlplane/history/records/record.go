package records

import (
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// Record is what passed of one conversation in one export interval: its counters are those of
// the interval, so that sums over records are what passed altogether. Values that pointers
// share are immutable.
type Record struct {
	Time         time.Time // end of the interval, by the daemon's clock
	Conversation string    // identifier, as in gNMI
	Protocol     flow.Protocol
	ICMPType     uint16 // type<<8|code of the forward direction
	Opaque       flow.Opaque
	Client       End
	Server       End
	First        time.Time // the conversation's first packet
	Last         time.Time // its last packet until Time
	Verdict      Verdict
	Handshake    flow.Handshake // as far as it came until Time; zero if there is none
	Forward      Direction
	Reverse      Direction
}

// End is one end of a conversation.
type End struct {
	Address netip.Addr
	Port    uint16
	Who     *flow.Identity // never nil
}

func (e *End) addrPort() netip.AddrPort { return netip.AddrPortFrom(e.Address, e.Port) }

// Direction is one direction of a record.
type Direction struct {
	flow.Counters        // in the interval, at the first hop
	Flags         uint8  // or of all TCP flags until Time
	Lost          int64  // packets lost between hops; below 0 where an earlier record said too many
	Within        uint64 // by how many packets the loss until Time may be off
	Hops          []Hop  // in the order the packets passed
}

// Hop is what one switch port counted in the interval.
type Hop struct {
	*Place
	Outer *flow.Outer // the overlay that the packets were in; never nil
	flow.Counters
	Incomplete bool // a report was lost: more passed than was counted
}

// Place is where packets entered a switch.
type Place struct {
	Switch string
	Port   string
}

// sameAs says that two hops are at one place, in one overlay.
func (h *Hop) sameAs(o *Hop) bool {
	return (h.Place == o.Place || *h.Place == *o.Place) && (h.Outer == o.Outer || *h.Outer == *o.Outer)
}

// Verdict says in a word how a conversation fared until the record's time.
type Verdict string

// Verdicts. The first that applies counts.
const (
	Refused    Verdict = "refused"    // TCP: answered by RST
	Unanswered Verdict = "unanswered" // TCP: SYNs without any answer
	Lost       Verdict = "lost"       // packets were lost on the way for certain
	OneWay     Verdict = "one-way"    // nothing came back
	Answered   Verdict = "answered"   // both directions were seen
)

// Verdicts are all there are.
func Verdicts() []Verdict { return []Verdict{Refused, Unanswered, Lost, OneWay, Answered} }

// verdictOf judges a conversation as it stands.
func verdictOf(c *flow.Conversation) Verdict {
	if c.Handshake != nil {
		switch c.Handshake.State {
		case flow.Refused:
			return Refused
		case flow.Unanswered:
			return Unanswered
		}
	}
	for _, segments := range [][]flow.Segment{c.ForwardSegments, c.ReverseSegments} {
		for _, s := range segments {
			if s.Lossy() {
				return Lost
			}
		}
	}
	if c.Reverse.Packets == 0 {
		return OneWay
	}
	return Answered
}
