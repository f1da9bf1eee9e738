package stf

import (
	"errors"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// ErrUnsupported is what a Target answers that cannot do what is asked. Entries may: then entries
// that the program declares have no handles.
var ErrUnsupported = errors.New("not supported by the target")

// Target is a switch under test with its program loaded and nothing else. Names are the full
// P4 names of the program's JSON. One goroutine uses it.
type Target interface {
	Tables
	Profiles
	State
	Meters
	ValueSets
	Replication
	Packets
}

// Tables are the match-action tables. Entries have the meaning of package engine: a match
// for each key in the table's order; of two priorities the larger wins.
type Tables interface {
	Insert(table string, e engine.Entry) error
	Delete(table string, e engine.Entry) error
	// Entries lists a table's entries in the order of their insertion, those that the
	// program declares first.
	Entries(table string) ([]engine.Entry, error)
	SetDefault(table, action string, params [][]byte) error
	// ResetDefault makes the default entry that of the program.
	ResetDefault(table string) error
	// SetDefaultIndirect makes the default entry run a member or a group.
	SetDefaultIndirect(table string, kind engine.IndirectKind, id uint32) error
	// DirectCounter reads the counter of an entry, which its match and priority identify.
	DirectCounter(table string, e engine.Entry) (engine.CounterData, error)
	SetDirectCounter(table string, e engine.Entry, d engine.CounterData) error
}

// Profiles are the action profiles and selectors. Ids are not 0.
type Profiles interface {
	AddMember(profile string, id uint32, action string, params [][]byte) error
	ModifyMember(profile string, id uint32, action string, params [][]byte) error
	DeleteMember(profile string, id uint32) error
	// AddGroup makes an empty group, to which ModifyGroup gives its members.
	AddGroup(profile string, id uint32) error
	ModifyGroup(profile string, id uint32, members []uint32) error
	DeleteGroup(profile string, id uint32) error
}

// Meters are the meters of arrays and of entries.
type Meters interface {
	// Meter reads a configuration; set is false while there is none, and every packet green.
	Meter(name string, index int) (r engine.MeterRates, set bool, err error)
	SetMeter(name string, index int, r engine.MeterRates) error
	DirectMeter(table string, e engine.Entry) (r engine.MeterRates, set bool, err error)
	SetDirectMeter(table string, e engine.Entry, r engine.MeterRates) error
}

// ValueSets are the parser's value sets.
type ValueSets interface {
	// SetValueSet replaces all members; each has a match for each part.
	SetValueSet(name string, members [][]engine.Match) error
}

// State is what a program keeps between packets.
type State interface {
	Counter(name string, index int) (engine.CounterData, error)
	SetCounter(name string, index int, d engine.CounterData) error
	// Register reads a cell, big-endian.
	Register(name string, index int) ([]byte, error)
	SetRegister(name string, index int, v []byte) error
}

// Replication says what becomes of copies of packets.
type Replication interface {
	// SetMulticast creates or replaces a group.
	SetMulticast(group uint16, replicas []engine.Replica) error
	DeleteMulticast(group uint16) error
	// SetClone creates or replaces a session.
	SetClone(session uint16, replicas []engine.Replica) error
	DeleteClone(session uint16) error
}

// Packets are the ports.
type Packets interface {
	// Send lets a frame arrive at a port.
	Send(port uint32, frame []byte) error
	// Receive takes the frames that have left since the last call, in order. It waits until
	// there are want of them or, at a target where packets take time, patience has ended.
	Receive(want int) ([]Frame, error)
	// Digests takes the digests that were raised since the last call, in order. It waits as
	// Receive does.
	Digests(want int) ([]Digest, error)
	// Pause lets time pass on the switch's clock.
	Pause(d time.Duration)
}

// Frame is a frame that left the switch.
type Frame struct {
	Port uint32
	Data []byte
}
