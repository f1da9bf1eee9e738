package flowcache

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver/inprocess"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dataplane runs a switch's packets where they are sent.
type dataplane struct {
	start time.Time

	inprocess.Plane
	digests atomic.Int64 // raised
	lose    func() bool  // says of a digest that it gets lost; nil: none does. Guarded by Mu
}

func (d *dataplane) PacketOut(frame []byte) error {
	d.receive(p4src.CPUPort, frame)
	return nil
}

func (d *dataplane) Micros() uint64 { return uint64(time.Since(d.start).Microseconds()) }

// receive takes a frame in at a port.
func (d *dataplane) receive(port uint32, frame []byte) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.Switch.Process(d.Micros(), port, frame, d)
}

// loses lets digests get lost from now on, or not any more.
func (d *dataplane) loses(lose func() bool) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.lose = lose
}

// Transmit implements engine.Output: what leaves by other ports than the controller's is gone.
func (d *dataplane) Transmit(port uint32, frame []byte) {
	if port == p4src.CPUPort {
		d.Events.PacketIn(frame)
	}
}

// Digest implements engine.Output.
func (d *dataplane) Digest(digest engine.Digest) {
	if d.lose != nil && d.lose() {
		return
	}
	d.digests.Add(1)
	d.Events.Digest(digest)
}

// books are what a tracker recorded last.
type books struct {
	mu    sync.Mutex
	facts map[inventory.Ref]inventory.Fact
}

func (b *books) Record(changes ...inventory.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range changes {
		b.facts[c.Ref] = c.Fact
	}
}

// flows are the counters by what a slot of the switch would have as its key.
func (b *books) flows() map[flow.Key]flow.Counters {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[flow.Key]flow.Counters{}
	for _, f := range b.facts {
		c, ok := f.(flow.Conversation)
		if !ok {
			continue
		}
		there := c.Tuple()
		back := flow.Tuple{Protocol: there.Protocol, Src: there.Dst, Dst: there.Src, SrcPort: there.DstPort, DstPort: there.SrcPort}
		for _, h := range c.ForwardHops {
			out[flow.Key{IngressPort: h.Number, Outer: h.Outer, Tuple: there}] = h.Counters
		}
		for _, h := range c.ReverseHops {
			out[flow.Key{IngressPort: h.Number, Outer: h.Outer, Tuple: back}] = h.Counters
		}
	}
	return out
}

func (b *books) accounting() map[uint32]inventory.Accounting {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[uint32]inventory.Accounting{}
	for _, f := range b.facts {
		if a, ok := f.(inventory.Accounting); ok {
			out[a.Number] = a
		}
	}
	return out
}

// rig is softswitch with our program and a flow cache of few slots, controlled over P4Runtime
// on loopback: all that is between a frame and a record, but for the network interfaces.
type rig struct {
	*dataplane
	*books
	registry *prometheus.Registry // of the controller's side
	session  *p4rt.Session
}

func newRig(t *testing.T, slots int, ports ...uint32) *rig {
	t.Helper()
	return newRigThrough(t, slots, func(b *books) track.Sink { return b }, ports...)
}

// newRigThrough makes a rig whose tracker reports to something before the books.
func newRigThrough(t *testing.T, slots int, before func(*books) track.Sink, ports ...uint32) *rig {
	t.Helper()
	device, info, err := p4src.WithFlowSlots(slots)
	if err != nil {
		t.Fatal(err)
	}
	program, err := p4rt.NewProgram(info, device)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{dataplane: &dataplane{start: time.Now()}, books: &books{facts: map[inventory.Ref]inventory.Fact{}}, registry: prometheus.NewRegistry()}
	address := r.serve(t)
	tracker := r.track(t, slots, before(r.books))
	decoder, err := NewDecoder(program)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	handler := New(tracker, decoder, map[string][]uint32{"leaf1": ports}, log)
	handler.Start(t.Context())
	metrics, err := p4rt.NewMetrics(r.registry)
	if err != nil {
		t.Fatal(err)
	}
	cfg := p4rt.DefaultConfig()
	cfg.Name, cfg.Address, cfg.DeviceID = "leaf1", address, 7
	session, err := p4rt.New(cfg, p4rt.Deps{Log: log, Program: program, Sink: r.books, Metrics: metrics, Subscribers: []p4rt.Subscriber{handler.Subscriber()}})
	if err != nil {
		t.Fatal(err)
	}
	r.session = session
	background(t, session.Run)
	r.wait(t, "the switch to be read out", func() error {
		if n := r.metric(t, "fabricscope_track_reports_total"); n < float64(slots) {
			return fmt.Errorf("%v of %d slots", n, slots)
		}
		return nil
	})
	return r
}

// background runs f until the test ends.
func background(t *testing.T, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func (r *rig) serve(t *testing.T) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := p4rtserver.DefaultConfig()
	cfg.DeviceID = 7
	server, err := p4rtserver.New(cfg, p4rtserver.Deps{Log: slog.New(slog.DiscardHandler), Dataplane: r.dataplane,
		Registry: prometheus.NewRegistry(), Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	background(t, server.Run)
	return listener.Addr().String()
}

func (r *rig) track(t *testing.T, slots int, sink track.Sink) *track.Tracker {
	cfg := track.DefaultConfig()
	cfg.Slots, cfg.EpochBits = uint32(slots), p4src.EpochBits
	cfg.IdleTimeout, cfg.EndedTimeout = 300*time.Millisecond, 100*time.Millisecond
	cfg.PublishInterval, cfg.CounterInterval, cfg.MaxPublish = 100*time.Millisecond, 100*time.Millisecond, 1<<20
	tracker, err := track.New(cfg, track.Deps{Sink: sink, Log: slog.New(slog.DiscardHandler), Registerer: r.registry,
		PortName: func(_ string, n uint32) string { return inventory.PortName(n) }})
	if err != nil {
		t.Fatal(err)
	}
	background(t, tracker.Run)
	return tracker
}

// patience is how long nothing may change about what comes for certain, however long that takes.
const patience = time.Minute

// wait waits for a condition, and fails with what it says last.
func (r *rig) wait(t *testing.T, what string, condition func() error) {
	t.Helper()
	last, changed := "", time.Now()
	for ; ; time.Sleep(20 * time.Millisecond) {
		err := condition()
		if err == nil {
			return
		}
		if err.Error() != last {
			last, changed = err.Error(), time.Now()
		}
		if time.Since(changed) > patience {
			t.Fatalf("waited for %s: %v", what, err)
		}
	}
}

// metric adds up a metric of the controller's side over its labels.
func (r *rig) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
