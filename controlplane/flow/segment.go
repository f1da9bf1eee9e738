package flow

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Segment is the way of a direction's packets from one switch to the next: from where they
// entered the one to where they entered the other. What is lost in a switch is lost in the
// segment that begins there.
type Segment struct {
	Switch  string              `json:"switch"`          // where the segment begins
	Out     []inventory.PortRef `json:"out,omitempty"`   // ports that the packets left it by
	In      []inventory.PortRef `json:"in,omitempty"`    // ports that they entered the next by; none if nothing arrived
	Packets uint64              `json:"packets"`         // that entered the switch
	Lost    uint64              `json:"lost"`            // fewer arrived
	Extra   uint64              `json:"extra,omitempty"` // more arrived: some were there twice
	Within  uint64              `json:"within"`          // by how many packets Lost or Extra may be off: those under way when both ends were counted
	Final   bool                `json:"final"`           // both ends have counted their last packet

	// Incomplete says that a report of a switch at one of the ends was lost: what passed there is
	// not known, and the counts here are 0.
	Incomplete bool `json:"incomplete,omitempty"`

	// Cables are those of the segment that lose packets, by all that crosses them. What is lost of
	// this conversation is in Lost, and may be nothing.
	Cables []LossyCable `json:"cables,omitempty"`
}

// LossyCable is one direction of a cable that loses packets.
type LossyCable struct {
	Out   inventory.PortRef `json:"out"`
	In    inventory.PortRef `json:"in"`
	Since time.Time         `json:"since"` // when it was known to lose packets
	inventory.LossShare
}

// Lossy says that packets of this conversation were lost for certain.
func (s Segment) Lossy() bool { return s.Lost > s.Within }
