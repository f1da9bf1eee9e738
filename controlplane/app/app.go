// Package app is the composition root: it makes one daemon of the packages of the control
// plane, in the order in which data flows through them.
//
//	p4rt ─> fabric ───────────────┐
//	  └───> track ─> correlate ─> history ─> publish/gnmi, publish/export
//	kube ─────────────^──────────┘
package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/clock"
	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/diagnose"
	"github.com/fabricscope/fabricscope/controlplane/fabric"
	"github.com/fabricscope/fabricscope/controlplane/flowcache"
	"github.com/fabricscope/fabricscope/controlplane/heap"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/kube"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/portstate"
	"github.com/fabricscope/fabricscope/controlplane/publish/export"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// Daemon is the whole control plane.
type Daemon struct {
	log        *slog.Logger
	clock      *clock.Clock
	store      *history.Store
	records    *records.Store
	recorder   *records.Recorder
	correlator *correlate.Correlator
	diagnoser  *diagnose.Diagnoser
	tracker    *track.Tracker
	fabric     *fabric.Fabric
	ports      *portstate.Watcher
	sessions   []*p4rt.Session
	flows      *flowcache.Handler
	watcher    *kube.Watcher
	guard      *access.Guard
	gnmi       *gnmi.Server
	heap       *heap.Heap
	http       *httpServer
	cfg        config.Config // what runs; see Reload
}

// New puts a daemon together and opens its history. Nothing is connected before Run; a daemon
// that is not run leaves its history locked.
func New(cfg config.Config, log *slog.Logger) (*Daemon, error) {
	if err := checkRestored(cfg.StateDir); err != nil {
		return nil, err
	}
	d := &Daemon{log: log, cfg: cfg, clock: clock.New()}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if d.store, err = newStore(cfg, d.clock, log, registry); err != nil {
		return nil, err
	}
	if d.records, err = newRecords(cfg, d.clock, log, registry); err != nil {
		return nil, errors.Join(err, d.store.Close())
	}
	d.recorder = newRecorder(d.records, d.store)
	if err := d.compose(cfg, log, registry); err != nil {
		return nil, errors.Join(err, d.store.Close(), d.records.Close())
	}
	return d, nil
}

func newStore(cfg config.Config, c *clock.Clock, log *slog.Logger, r prometheus.Registerer) (*history.Store, error) {
	h := history.DefaultConfig()
	h.Dir = filepath.Join(cfg.StateDir, historyDir)
	h.Readers = cfg.GNMI.MaxPast + 2 // so that no call waits for others that are taken slowly
	h.MaxBytes = cfg.History.MaxBytes
	h.Retention, h.FlowRetention, h.Linger = cfg.History.Retention, cfg.History.FlowRetention, cfg.Flows.Linger
	return history.New(h, history.Deps{Log: log, Registerer: r, Steady: c.Steady})
}

func (d *Daemon) compose(cfg config.Config, log *slog.Logger, r *prometheus.Registry) error {
	var err error
	c := correlate.DefaultConfig()
	c.Memory = cfg.Flows.Linger + time.Minute // what is published again must not be new to it
	c.MaxLegs, c.MaxEdges = cfg.Flows.MaxLegs, cfg.Flows.MaxEdges
	if d.correlator, err = correlate.New(c, correlate.Deps{Sink: identified{d.store, d.recorder}, Source: source{d.store}, Registerer: r, Steady: d.clock.Steady}); err != nil {
		return err
	}
	if d.diagnoser, err = diagnose.New(diagnose.DefaultConfig(), diagnose.Deps{Sink: d.store, Source: findable{d.store}, Registerer: r, Self: d.self}); err != nil {
		return err
	}
	names := portNames(cfg)
	t := track.DefaultConfig()
	t.Slots, t.EpochBits = uint32(cfg.Flows.CacheSlots), p4src.EpochBits
	t.IdleTimeout, t.Linger = cfg.Flows.IdleTimeout, cfg.Flows.Linger
	t.WireGuardPorts = cfg.Flows.WireGuardPorts
	t.MaxFlows, t.MaxHops, t.MaxPublish = cfg.Flows.MaxFlows, cfg.Flows.MaxHops, cfg.Flows.MaxPublish
	t.MaxInFlight, t.MaxUnnamed, t.Queue = cfg.Flows.MaxReads, cfg.Flows.MaxUnnamed, cfg.Flows.MaxQueue
	if d.tracker, err = track.New(t, track.Deps{Sink: d.correlator, Before: d.store.Now(), Progress: d.progress, PortName: names.name, Log: log, Registerer: r}); err != nil {
		return err
	}
	if d.fabric, err = newFabric(cfg, d.store, log, r); err != nil {
		return err
	}
	if d.ports, err = newPortWatcher(cfg, d.fabric, log, r); err != nil {
		return err
	}
	if err := d.connectSwitches(cfg, names, log, r); err != nil {
		return err
	}
	if d.watcher, err = newWatcher(cfg, d.store, log, r); err != nil {
		return err
	}
	if d.guard, err = newGuard(cfg, log, r); err != nil {
		return err
	}
	if d.gnmi, err = newGNMI(cfg, d.store, d.records, d.guard, log, r); err != nil {
		return err
	}
	if d.heap, err = heap.New(heap.Config{Target: cfg.HeapTarget}); err != nil {
		return err
	}
	d.http = &httpServer{guard: d.guard, address: cfg.HTTP.Listen, registry: r, store: d.store, records: d.records, log: log}
	return nil
}

// connectSwitches makes a session per switch. All of them share the fabric and the flow cache.
func (d *Daemon) connectSwitches(cfg config.Config, names portTable, log *slog.Logger, r prometheus.Registerer) error {
	device, info, err := p4src.WithFlowSlots(cfg.Flows.CacheSlots)
	if err != nil {
		return err
	}
	program, err := p4rt.NewProgram(info, device)
	if err != nil {
		return err
	}
	decoder, err := flowcache.NewDecoder(program)
	if err != nil {
		return err
	}
	d.flows = flowcache.New(d.tracker, decoder, names.numbers(), log)
	metrics, err := p4rt.NewMetrics(r)
	if err != nil {
		return err
	}
	for _, sw := range cfg.Switches {
		c := p4rt.DefaultConfig()
		c.Name, c.Address, c.DeviceID, c.FabricRole = sw.Name, sw.Address, sw.DeviceID, sw.Role
		c.ElectionID = cfg.ElectionID
		s, err := p4rt.New(c, p4rt.Deps{Log: log, Program: program, Sink: d.store, Metrics: metrics,
			Subscribers: []p4rt.Subscriber{d.fabric.Subscriber(), d.flows.Subscriber()}})
		if err != nil {
			return err
		}
		d.sessions = append(d.sessions, s)
	}
	return nil
}

// progress says how far the history has come.
func (d *Daemon) progress() (given, stored uint64) {
	s := d.store.Status()
	return s.Version, s.Stored
}

func newFabric(cfg config.Config, store *history.Store, log *slog.Logger, r prometheus.Registerer) (*fabric.Fabric, error) {
	c := fabric.DefaultConfig()
	c.Enabled, c.LLDPInterval = cfg.Fabric.Routing, cfg.Fabric.LLDPInterval
	c.VXLANPorts, c.GenevePorts = cfg.Fabric.VXLANPorts, cfg.Fabric.GenevePorts
	// A port that was deaf for three frames has no link.
	c.LLDPHold = (3*c.LLDPInterval + time.Second - 1).Truncate(time.Second)
	for _, sw := range cfg.Switches {
		f := fabric.Switch{Name: sw.Name, DeviceID: sw.DeviceID, Role: sw.Role, Loopback: sw.Loopback.Addr}
		numbers := map[string]uint32{}
		for _, p := range sw.Ports {
			f.Ports = append(f.Ports, fabric.Port{Number: p.Number, Name: p.Name, Peer: p.Peer})
			numbers[p.Name] = p.Number
		}
		for _, g := range cfg.Fabric.Gateways {
			if g.Switch != sw.Name {
				continue
			}
			gateway := fabric.Gateway{Address: g.Address.Prefix}
			for _, p := range g.Ports {
				gateway.Ports = append(gateway.Ports, numbers[p])
			}
			f.Gateways = append(f.Gateways, gateway)
		}
		c.Switches = append(c.Switches, f)
	}
	return fabric.New(c, fabric.Deps{Log: log, Sink: store, Registerer: r, Before: store.Now()})
}

func newPortWatcher(cfg config.Config, sink portstate.Sink, log *slog.Logger, r prometheus.Registerer) (*portstate.Watcher, error) {
	c := portstate.DefaultConfig()
	for _, sw := range cfg.Switches {
		c.Switches = append(c.Switches, portstate.Switch{Name: sw.Name, Address: cmp.Or(sw.GNMIAddress, sw.Address)})
	}
	return portstate.New(c, portstate.Deps{Log: log, Sink: sink, Registerer: r})
}

func newGNMI(cfg config.Config, store *history.Store, flows *records.Store, guard *access.Guard, log *slog.Logger, r prometheus.Registerer) (*gnmi.Server, error) {
	c := gnmi.DefaultConfig()
	g := cfg.GNMI
	c.Address, c.Certificate, c.Key, c.LabDir = g.Listen, g.CertFile, g.KeyFile, cfg.StateDir
	c.SampleDefault, c.SampleMinimum, c.SendTimeout, c.Keepalive = g.SampleDefault, g.SampleMinimum, g.SendTimeout, g.Keepalive
	c.HandshakeTimeout, c.MaxConnections, c.MaxAddressConnections = g.HandshakeTimeout, g.MaxConnections, g.MaxAddressConnections
	c.MaxCalls, c.MaxAddressCalls, c.MaxStreams = g.MaxCalls, g.MaxAddressCalls, g.MaxStreams
	c.MaxSubscribers, c.MaxCallerSubscribers, c.MaxPast, c.MaxCallerPast = g.MaxSubscribers, g.MaxCallerSubscribers, g.MaxPast, g.MaxCallerPast
	c.PastTimeout, c.MaxPaths, c.MaxBehind, c.MaxBehindBytes = g.PastTimeout, g.MaxPaths, g.MaxBehind, g.MaxBehindBytes
	c.MaxRequestBytes, c.MaxGetBytes = g.MaxRequestBytes, g.MaxGetBytes
	c.MaxAnswersBytes, c.MaxCallerAnswersBytes = g.MaxAnswersBytes, g.MaxCallerAnswersBytes
	return gnmi.New(c, gnmi.Deps{Source: store, Log: log, Registerer: r, TLS: guard.TLS(), Options: guard.Options(), Access: reads{guard}, Counter: guard.Counter,
		Services: []gnmi.Service{export.New(flows, guard.ShowRecords)}})
}

// Run runs the daemon until ctx ends. The stores stop last, when nobody records any more.
func (d *Daemon) Run(ctx context.Context) error {
	stop := func() error { return nil }
	for _, run := range []func(context.Context) error{d.store.Run, d.records.Run, d.recorder.Run} {
		stop = runBehind(run, stop)
	}
	err := d.runAll(ctx)
	return errors.Join(err, stop())
}

// runBehind starts run and gives what ends it, and after it what then ends.
func runBehind(run func(context.Context) error, then func() error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() error {
		cancel()
		return errors.Join(<-ended, then())
	}
}

func (d *Daemon) runAll(ctx context.Context) error {
	// Sessions end before what they report to, or their last words would find nobody.
	upper, stopUpper := context.WithCancel(context.Background())
	defer stopUpper()
	d.flows.Start(upper)
	g, ctx := errgroup.WithContext(ctx)
	above, _ := errgroup.WithContext(upper)
	above.Go(func() error { return d.correlator.Run(upper) })
	above.Go(func() error { return d.diagnoser.Run(upper) })
	above.Go(func() error { return d.clock.Run(upper, d.stepped) })
	above.Go(func() error { return d.tracker.Run(upper) })
	above.Go(func() error { return quiet(upper, d.fabric.Run(upper)) })
	g.Go(func() error { return quiet(ctx, d.ports.Run(ctx)) })
	for _, s := range d.sessions {
		g.Go(func() error { return quiet(ctx, s.Run(ctx)) })
	}
	g.Go(func() error { return quiet(ctx, d.watcher.Run(ctx)) })
	g.Go(func() error { return d.guard.Run(ctx) })
	g.Go(func() error { return d.heap.Run(ctx) })
	g.Go(func() error { return quiet(ctx, d.gnmi.Run(ctx)) })
	g.Go(func() error { return quiet(ctx, d.http.Run(ctx)) })
	g.Go(func() error { return quiet(ctx, d.serveControl(ctx)) })
	err := g.Wait()
	stopUpper()
	return errors.Join(err, above.Wait())
}

// quiet leaves out the error that the end of ctx is.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// source makes a store what the correlator follows.
type source struct{ *history.Store }

// Subscribe implements correlate.Source.
func (s source) Subscribe() (inventory.Lister, correlate.Feed) { return s.Store.Subscribe() }

// findable makes a store what the diagnoser follows.
type findable struct{ *history.Store }

// Subscribe implements diagnose.Source.
func (s findable) Subscribe() (inventory.Lister, diagnose.Feed) { return s.Store.Subscribe() }

// Facts implements diagnose.Source.
func (s findable) Facts() inventory.Lister { return s.Now() }

// portTable names the ports of all switches.
type portTable map[string]map[uint32]string

func portNames(cfg config.Config) portTable {
	t := portTable{}
	for _, sw := range cfg.Switches {
		t[sw.Name] = map[uint32]string{}
		for _, p := range sw.Ports {
			t[sw.Name][p.Number] = p.Name
		}
	}
	return t
}

func (t portTable) name(sw string, number uint32) string {
	if n := t[sw][number]; n != "" {
		return n
	}
	return inventory.PortName(number)
}

func (t portTable) numbers() map[string][]uint32 {
	out := map[string][]uint32{}
	for sw, ports := range t {
		out[sw] = slices.Sorted(maps.Keys(ports))
	}
	return out
}
