// Package flow is the vocabulary of traffic: what a switch observed, the exact records
// made of it, and the conversations that join records of both directions and all hops.
package flow

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"
)

// EtherTypes that keys carry.
const (
	EtherTypeIPv4 uint16 = 0x0800
	EtherTypeARP  uint16 = 0x0806
	EtherTypeIPv6 uint16 = 0x86dd
)

// Protocol is an IP protocol number (IANA), or ARP for the one flow that has none.
type Protocol uint16

// Protocols with names of their own. ARP is outside the range of IP protocol numbers.
const (
	ICMP   Protocol = 1
	IPv4   Protocol = 4 // a tunnel inside of a tunnel, as are IPv6 and GRE
	TCP    Protocol = 6
	UDP    Protocol = 17
	IPv6   Protocol = 41
	GRE    Protocol = 47
	ESP    Protocol = 50
	AH     Protocol = 51
	ICMPv6 Protocol = 58
	SCTP   Protocol = 132
	ARP    Protocol = 256
)

// String gives the protocol's lower-case name, or its number.
func (p Protocol) String() string {
	switch p {
	case ICMP:
		return "icmp"
	case IPv4:
		return "ipv4"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case IPv6:
		return "ipv6"
	case GRE:
		return "gre"
	case ESP:
		return "esp"
	case AH:
		return "ah"
	case ICMPv6:
		return "icmpv6"
	case SCTP:
		return "sctp"
	case ARP:
		return "arp"
	}
	return fmt.Sprintf("ip-%d", uint16(p))
}

// Tuple is the innermost identity of a packet in one direction. For ICMP SrcPort is
// type<<8|code and DstPort the identifier of echo messages (0 otherwise); for ARP the
// addresses are sender and target protocol addresses and SrcPort is the opcode.
type Tuple struct {
	Protocol Protocol   `json:"protocol"`
	Src      netip.Addr `json:"src"`
	Dst      netip.Addr `json:"dst"`
	SrcPort  uint16     `json:"src-port"`
	DstPort  uint16     `json:"dst-port"`
}

// Compare orders tuples.
func (t Tuple) Compare(o Tuple) int {
	return cmp.Or(cmp.Compare(t.Protocol, o.Protocol), t.Src.Compare(o.Src), t.Dst.Compare(o.Dst),
		cmp.Compare(t.SrcPort, o.SrcPort), cmp.Compare(t.DstPort, o.DstPort))
}

// Encapsulation is the kind of overlay a packet travelled in.
type Encapsulation uint8

// Encapsulations, with the numbers that the P4 program uses.
const (
	Native Encapsulation = 0
	VXLAN  Encapsulation = 1
	Geneve Encapsulation = 2
	IPIP   Encapsulation = 3
	InGRE  Encapsulation = 4
)

// String gives the lower-case name.
func (e Encapsulation) String() string {
	switch e {
	case Native:
		return "native"
	case VXLAN:
		return "vxlan"
	case Geneve:
		return "geneve"
	case IPIP:
		return "ipip"
	case InGRE:
		return "gre"
	}
	return fmt.Sprintf("encapsulation-%d", uint8(e))
}

// Outer is the outermost overlay around a packet: zero for native traffic. VNI is the network
// identifier of VXLAN and Geneve (24 bits), or the key of GRE (RFC 2890; 0 without one).
type Outer struct {
	Kind Encapsulation `json:"kind"`
	VNI  uint32        `json:"vni,omitempty"`
	Src  netip.Addr    `json:"src,omitzero"`
	Dst  netip.Addr    `json:"dst,omitzero"`
}

// Key is what one slot of a switch's flow cache counts: one direction of one flow as it
// enters at one port.
type Key struct {
	IngressPort uint32
	Outer       Outer
	Tuple       Tuple
}

// Counters are exact counts; bytes are whole frames without FCS as they entered.
type Counters struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Add adds o.
func (c *Counters) Add(o Counters) { c.Packets += o.Packets; c.Bytes += o.Bytes }

// Sub is the difference to an earlier state of the same counters.
func (c Counters) Sub(o Counters) Counters {
	return Counters{c.Packets - o.Packets, c.Bytes - o.Bytes}
}

// Slot is a place in a switch's flow cache (way times slots per way plus index in the way)
// and the generation of its use. Generations of one place rise by one (modulo 2^16) each
// time another flow takes it.
type Slot struct {
	Index      uint32
	Generation uint16
}

// TCP flags (RFC 9293, section 3.1).
const (
	FIN = 0x01
	SYN = 0x02
	RST = 0x04
	PSH = 0x08
	ACK = 0x10
)

// State is what a slot holds about its flow since its generation began.
type State struct {
	Counters
	First    time.Time
	Last     time.Time
	TCPFlags uint8  // or of all flags seen
	SynSeq   uint32 // sequence number of the SYN, 0 without one
}

// Cause says why a switch reported a slot.
type Cause uint8

// Causes, with the numbers that the P4 program uses.
const (
	CauseNew    Cause = 1 // a flow took an empty slot
	CauseEvict  Cause = 2 // a flow took another's slot
	CauseTCPEnd Cause = 3 // FIN or RST was seen
	CauseActive Cause = 4 // still going, at most once per active interval
	CauseRead   Cause = 5 // the controller asked
	CauseFreed  Cause = 6 // the controller asked, the flow was idle, and the slot is empty now
)

// Observation is one report of one slot: its state since its generation began. Final says
// that this generation ended with exactly this state.
type Observation struct {
	Switch string
	Slot   Slot
	Key    Key
	State  State
	Cause  Cause
	Final  bool
}

// Hop is what one switch port counted of one direction of a conversation.
type Hop struct {
	Switch   string    `json:"switch"`
	Port     string    `json:"port"` // ingress
	Number   uint32    `json:"number"`
	Out      []string  `json:"out,omitempty"` // ports of the switch that the packets left it by, as far as known
	Outer    Outer     `json:"outer"`
	Counters           // exact up to Last
	First    time.Time `json:"first"`
	Began    uint32    `json:"began,omitempty"` // First by the switch's clock, in microseconds modulo 2^32
	Last     time.Time `json:"last"`

	Flags    uint8     `json:"tcp-flags,omitempty"` // all that were seen here
	SYNs     uint8     `json:"syns,omitempty"`      // TCP packets with SYN, 255 for more
	SynSeq   uint32    `json:"syn-seq,omitempty"`   // sequence number of the newest connection's SYN; without meaning without one
	LastSYN  time.Time `json:"last-syn,omitzero"`
	FirstACK time.Time `json:"first-ack,omitzero"` // of packets with ACK and neither SYN nor RST

	Live       *LiveSlot     `json:"live,omitempty"`       // what of the counts is of a slot that still counts
	Incomplete bool          `json:"incomplete,omitempty"` // a report was lost: more passed than was counted
	Unsure     bool          `json:"-"`                    // the switch lost reports since the conversation began, maybe of this hop
	Whole      bool          `json:"-"`                    // though not since First: nothing has interrupted the counting
	Again      bool          `json:"-"`                    // more than one generation of a slot has counted it
	ClockError time.Duration `json:"-"`                    // by how much the times may be off
	Snapshots  Snapshots     `json:"-"`
}

// LiveSlot is what a hop has of one generation of a slot: from there a daemon that starts again
// goes on.
type LiveSlot struct {
	Slot       uint32 `json:"slot"`
	Generation uint16 `json:"generation"`
	Counters
}

// Identity is who is behind an address, as far as it is known.
type Identity struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	PodUID    string `json:"pod-uid,omitempty"`
	Workload  string `json:"workload,omitempty"` // kind/name of what the pod belongs to
	Service   string `json:"service,omitempty"`  // namespace/name of the service it speaks for
	Node      string `json:"node,omitempty"`
	Switch    string `json:"switch,omitempty"`
	Port      string `json:"port,omitempty"`
	Why       string `json:"why,omitempty"` // why nothing better is known, or why it is a guess
}

// End is one end of a conversation. Port is 0 where the protocol has none.
type End struct {
	Address  netip.Addr `json:"address"`
	Port     uint16     `json:"port"`
	Identity Identity   `json:"identity"`
}
