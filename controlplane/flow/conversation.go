package flow

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Conversation joins both directions of a flow over all hops. Forward runs from Client to
// Server. Counts of a direction are those of the first hop on its way.
type Conversation struct {
	ID           string    `json:"id"` // stable for the tuple and the time it began
	Protocol     Protocol  `json:"protocol"`
	Client       End       `json:"client"`
	Server       End       `json:"server"`
	ICMPType     uint16    `json:"icmp-type,omitempty"` // type<<8|code of the forward direction
	Opaque       Opaque    `json:"opaque,omitempty"`    // nothing inside can be seen
	Forward      Counters  `json:"forward"`
	Reverse      Counters  `json:"reverse"`
	ForwardHops  []Hop     `json:"forward-hops,omitempty"` // in the order the packets passed
	ReverseHops  []Hop     `json:"reverse-hops,omitempty"`
	ForwardFlags uint8     `json:"forward-tcp-flags,omitempty"`
	ReverseFlags uint8     `json:"reverse-tcp-flags,omitempty"`
	First        time.Time `json:"first"`
	Last         time.Time `json:"last"`

	Handshake       *Handshake `json:"handshake,omitempty"` // of TCP, if its SYN was seen
	ForwardSegments []Segment  `json:"forward-segments,omitempty"`
	ReverseSegments []Segment  `json:"reverse-segments,omitempty"`
	Legs            []Leg      `json:"legs,omitempty"` // the same across an address translation

	Unsure bool `json:"-"` // reports of flows that nobody knows were lost since it began: a hop may be missing
}

// Tuple is that of the forward direction's packets.
func (c Conversation) Tuple() Tuple {
	t := Tuple{Protocol: c.Protocol, Src: c.Client.Address, Dst: c.Server.Address, SrcPort: c.Client.Port, DstPort: c.Server.Port}
	if c.Protocol == ICMP || c.Protocol == ICMPv6 {
		t.SrcPort, t.DstPort = c.ICMPType, c.Client.Port
	}
	return t
}

// Ref has the conversation's ID as its ID.
func (c Conversation) Ref() inventory.Ref {
	return inventory.Ref{Kind: inventory.KindConversation, ID: c.ID}
}
