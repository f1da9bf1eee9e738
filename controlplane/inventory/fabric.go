package inventory

import (
	"net/netip"
	"strconv"
	"time"
)

// Switch is one P4Runtime target.
type Switch struct {
	Name     string `json:"name"`
	DeviceID uint64 `json:"device-id"`
	Address  string `json:"address"`           // host:port of its P4Runtime server
	Role     string `json:"role"`              // leaf, spine or border
	State    string `json:"state"`             // connecting, ready, standby (another controller is primary) or unreachable
	Message  string `json:"message,omitempty"` // the last error while not ready

	ElectionID uint64 `json:"election-id,omitempty"` // this controller's, the high half of P4Runtime's
	PrimaryID  uint64 `json:"primary-id,omitempty"`  // the primary's; 0: there is none, or it is not known
}

// Roles of a controller at a switch.
const (
	Primary = "primary" // it programs the switch and reads it out
	Backup  = "backup"  // another controller is primary, or none is
)

// Controller is this controller's role at the switch; empty without a connection.
func (s Switch) Controller() string {
	switch s.State {
	case "ready":
		return Primary
	case "standby":
		return Backup
	}
	return ""
}

// Ref has the name as its ID.
func (s Switch) Ref() Ref { return Ref{Kind: KindSwitch, ID: s.Name} }

// Port is one port of a switch.
type Port struct {
	Switch string `json:"switch"`
	Number uint32 `json:"number"` // the data plane's number
	Name   string `json:"name"`
	Peer   string `json:"peer,omitempty"` // what the configuration says is behind it

	Admin   string    `json:"admin,omitempty"`   // whether it is to carry frames, as the switch says: up, down or empty
	Oper    string    `json:"oper,omitempty"`    // whether it does: up, down, or empty when that is not known
	Unknown string    `json:"unknown,omitempty"` // why Oper is not known
	Changed time.Time `json:"changed,omitzero"`  // when that last became otherwise, as the switch says
}

// States of ports.
const (
	PortUp   = "up"
	PortDown = "down"
)

// Ref has switch/name as its ID.
func (p Port) Ref() Ref { return Ref{Kind: KindPort, ID: p.Switch + "/" + p.Name} }

// Link is a cable between two switches, seen by LLDP at B as sent by A; each direction is
// a link of its own, so that a one-way failure shows.
type Link struct {
	A PortRef `json:"a"`
	B PortRef `json:"b"`
}

// PortRef names a port of a switch.
type PortRef struct {
	Switch string `json:"switch"`
	Port   string `json:"port"`
	Number uint32 `json:"number"`
}

// String gives switch/port.
func (p PortRef) String() string { return p.Switch + "/" + p.Port }

// Ref has a-switch/a-port>b-switch/b-port as its ID.
func (l Link) Ref() Ref { return Ref{Kind: KindLink, ID: l.A.String() + ">" + l.B.String()} }

// LinkLoss is what is lost on a link, by all the flows that cross it. It is of the moment.
type LinkLoss struct {
	A       PortRef   `json:"a"`
	B       PortRef   `json:"b"`
	Packets uint64    `json:"packets"`        // compared at both ends since the daemon began
	Lost    uint64    `json:"lost"`           // of these
	Lossy   bool      `json:"lossy"`          // it loses packets now
	Since   time.Time `json:"since,omitzero"` // when that became known; zero while it does not
	Recent  LossShare `json:"recent,omitzero"`
}

// LossShare is what a lossy link lost lately, since it lost the first packet.
type LossShare struct {
	Packets uint64 `json:"packets"`
	Lost    uint64 `json:"lost"`
}

// Ref has the ID of the link.
func (l LinkLoss) Ref() Ref {
	return Ref{Kind: KindLinkLoss, ID: Link{A: l.A, B: l.B}.Ref().ID}
}

// PerMillion is the part that is lost, in packets of a million.
func (s LossShare) PerMillion() uint32 {
	if s.Packets == 0 {
		return 0
	}
	return uint32(min(1_000_000, float64(s.Lost)*1_000_000/float64(s.Packets)))
}

// Endpoint is an address that a switch learned at a port: a host's own from ARP.
type Endpoint struct {
	Switch  string     `json:"switch"`
	Port    string     `json:"port"`
	Number  uint32     `json:"number"`
	Address netip.Addr `json:"address"`
	MAC     string     `json:"mac"`
}

// Ref has switch/port/address as its ID.
func (e Endpoint) Ref() Ref {
	return Ref{Kind: KindEndpoint, ID: e.Switch + "/" + e.Port + "/" + e.Address.String()}
}

// Accounting is the invariant of one ingress port: what the port counted against what the
// flow cache, the exported records and the class buckets explain. Residue is the
// difference and 0 whenever the port is quiet and nothing was lost.
type Accounting struct {
	Switch         string  `json:"switch"`
	Port           string  `json:"port"`
	Number         uint32  `json:"number"`
	PortPackets    uint64  `json:"port-packets"`
	PortBytes      uint64  `json:"port-bytes"`
	RecordPackets  uint64  `json:"record-packets"` // ended generations and live slots as last read
	RecordBytes    uint64  `json:"record-bytes"`
	BucketPackets  uint64  `json:"bucket-packets"`
	BucketBytes    uint64  `json:"bucket-bytes"`
	Buckets        Buckets `json:"buckets"`      // what makes up the two
	Expired        Bucket  `json:"expired"`      // dropped because the TTL ended here; they are in the records too
	BasePackets    int64   `json:"base-packets"` // unexplained at the first read after connecting
	BaseBytes      int64   `json:"base-bytes"`
	ResiduePackets int64   `json:"residue-packets"`
	ResidueBytes   int64   `json:"residue-bytes"`
	MissingPackets int64   `json:"missing-packets,omitempty"` // of the residue, whose reports were lost for certain
	MissingBytes   int64   `json:"missing-bytes,omitempty"`
	Losses         []Loss  `json:"losses,omitempty"` // when, and in which slots, newest last; the oldest are forgotten
}

// Loss is that packets of a port are in no record although the switch counted them: reports of
// slots were lost.
type Loss struct {
	Number      uint32    `json:"number"` // of this port's losses, from 1
	Since       time.Time `json:"since"`  // the packets went missing after this
	Until       time.Time `json:"until"`  // and before this
	Packets     int64     `json:"packets"`
	Bytes       int64     `json:"bytes"`
	Settled     bool      `json:"settled"`        // Packets is exact; otherwise packets that are yet to be reported are among them
	Generations uint64    `json:"generations"`    // of slots that went unreported in that time and may have held them
	Gaps        []SlotGap `json:"gaps,omitempty"` // the newest of them
}

// SlotGap is a run of generations of one slot that went unreported. Of which port's packets they were
// is known only when something else was reported of them.
type SlotGap struct {
	Slot         uint32    `json:"slot"`
	First        uint16    `json:"first"` // generation
	Last         uint16    `json:"last"`
	Generations  uint16    `json:"generations"`            // in between, that nothing else told of
	Seen         time.Time `json:"seen"`                   // when it became known
	Conversation string    `json:"conversation,omitempty"` // ID of the one whose last report it was; empty if that is not known
}

// Buckets are the frames of a port that are no flows, by class.
type Buckets struct {
	Fragment  Bucket `json:"fragment"`  // IP fragments
	Malformed Bucket `json:"malformed"` // shorter than their headers say, or with an impossible field
	LLDP      Bucket `json:"lldp"`
	Other     Bucket `json:"other"` // other EtherTypes
}

// Bucket counts the frames of one class.
type Bucket struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Ref has switch/port as its ID.
func (a Accounting) Ref() Ref { return Ref{Kind: KindAccounting, ID: a.Switch + "/" + a.Port} }

// PortName is the name of a port that the configuration does not name: its number.
func PortName(number uint32) string { return strconv.FormatUint(uint64(number), 10) }
