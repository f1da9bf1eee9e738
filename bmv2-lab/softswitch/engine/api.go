package engine

import "errors"

// Errors of control operations; test with errors.Is. The wrapping error names the object.
var (
	// ErrExists: an entry with the same match (and priority) is already there.
	ErrExists = errors.New("already exists")
	// ErrNotFound: no such entry, group, session or index.
	ErrNotFound = errors.New("not found")
	// ErrFull: the table, action profile or value set has reached its declared size.
	ErrFull = errors.New("is full")
	// ErrInUse: an entry or a group uses the member or group.
	ErrInUse = errors.New("in use")
	// ErrInvalid: the request does not fit the program (match kind, width, action, parameters).
	ErrInvalid = errors.New("invalid argument")
	// ErrConst: the table's entries, or its default action, are constant in the program.
	ErrConst = errors.New("constant in the program")
)

// MatchKind says how a key field is compared.
type MatchKind uint8

// The match kinds of v1model. A ternary, range or optional field that an entry leaves out
// matches everything.
const (
	MatchExact MatchKind = iota + 1
	MatchLPM
	MatchTernary
	MatchRange
	MatchOptional
)

// Match is the condition of an entry on one key field.
type Match struct {
	Kind      MatchKind
	Value     []byte // range: the low bound
	Mask      []byte // ternary only
	High      []byte // range only, inclusive
	PrefixLen int    // LPM only, in bits
	Any       bool   // ternary, range, optional: matches everything; LPM: prefix length 0
}

// Entry is one table entry.
type Entry struct {
	// Match has one element for each key of the table, in the table's order.
	Match []Match
	// Priority orders entries of tables with a ternary, range or optional key; the larger
	// wins (P4Runtime's sense) and it must be positive. Zero in other tables.
	Priority int32
	// Action and Params say what a hit runs, in direct tables.
	Action string
	Params [][]byte
	// Member or Group (never both) say what a hit runs in tables with an action profile;
	// Indirect says which of them counts.
	Indirect IndirectKind
	Member   uint32
	Group    uint32
	// IdleTimeout, in microseconds, is kept for tables with idle timeouts; 0 is none.
	IdleTimeout uint64
	// LastHit is the time of the last hit, or of the insertion, in microseconds (out only).
	LastHit uint64
	// Counter is the entry's direct counter: on the way out nil without one; on the way in
	// nil leaves it as it is (at 0 for a new entry).
	Counter *CounterData
	// Meter is the entry's direct meter: nil is the default, green for every packet.
	Meter *MeterRates
	// Colours is what the direct meter has marked: on the way out nil without one; on the way
	// in nil leaves it as it is.
	Colours *Colours
	// Const marks an entry that the program declares constant (out only).
	Const bool
}

// IndirectKind says whether an entry runs an action of its own, a profile's member or a group.
type IndirectKind uint8

// The three ways an entry names its action.
const (
	Direct IndirectKind = iota
	IndirectMember
	IndirectGroup
)

// CounterData is the content of one counter cell. Bytes are counted in the length that the
// frame had at ingress, as BMv2 does.
type CounterData struct {
	Packets uint64
	Bytes   uint64
}

// KeyInfo describes one key field of a table.
type KeyInfo struct {
	Name  string
	Kind  MatchKind
	Width int // bits
}

// ParamInfo describes one run-time parameter of an action.
type ParamInfo struct {
	Name  string
	Width int // bits
}

// ActionInfo describes one action of a table.
type ActionInfo struct {
	Name   string
	Params []ParamInfo
}

// FieldInfo describes one field of a digest or a header.
type FieldInfo struct {
	Name  string
	Width int // bits
}

// Replica is one copy that a multicast group or a clone session makes.
type Replica struct {
	Port     uint32
	Instance uint16
	// Backups, which have none of their own, stand in for the copy while its port is down: the
	// first whose port is up. If all are down it is made as if its port were up.
	Backups []Replica
}

// CloneSession is the target of clone().
type CloneSession struct {
	Replicas []Replica
	// Truncate is the length to which copies are cut, in bytes; 0 leaves them whole.
	Truncate uint32
}

// Digest is one digest that a packet raised.
type Digest struct {
	ID   uint32 // of the learn list in the JSON
	Name string // of the learn list: P4's name of the digest's type
	// Values has the digest's fields in their order. The memory belongs to the switch and is
	// valid during the call only.
	Values [][]byte
}

// Output receives what one call of Process produces, synchronously and in order.
type Output interface {
	// Transmit sends a frame out of a port. The frame's memory belongs to the switch and is
	// valid during the call only.
	Transmit(port uint32, frame []byte)
	// Digest hands over a digest; its memory is valid during the call only.
	Digest(d Digest)
}

// Options are settings of one Switch.
type Options struct {
	// DropPort is the egress_spec that drops a packet; 0 stands for 511.
	DropPort uint32
	// Queues is the number of egress queues a port has, at most MaxQueues; 0 stands for 1, as in
	// simple_switch. A packet is dropped if its priority is not below it. With more than one,
	// the packets of a Batch with the highest priority leave first.
	Queues uint64
	// Log, if not nil, receives the texts of log_msg.
	Log func(text string)
	// Trace, if not nil, receives a line of text for each thing that happens to a packet. The
	// switch is several times as slow then.
	Trace func(line string)
	// Seed starts the random numbers of random().
	Seed uint64
}
