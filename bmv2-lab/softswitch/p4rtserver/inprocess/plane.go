// Package inprocess is a data plane of a P4Runtime server whose packets are function calls: for
// tests of controllers, which embed it and say what becomes of the frames.
package inprocess

import (
	"context"
	"sync"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver"
)

// Plane holds the switch that runs. Who embeds it adds PacketOut and Micros to make it a
// p4rtserver.Dataplane, and an engine.Output.
type Plane struct {
	Mu     sync.Mutex     // held while a packet runs; guards the fields below
	Switch *engine.Switch // nil: no pipeline is there
	Events p4rtserver.Events
}

// Install is as p4rtserver.Dataplane has it, as are the next two.
func (p *Plane) Install(_ context.Context, build func(*engine.Switch) (*engine.Switch, error), events p4rtserver.Events) error {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	sw, err := build(p.Switch)
	if err == nil {
		p.Switch, p.Events = sw, events
	}
	return err
}

// Between calls do between two packets.
func (p *Plane) Between(_ context.Context, do func() error) error {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	return do()
}

// HasPort says that there are all ports.
func (p *Plane) HasPort(uint32) bool { return true }
