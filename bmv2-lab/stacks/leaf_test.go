package stacks

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/flowcache"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// leaf is a switch without a way of its own for packets, and the tracker's view of it.
type leaf struct {
	t       *testing.T
	engine  *engine.Switch
	decoder *flowcache.Decoder
	tracker *track.Tracker
	zero    time.Time

	mu   sync.Mutex // guards name
	name uint64     // of the registers
}

// Name implements track.Switch.
func (l *leaf) Name() string { return "leaf1" }

// RequestSlot implements track.Switch. It is only asked before there are flows.
func (l *leaf) RequestSlot(ctx context.Context, q track.SlotRequest) error {
	l.mu.Lock()
	r := track.Report{Cause: flow.CauseRead, Slot: q.Slot, Incarnation: l.name, Now: l.micros()}
	l.mu.Unlock()
	return l.tracker.Report(ctx, l.Name(), r, time.Now())
}

// SetIncarnation implements track.Switch.
func (l *leaf) SetIncarnation(_ context.Context, name uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name = name
	return nil
}

// SetClock implements track.Switch.
func (l *leaf) SetClock(context.Context, uint64) error { return nil }

// ReadCounters implements track.Switch.
func (l *leaf) ReadCounters(context.Context) ([]track.PortCounters, error) { return nil, nil }

func (l *leaf) micros() uint64 { return uint64(time.Since(l.zero).Microseconds()) }

// Transmit implements engine.Output.
func (l *leaf) Transmit(uint32, []byte) {}

// Digest implements engine.Output.
func (l *leaf) Digest(d engine.Digest) {
	values := make([]p4rt.Value, len(d.Values))
	for i, v := range d.Values {
		values[i] = p4rt.Value(v)
	}
	if err := l.tracker.Reports(l.t.Context(), l.Name(), l.decoder.Reports(p4rt.DigestList{Digests: [][]p4rt.Value{values}}), time.Now()); err != nil {
		l.t.Error(err)
	}
}

// said is the newest state of every conversation.
type said struct {
	mu   sync.Mutex
	list map[string]flow.Conversation
}

func (s *said) Record(changes ...inventory.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if conv, ok := c.Fact.(flow.Conversation); ok {
			s.list[conv.ID] = conv
		}
	}
}

// of gives the conversations of a protocol in front of the translation and behind it.
func (s *said) of(p flow.Protocol) (front, back flow.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.list {
		switch {
		case c.Protocol != p:
		case c.Server.Port == nodePort:
			front = c
		case c.Server.Port == podPort:
			back = c
		}
	}
	return front, back
}

// facts are what the Kubernetes API and the fabric say.
type facts []inventory.Fact

func cluster() facts {
	created := time.Now().Add(-time.Hour)
	at := func(address string, port uint32) inventory.Endpoint {
		return inventory.Endpoint{Switch: "leaf1", Port: inventory.PortName(port), Number: port, Address: netip.MustParseAddr(address), MAC: "02:00:00:00:00:01"}
	}
	service := inventory.Service{Cluster: "blue", Namespace: "shop", Name: "catalog", Created: created}
	member := inventory.Member{Cluster: "blue", Namespace: "shop", Service: "catalog", Address: netip.MustParseAddr(podAddress), PodUID: "uid-1", Pod: "catalog-1", Ready: true}
	for _, p := range []string{"TCP", "UDP", "SCTP"} {
		service.Ports = append(service.Ports, inventory.ServicePort{Name: p, Protocol: p, Port: 80, NodePort: nodePort})
		member.Ports = append(member.Ports, inventory.MemberPort{Name: p, Protocol: p, Port: podPort})
	}
	return facts{at(nodeOutside, portNode), at(nodeInside, portNode), at(podAddress, portPod), service, member,
		inventory.Node{Cluster: "blue", Name: "worker1", Addresses: []netip.Addr{netip.MustParseAddr(nodeOutside), netip.MustParseAddr(nodeInside)}, Created: created},
		inventory.Pod{Cluster: "blue", Namespace: "shop", Name: "catalog-1", UID: "uid-1", Node: "worker2",
			IPs: []netip.Addr{netip.MustParseAddr(podAddress)}, Phase: "Running", Created: created}}
}

// Subscribe implements correlate.Source.
func (f facts) Subscribe() (inventory.Lister, correlate.Feed) { return f, f }

// All implements inventory.Lister.
func (f facts) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for _, one := range f {
			if one.Ref().Kind == k && !yield(inventory.Entry{Fact: one, Event: time.Now().Add(-time.Hour)}) {
				return
			}
		}
	}
}

// Next implements correlate.Feed: nothing changes.
func (f facts) Next(ctx context.Context) ([]inventory.Update, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Close implements correlate.Feed.
func (f facts) Close() {}

// newLeaf starts a switch and its controller, and waits until reports are taken.
func newLeaf(t *testing.T) (*leaf, *said) {
	t.Helper()
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	program, err := p4rt.NewProgram(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, s := &leaf{t: t, zero: time.Now().Add(-time.Minute)}, &said{list: map[string]flow.Conversation{}}
	if l.decoder, err = flowcache.NewDecoder(program); err != nil {
		t.Fatal(err)
	}
	document, err := bmjson.Decode(p4src.DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := engine.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	l.engine = engine.New(compiled, engine.Options{Seed: 1})
	c, err := correlate.New(correlate.DefaultConfig(), correlate.Deps{Sink: s, Source: cluster()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := track.DefaultConfig()
	cfg.Slots, cfg.EpochBits = p4src.FlowSlots, p4src.EpochBits
	cfg.IdleTimeout, cfg.EndedTimeout, cfg.PublishInterval = time.Hour, time.Hour, 50*time.Millisecond
	l.tracker, err = track.New(cfg, track.Deps{Sink: c, Log: slog.New(slog.DiscardHandler),
		PortName: func(_ string, n uint32) string { return inventory.PortName(n) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	running.Go(func() { _ = l.tracker.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	if err := l.tracker.Connected(t.Context(), l, true); err != nil {
		t.Fatal(err)
	}
	return l, s
}
