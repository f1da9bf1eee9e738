package lossbench

import (
	"container/heap"
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/fabric"
	"github.com/fabricscope/fabricscope/controlplane/flowcache"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

const (
	cpuPort    = 510
	digestWait = 100 * time.Millisecond // for more of a list
	step       = 500 * time.Microsecond // of the rig's time
)

// rig is the fabric and its controller. Its time is that of the synctest bubble it is in.
type rig struct {
	ctx     context.Context
	t       testing.TB
	rand    *rand.Rand // of what happens in the rig's own goroutine
	tracker *track.Tracker
	decoder *flowcache.Decoder
	devices map[string]*device
	cables  map[cable]*wire
	said    *said

	mu     sync.Mutex // guards all below
	events events
	delays *rand.Rand // of messages to and from the controller
}

// device is a switch.
type device struct {
	rig     *rig
	name    string
	engine  *engine.Switch
	zero    time.Time // when its clock showed 0
	digests [][]p4rt.Value
	flushed time.Time
	deaf    float64 // share of its digest lists that do not arrive
}

// event is something that happens at a moment.
type event struct {
	at time.Time
	do func(now time.Time)
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }

// Push is heap.Interface's.
func (e *events) Push(x any) { *e = append(*e, x.(event)) }

// Pop is heap.Interface's.
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// at has something happen at a moment.
func (r *rig) at(when time.Time, do func(now time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	heap.Push(&r.events, event{when, do})
}

// due takes the next event until a moment.
func (r *rig) due(until time.Time) (event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 || r.events[0].at.After(until) {
		return event{}, false
	}
	return heap.Pop(&r.events).(event), true
}

// run lets time pass.
func (r *rig) run(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(step)
		now := time.Now()
		for e, ok := r.due(now); ok; e, ok = r.due(now) {
			e.do(e.at)
		}
		for _, name := range switchNames() {
			d := r.devices[name]
			if len(d.digests) > 0 && now.Sub(d.flushed) >= digestWait {
				d.flush(now)
			}
		}
	}
}

// newRig starts everything, with facts beside those of the fabric, and waits until the clocks of the switches are known.
func newRig(t testing.TB, ctx context.Context, seed uint64, more ...inventory.Fact) *rig {
	r := &rig{ctx: ctx, t: t, rand: rand.New(rand.NewPCG(seed, 0)), delays: rand.New(rand.NewPCG(seed, 1)), devices: map[string]*device{}, cables: map[cable]*wire{}, said: newSaid()}
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	program, err := p4rt.NewProgram(info, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.decoder, err = flowcache.NewDecoder(program); err != nil {
		t.Fatal(err)
	}
	c, err := correlate.New(correlate.DefaultConfig(), correlate.Deps{Sink: r.said, Source: source(append(facts(), more...)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := track.DefaultConfig()
	cfg.Slots, cfg.EpochBits = p4src.FlowSlots, p4src.EpochBits
	r.tracker, err = track.New(cfg, track.Deps{Sink: c, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		PortName: func(_ string, n uint32) string { return inventory.PortName(n) }})
	if err != nil {
		t.Fatal(err)
	}
	go c.Run(ctx)         //nolint:errcheck // it ends with ctx
	go r.tracker.Run(ctx) //nolint:errcheck // likewise
	compiled := compile(t)
	for _, name := range switchNames() {
		d := &device{rig: r, name: name, engine: engine.New(compiled, engine.Options{Seed: 1}),
			zero: time.Now().Add(-time.Duration(r.rand.Int64N(int64(time.Hour))))}
		d.knowTunnels()
		r.devices[name] = d
		if err := r.tracker.Connected(ctx, d, true); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range links() {
		r.cables[l] = &wire{}
	}
	r.run(5 * time.Second)
	return r
}

// knowTunnels has the switch know the ports of tunnels that the daemon knows by default.
func (d *device) knowTunnels() {
	table, ok := d.engine.Table("FabricscopeIngress.classify.tunnel_port")
	if !ok {
		d.rig.t.Fatal("no table of tunnels' ports")
	}
	c := fabric.DefaultConfig()
	for kind, ports := range map[string][]uint16{"vxlan": c.VXLANPorts, "geneve": c.GenevePorts} {
		for _, p := range ports {
			key := engine.Match{Kind: engine.MatchExact, Value: binary.BigEndian.AppendUint16(nil, p)}
			if err := table.Insert(engine.Entry{Match: []engine.Match{key}, Action: "FabricscopeIngress.classify." + kind}); err != nil {
				d.rig.t.Fatal(err)
			}
		}
	}
}

func compile(t testing.TB) *engine.Program {
	text, err := os.ReadFile("../../p4src/gen/fabricscope.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := bmjson.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	program, err := engine.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// micros is the time of the switch's clock.
func (d *device) micros(now time.Time) uint64 { return uint64(now.Sub(d.zero).Microseconds()) }

// receive has a frame enter.
func (d *device) receive(now time.Time, port uint32, frame []byte) {
	d.engine.Process(d.micros(now), port, frame, d)
}

// Digest implements engine.Output.
func (d *device) Digest(g engine.Digest) {
	values := make([]p4rt.Value, len(g.Values))
	for i, v := range g.Values {
		values[i] = p4rt.Value(v)
	}
	if len(d.digests) == 0 {
		d.flushed = time.Now()
	}
	d.digests = append(d.digests, values)
}

// flush sends a list of digests, which may not arrive.
func (d *device) flush(now time.Time) {
	list := p4rt.DigestList{Digests: d.digests}
	d.digests = nil
	if d.rig.rand.Float64() < d.deaf {
		return
	}
	d.rig.at(now.Add(d.toController()), func(now time.Time) { d.report(now, d.rig.decoder.Reports(list)) })
}

func (d *device) report(now time.Time, reports []track.Report) {
	if err := d.rig.tracker.Reports(d.rig.ctx, d.name, reports, now); err != nil && d.rig.ctx.Err() == nil {
		d.rig.t.Error(err)
	}
}

// Transmit implements engine.Output. The way of packets through the fabric is the rig's own; what
// goes to the controller is the answer to a read-out.
func (d *device) Transmit(port uint32, frame []byte) {
	const reason, stamp, payload = 0, 3, 9 // in packet_in_t
	if port != cpuPort || p4src.PuntReason(frame[reason]) != p4src.PuntSlot {
		return
	}
	stamped := uint64(binary.BigEndian.Uint16(frame[stamp:]))<<32 | uint64(binary.BigEndian.Uint32(frame[stamp+2:]))
	r, err := flowcache.Answer(frame[payload:], stamped)
	if err != nil {
		d.rig.t.Error(err)
		return
	}
	d.rig.at(time.Now().Add(d.toController()), func(now time.Time) { d.report(now, []track.Report{r}) })
}

// The way to the controller takes longer than the one back, on average.
func (d *device) toController() time.Duration   { return d.rig.delay(300, 1000) }
func (d *device) fromController() time.Duration { return d.rig.delay(100, 300) }

// delay is one between two numbers of microseconds.
func (r *rig) delay(least, most int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(least+r.delays.IntN(most-least)) * time.Microsecond
}

// question is a packet_out_t that asks something of the flow cache.
type question struct {
	op          p4src.Op
	slot        track.SlotRequest
	clock       uint64
	incarnation uint64
}

func (d *device) ask(q question) error {
	out := make([]byte, 0, 35)
	out = append(out, byte(q.op), 0, 0)
	out = binary.BigEndian.AppendUint32(out, q.slot.Slot)
	out = binary.BigEndian.AppendUint32(out, uint32(q.slot.Idle.Microseconds()))
	out = binary.BigEndian.AppendUint16(out, uint16(q.clock>>32))
	out = binary.BigEndian.AppendUint32(out, uint32(q.clock))
	out = binary.BigEndian.AppendUint64(out, q.incarnation)
	out = binary.BigEndian.AppendUint16(out, q.slot.Generation)
	out = binary.BigEndian.AppendUint64(out, q.slot.Packets)
	d.rig.at(time.Now().Add(d.fromController()), func(now time.Time) { d.receive(now, cpuPort, out) })
	return nil
}

// Name implements track.Switch.
func (d *device) Name() string { return d.name }

// RequestSlot implements track.Switch.
func (d *device) RequestSlot(_ context.Context, r track.SlotRequest) error {
	op := p4src.OpRead
	if r.Idle > 0 {
		op = p4src.OpEvictIfIdle
	}
	return d.ask(question{op: op, slot: r})
}

// SetClock implements track.Switch.
func (d *device) SetClock(_ context.Context, offset uint64) error {
	return d.ask(question{op: p4src.OpSetClock, clock: offset})
}

// SetIncarnation implements track.Switch.
func (d *device) SetIncarnation(_ context.Context, name uint64) error {
	return d.ask(question{op: p4src.OpSetIncarnation, incarnation: name})
}

// ReadCounters implements track.Switch.
func (d *device) ReadCounters(context.Context) ([]track.PortCounters, error) { return nil, nil }
