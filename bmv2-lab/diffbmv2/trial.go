package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance"
	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// trial is what both switches are given.
type trial struct {
	setup   []setup
	packets []packet
}

// difference says where the two went apart.
type difference struct {
	// packet is the index of the packet, or -1 if it showed before or after all packets.
	packet int
	kind   string // program, frames, events, counters, ended or crashed
	text   string
}

// The kinds of difference that are the end of a process: softswitch's, which is a difference, and
// simple_switch_grpc's, which says nothing about softswitch.
const (
	ended   = "ended"
	crashed = "crashed"
)

func endedKind(r *rig.Rig) string {
	if r.Model == rig.Softswitch(r.Model.Command) {
		return ended
	}
	return crashed
}

// errEndless: a packet goes round and round in both switches.
var errEndless = errors.New("a packet does not end")

// pair is both switches.
type pair struct {
	prog    *program
	options pairOptions
	soft    *rig.Rig
	bmv2    *rig.Rig
	// refused counts the entries that one of the two did not accept, by what it said.
	refused map[string]int
}

type pairOptions struct {
	softswitch, bmv2 rig.Model
	ports            []uint32
	softOptions      []string
	bmv2Log          string
}

func (x *pair) start(ctx context.Context) (err error) {
	if x.soft == nil {
		if x.soft, err = rig.Start(ctx, x.options.softswitch, rig.Options{Device: 1, Ports: x.options.ports, Extra: x.options.softOptions}); err != nil {
			return err
		}
	}
	if x.bmv2 == nil {
		x.bmv2, err = rig.Start(ctx, x.options.bmv2, rig.Options{Device: 2, Ports: x.options.ports, LogFile: x.options.bmv2Log})
	}
	return err
}

// stop ends both, so that the next trial starts with new ones.
func (x *pair) stop() {
	for _, r := range []**rig.Rig{&x.soft, &x.bmv2} {
		if *r != nil {
			(*r).Close()
			*r = nil
		}
	}
}

func (x *pair) both() [2]*rig.Rig { return [2]*rig.Rig{x.soft, x.bmv2} }

// packetPatience is how long one packet may take; one that is recirculated for ever takes longer.
const packetPatience = 2 * time.Second

// run carries a trial out; a nil difference says that there is none.
func (x *pair) run(ctx context.Context, t trial) (*difference, error) {
	if err := x.start(ctx); err != nil {
		return nil, err
	}
	d, err := x.attempt(ctx, t)
	if err != nil || d != nil && (d.kind == ended || d.kind == crashed) {
		x.stop()
		return d, err
	}
	return d, x.clean(ctx, t)
}

func (x *pair) attempt(ctx context.Context, t trial) (*difference, error) {
	if d, err := x.load(ctx); d != nil || err != nil {
		return d, err
	}
	if err := x.digests(ctx); err != nil {
		return nil, err
	}
	for _, s := range t.setup {
		if d := x.write(ctx, s); d != nil {
			return d, nil
		}
	}
	for i, p := range t.packets {
		d, err := x.packet(ctx, i, p)
		if d != nil || err != nil {
			return d, err
		}
	}
	return x.after(ctx)
}

// load gives both the program. It is a difference if softswitch alone refuses it; one that
// simple_switch_grpc refuses cannot be tried.
func (x *pair) load(ctx context.Context) (*difference, error) {
	soft, bmv2 := x.soft.Load(ctx, x.prog.config), x.bmv2.Load(ctx, x.prog.config)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bmv2 != nil:
		return nil, fmt.Errorf("simple_switch_grpc: %w: %s", bmv2, x.bmv2.Output())
	case soft != nil:
		return &difference{-1, "program", fmt.Sprintf("softswitch alone refuses the program: %v", soft)}, nil
	}
	return nil, nil
}

// digests asks both for every digest by itself.
func (x *pair) digests(ctx context.Context) error {
	for _, g := range x.prog.config.GetP4Info().GetDigests() {
		e := &p4.Entity{Entity: &p4.Entity_DigestEntry{DigestEntry: &p4.DigestEntry{DigestId: g.GetPreamble().GetId(),
			Config: &p4.DigestEntry_Config{MaxTimeoutNs: int64(time.Millisecond), MaxListSize: 1}}}}
		for _, r := range x.both() {
			if err := r.Write(ctx, p4.Update_INSERT, e); err != nil {
				return fmt.Errorf("%s: digest: %w", r.Model.Name, err)
			}
		}
	}
	return nil
}

// write gives both an entity. One that only one of them takes is taken back, and counted, so
// that the packets meet the same entries.
func (x *pair) write(ctx context.Context, s setup) *difference {
	soft := x.soft.Write(ctx, s.kind, proto.CloneOf(s.entity))
	bmv2 := x.bmv2.Write(ctx, s.kind, proto.CloneOf(s.entity))
	for _, r := range x.both() {
		if r.Ended() {
			return &difference{-1, endedKind(r), fmt.Sprintf("%s ended when it was given %s: %s", r.Model.Name, s.entity, r.Output())}
		}
	}
	if (soft == nil) == (bmv2 == nil) {
		return nil
	}
	err, taker, name := soft, x.bmv2, "softswitch"
	if bmv2 != nil {
		err, taker, name = bmv2, x.soft, "simple_switch_grpc"
	}
	x.refused[fmt.Sprintf("%s alone refuses a %T: %v", name, s.entity.GetEntity(), err)]++
	if s.kind == p4.Update_INSERT {
		_ = taker.Write(ctx, p4.Update_DELETE, s.entity)
	}
	return nil
}

// packet sends one packet through both and compares what leaves.
func (x *pair) packet(ctx context.Context, i int, p packet) (*difference, error) {
	limited, cancel := context.WithTimeout(ctx, packetPatience)
	defer cancel()
	for _, r := range x.both() {
		if err := x.send(limited, r, p); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Model.Name, err)
		}
	}
	var out [2][]rig.Frame
	for j, r := range x.both() {
		err := r.Settle(limited)
		switch {
		case errors.Is(err, rig.ErrEnded):
			return &difference{i, endedKind(r), err.Error()}, nil
		case limited.Err() != nil && ctx.Err() == nil:
			return nil, errEndless
		case err != nil:
			return nil, err
		}
		if out[j], err = r.Receive(); err != nil {
			return nil, err
		}
	}
	if text := compareFrames(out[0], out[1]); text != "" {
		return &difference{i, "frames", text}, nil
	}
	return nil, nil
}

// send lets a packet arrive, at the CPU port as a packet-out.
func (x *pair) send(ctx context.Context, r *rig.Rig, p packet) error {
	if p.port != rig.CPUPort {
		return r.Send(p.port, p.frame)
	}
	out, err := conformance.PacketOut(x.prog.config.GetP4Info(), p.frame)
	if err != nil {
		return err
	}
	if err := r.SendPacket(out); err != nil {
		return err
	}
	return r.Barrier(ctx)
}

// clean takes away what a new program would not.
func (x *pair) clean(ctx context.Context, t trial) error {
	for _, s := range slices.Backward(t.setup) {
		if s.entity.GetPacketReplicationEngineEntry() == nil {
			continue
		}
		for _, r := range x.both() {
			_ = r.Write(ctx, p4.Update_DELETE, s.entity) // it may have been refused
		}
	}
	return ctx.Err()
}
