package check

import (
	"net/netip"
	"time"
)

// These are the parts of the command line's JSON (docs/formats/cli.md) that are compared.

// Attachment is a switch port.
type Attachment struct {
	Switch string `json:"switch"`
	Port   string `json:"port"`
}

// PodAnswer is a pod as `fabricscope pods` gives it.
type PodAnswer struct {
	Cluster     string       `json:"cluster"`
	Namespace   string       `json:"namespace"`
	Name        string       `json:"name"`
	UID         string       `json:"uid"`
	IPs         []string     `json:"ips"`
	Node        string       `json:"node"`
	Ready       bool         `json:"ready"`
	Attachments []Attachment `json:"attachments"`
}

// ServiceAnswer is a service as `fabricscope services` gives it.
type ServiceAnswer struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Members   []struct {
		Address string `json:"address"`
		PodUID  string `json:"pod-uid"`
	} `json:"members"`
}

// Flow is a conversation as `fabricscope flows` gives it.
type Flow struct {
	ID       string    `json:"id"`
	LastSeen time.Time `json:"last-seen"`
	Client   End       `json:"client"`
	Server   End       `json:"server"`
	Forward  Direction `json:"forward"`
	Reverse  Direction `json:"reverse"`
	Legs     []Leg     `json:"legs"`
}

// Leg is another conversation of the same connection.
type Leg struct {
	ID         string `json:"id"`
	Side       string `json:"side"`
	Confidence string `json:"confidence"`
	Reason     string `json:"reason"` // why it is a guess
	End        struct {
		Address netip.Addr `json:"address"`
	} `json:"end"`
}

// End is who is said to be at one end of a conversation.
type End struct {
	Address netip.Addr `json:"address"`
	Cluster string     `json:"cluster"`
	Pod     string     `json:"pod"`
	PodUID  string     `json:"pod-uid"`
	Node    string     `json:"node"`
	Reason  string     `json:"reason"`
}

// Direction is one direction of a conversation.
type Direction struct {
	Tuple    Tuple     `json:"tuple"`
	Hops     []Hop     `json:"hops"`
	Segments []Segment `json:"segments"`
}

// Segment is the way from one switch to the next.
type Segment struct {
	Switch      string   `json:"switch"`
	Out         []string `json:"out"`
	In          []string `json:"in"`
	Packets     uint64   `json:"packets"`
	Lost        uint64   `json:"lost"`
	Uncertainty uint64   `json:"uncertainty"`
	Final       bool     `json:"final"`
}

// Tuple identifies the packets of a direction.
type Tuple struct {
	Protocol uint16     `json:"protocol"`
	Src      netip.Addr `json:"src"`
	Dst      netip.Addr `json:"dst"`
	SrcPort  uint16     `json:"src-port"`
	DstPort  uint16     `json:"dst-port"`
	ICMPType *uint16    `json:"icmp-type"`
	ICMPCode uint16     `json:"icmp-code"`
	ICMPID   uint16     `json:"icmp-id"`
}

// Hop is what one switch port counted of a direction.
type Hop struct {
	Switch string `json:"switch"`
	Port   string `json:"port"`
	Outer  struct {
		Kind   string     `json:"kind"`
		VNI    uint32     `json:"vni"`
		GREKey uint32     `json:"gre-key"`
		Src    netip.Addr `json:"src"`
		Dst    netip.Addr `json:"dst"`
	} `json:"outer"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Switch is a switch as `fabricscope switches` gives it.
type Switch struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Message string `json:"message"`
	Ports   []struct {
		Name       string `json:"name"`
		Oper       string `json:"oper-status"`
		Unknown    string `json:"unknown-reason"`
		Accounting struct {
			PortPackets    uint64          `json:"port-packets"`
			PortBytes      uint64          `json:"port-bytes"`
			RecordPackets  uint64          `json:"record-packets"`
			RecordBytes    uint64          `json:"record-bytes"`
			Buckets        map[Class]Count `json:"buckets"`
			Expired        Count           `json:"expired"` // dropped because their TTL ended
			ResiduePackets int64           `json:"residue-packets"`
			ResidueBytes   int64           `json:"residue-bytes"`
			MissingPackets int64           `json:"missing-packets"`
			MissingBytes   int64           `json:"missing-bytes"`
		} `json:"accounting"`
	} `json:"ports"`
}

// Link is one direction of a cable as `fabricscope links` gives it.
type Link struct {
	A Attachment `json:"a"`
	B Attachment `json:"b"`
}
