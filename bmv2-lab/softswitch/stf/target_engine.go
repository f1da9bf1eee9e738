package stf

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// engineTarget is the engine in this process. Its clock moves only when it is told to, so a
// script has the same result in every run.
type engineTarget struct {
	sw     *engine.Switch
	now    uint64 // µs
	frames []Frame

	digests []Digest
}

// object finds what a method names. Names come from the same program, so a miss is a bug of
// the caller, but one that it can report.
func object[T any](find func(string) (T, bool), what, name string) (T, error) {
	x, ok := find(name)
	if !ok {
		return x, fmt.Errorf("no %s %q: %w", what, name, engine.ErrNotFound)
	}
	return x, nil
}

func (t *engineTarget) table(name string) (*engine.Table, error) {
	return object(t.sw.Table, "table", name)
}

func (t *engineTarget) Insert(table string, e engine.Entry) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.Insert(e)
}

func (t *engineTarget) Delete(table string, e engine.Entry) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.Delete(e.Match, e.Priority)
}

func (t *engineTarget) Entries(table string) ([]engine.Entry, error) {
	x, err := t.table(table)
	if err != nil {
		return nil, err
	}
	return slices.Collect(x.Entries()), nil
}

func (t *engineTarget) SetDefault(table, action string, params [][]byte) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.SetDefault(action, params)
}

func (t *engineTarget) ResetDefault(table string) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.ResetDefault()
}

func (t *engineTarget) DirectCounter(table string, e engine.Entry) (engine.CounterData, error) {
	x, err := t.table(table)
	if err != nil {
		return engine.CounterData{}, err
	}
	got, err := x.Lookup(e.Match, e.Priority)
	if err != nil {
		return engine.CounterData{}, err
	}
	if got.Counter == nil {
		return engine.CounterData{}, fmt.Errorf("%w: table %s has no direct counter", engine.ErrInvalid, table)
	}
	return *got.Counter, nil
}

func (t *engineTarget) SetDirectCounter(table string, e engine.Entry, d engine.CounterData) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.WriteCounter(e.Match, e.Priority, d)
}

func (t *engineTarget) Counter(name string, index int) (engine.CounterData, error) {
	c, err := object(t.sw.Counter, "counter", name)
	if err != nil {
		return engine.CounterData{}, err
	}
	return c.Read(index)
}

func (t *engineTarget) SetCounter(name string, index int, d engine.CounterData) error {
	c, err := object(t.sw.Counter, "counter", name)
	if err != nil {
		return err
	}
	return c.Write(index, d)
}

func (t *engineTarget) Register(name string, index int) ([]byte, error) {
	r, err := object(t.sw.Register, "register", name)
	if err != nil {
		return nil, err
	}
	return r.Read(index)
}

func (t *engineTarget) SetRegister(name string, index int, v []byte) error {
	r, err := object(t.sw.Register, "register", name)
	if err != nil {
		return err
	}
	return r.Write(index, v)
}

func (t *engineTarget) SetMulticast(group uint16, replicas []engine.Replica) error {
	return t.sw.SetMulticast(group, replicas)
}

func (t *engineTarget) DeleteMulticast(group uint16) error { return t.sw.DeleteMulticast(group) }

func (t *engineTarget) SetClone(session uint16, replicas []engine.Replica) error {
	return t.sw.SetCloneSession(session, engine.CloneSession{Replicas: replicas})
}

func (t *engineTarget) DeleteClone(session uint16) error { return t.sw.DeleteCloneSession(session) }

func (t *engineTarget) Send(port uint32, frame []byte) error {
	t.sw.Process(t.now, port, frame, t)
	return nil
}

// Receive never waits: a packet's frames have left when Send returns.
func (t *engineTarget) Receive(int) ([]Frame, error) {
	out := t.frames
	t.frames = nil
	return out, nil
}

func (t *engineTarget) Pause(d time.Duration) { t.now += uint64(d.Microseconds()) }

// Transmit is engine.Output's.
func (t *engineTarget) Transmit(port uint32, frame []byte) {
	t.frames = append(t.frames, Frame{port, bytes.Clone(frame)})
}

// Digest is engine.Output's.
func (t *engineTarget) Digest(d engine.Digest) {
	out := Digest{Name: d.Name}
	for _, v := range d.Values {
		out.Values = append(out.Values, bytes.Clone(v))
	}
	t.digests = append(t.digests, out)
}

// Digests never waits: a packet's digest has been raised when Send returns.
func (t *engineTarget) Digests(int) ([]Digest, error) {
	out := t.digests
	t.digests = nil
	return out, nil
}
