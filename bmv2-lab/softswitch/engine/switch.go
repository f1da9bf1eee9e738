package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// Program is a compiled program. It is immutable and may serve any number of switches.
type Program struct{}

// Compile prepares a program to run. A construct that cannot be run is an error that names it.
func Compile(p *bmjson.Program) (*Program, error) { return &Program{}, nil }

// Switch is one running instance of a program.
type Switch struct{}

// New makes a switch with the program's constant and initial entries and everything else empty.
func New(p *Program, opt Options) *Switch { return &Switch{} }

// Process takes one frame that arrived at port at the time now (µs since the switch started)
// through the program; the frame is only read, and not kept. One goroutine at a time.
func (s *Switch) Process(now uint64, port uint32, frame []byte, out Output) {}

// Tables lists the tables that the control plane can see, in the program's order.
func (s *Switch) Tables() []*Table { return nil }

// Table finds a table by its P4 name.
func (s *Switch) Table(name string) (*Table, bool) { return nil, false }

// Counters lists the indirect counters.
func (s *Switch) Counters() []*Counter { return nil }

// Counter finds an indirect counter by its P4 name.
func (s *Switch) Counter(name string) (*Counter, bool) { return nil, false }

// Registers lists the registers.
func (s *Switch) Registers() []*Register { return nil }

// Register finds a register by its P4 name.
func (s *Switch) Register(name string) (*Register, bool) { return nil, false }

// SetMulticast creates or replaces a multicast group (1..65535).
func (s *Switch) SetMulticast(group uint16, replicas []Replica) error { return nil }

// DeleteMulticast removes a multicast group: ErrNotFound if there is none.
func (s *Switch) DeleteMulticast(group uint16) error { return nil }

// Multicast returns a group's replicas and whether the group exists.
func (s *Switch) Multicast(group uint16) ([]Replica, bool) { return nil, false }

// MulticastGroups lists the groups in ascending order.
func (s *Switch) MulticastGroups() []uint16 { return nil }

// SetCloneSession creates or replaces a clone session (1..32767).
func (s *Switch) SetCloneSession(id uint16, session CloneSession) error { return nil }

// DeleteCloneSession removes a clone session: ErrNotFound if there is none.
func (s *Switch) DeleteCloneSession(id uint16) error { return nil }

// CloneSession returns a session and whether it exists.
func (s *Switch) CloneSession(id uint16) (CloneSession, bool) { return CloneSession{}, false }

// CloneSessions lists the sessions in ascending order.
func (s *Switch) CloneSessions() []uint16 { return nil }

// DigestFields describes the fields of the digest with this name (P4's type name).
func (s *Switch) DigestFields(name string) ([]FieldInfo, bool) { return nil, false }
