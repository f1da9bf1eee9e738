package app

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/gnmiserver"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// Switch is one software switch.
type Switch struct {
	cfg    Config
	deps   Deps
	set    *ports.Set
	worker *worker
	server *p4rtserver.Server // nil without Deps.Listener
	ready  chan struct{}
}

// New prepares a switch and compiles its program; Run makes it live.
func New(cfg Config, deps Deps) (*Switch, error) {
	if err := deps.check(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("softswitch: %w", err)
	}
	set, err := ports.New(cfg.ports(), ports.Deps{Log: deps.Log, Transmit: deps.Transmit})
	if err != nil {
		return nil, err
	}
	s := &Switch{cfg: cfg, deps: deps, set: set, worker: newWorker(set, cfg.CPUPort, newDumper(deps.Log, cfg.DumpBytes)), ready: make(chan struct{})}
	options := engine.Options{DropPort: cfg.DropPort, Queues: cfg.Queues, Log: func(text string) { deps.Log.Info("log_msg", "text", text) }}
	options.Trace = deps.tracer()
	if cfg.Program != nil {
		sw, err := load(cfg.Program, options)
		if err != nil {
			return nil, err
		}
		s.worker.sw.Store(sw)
	}
	if deps.Listener != nil {
		sc := p4rtserver.DefaultConfig()
		sc.DeviceID, sc.Engine = cfg.DeviceID, options
		gnmi, err := gnmiserver.New(gnmiserver.DefaultConfig(), gnmiserver.Deps{Interfaces: s.interfaces, Registry: deps.Registry})
		if err != nil {
			return nil, err
		}
		s.worker.changed = gnmi.Changed
		s.server, err = p4rtserver.New(sc, p4rtserver.Deps{
			Log: deps.Log, Dataplane: s.worker, Registry: deps.Registry, Listener: deps.Listener, TLS: deps.TLS, Beside: gnmi,
		})
		if err != nil {
			return nil, err
		}
	}
	if err := s.register(); err != nil {
		return nil, err
	}
	return s, nil
}

// load compiles a program.
func load(document []byte, options engine.Options) (*engine.Switch, error) {
	decoded, err := bmjson.Decode(document)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	program, err := engine.Compile(decoded)
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	return engine.New(program, options), nil
}

// Run runs the switch until ctx ends or a part of it fails. It may be called once.
func (s *Switch) Run(ctx context.Context) error {
	defer s.set.Close()
	if err := s.set.Open(); err != nil {
		for _, l := range []net.Listener{s.deps.Listener, s.deps.Admin} {
			if l != nil {
				l.Close()
			}
		}
		return err
	}
	s.logStart()
	close(s.ready)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.worker.run(ctx) })
	if s.server != nil {
		g.Go(func() error { return s.server.Run(ctx) })
	}
	if s.deps.Admin != nil {
		g.Go(func() error { return s.serveAdmin(ctx) })
	}
	err := g.Wait()
	s.deps.Log.Info("stopped")
	return err
}

func (s *Switch) logStart() {
	for _, p := range s.set.Stats() {
		s.deps.Log.Info("port", "port", p.Number, "interface", p.Interface, "up", p.Up, "cpu", s.cfg.CPUPort != 0 && p.Number == s.cfg.CPUPort)
	}
	attrs := []any{"device", s.cfg.DeviceID, "program", s.cfg.Program != nil}
	if s.deps.Listener != nil {
		attrs = append(attrs, "p4runtime", s.deps.Listener.Addr().String(), "tls", s.deps.TLS != nil)
	}
	if s.deps.Admin != nil {
		attrs = append(attrs, "admin", s.deps.Admin.Addr().String())
	}
	s.deps.Log.Info("switch started", attrs...)
}

// Ready is closed when the ports are open and frames are taken.
func (s *Switch) Ready() <-chan struct{} { return s.ready }

// Inject makes a frame arrive at a port. It never blocks: an error that is ports.ErrQueueFull
// says that the frame was dropped. The memory is not kept.
func (s *Switch) Inject(port uint32, frame []byte) error { return s.set.Inject(port, frame) }

// Impair makes what a port sends pass a bad wire; the zero Impairment makes it good again.
func (s *Switch) Impair(port uint32, imp ports.Impairment) error { return s.set.Impair(port, imp) }

// Shut takes a port out of service, or back into it.
func (s *Switch) Shut(port uint32, shut bool) error { return s.set.Shut(port, shut) }

// Ports lists the counts of the ports.
func (s *Switch) Ports() []ports.Stats { return s.set.Stats() }

// interfaces are the ports as gNMI tells of them; the CPU port is none.
func (s *Switch) interfaces() []gnmiserver.Interface {
	var all []gnmiserver.Interface
	for _, p := range s.set.Stats() {
		if s.cfg.CPUPort != 0 && p.Number == s.cfg.CPUPort {
			continue
		}
		i := gnmiserver.Interface{
			Name: ports.Port{Number: p.Number, Interface: p.Interface}.Name(), ID: p.Number, Index: uint32(p.Index), AdminUp: p.AdminUp, Oper: "DOWN",
			LastChange: p.Since,
			In:         gnmiserver.Counters{Octets: p.RxBytes, Packets: p.RxFrames, Discards: p.RxQueueFull + p.RxOversize + p.RxLinkDown},
			Out:        gnmiserver.Counters{Octets: p.TxBytes, Packets: p.TxFrames, Discards: p.TxQueueFull + p.TxLinkDown + p.TxRefused + p.DelayFull},
		}
		switch {
		case p.Up:
			i.Oper = "UP"
		case !p.Present:
			i.Oper = "NOT_PRESENT"
		}
		all = append(all, i)
	}
	return all
}

// Settle returns when the frames that were injected before have been processed.
func (s *Switch) Settle(ctx context.Context) error {
	for {
		waiting := s.set.Waiting()
		if err := s.worker.between(ctx, func() error { return nil }); err != nil {
			return err
		}
		if waiting == 0 {
			return nil
		}
	}
}
