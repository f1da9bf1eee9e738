package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/flowcache"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// bench runs the measurements.
type bench struct {
	settings
	program *p4rt.Program
	decoder *flowcache.Decoder
}

func run(ctx context.Context, s settings) error {
	b := &bench{settings: s}
	info, err := p4src.P4Info()
	if err != nil {
		return err
	}
	if b.program, err = p4rt.NewProgram(info, nil); err != nil {
		return err
	}
	if b.decoder, err = flowcache.NewDecoder(b.program); err != nil {
		return err
	}
	var decoded, best figures
	for i := range s.rounds {
		d, err := b.decodeAlone(ctx)
		if err != nil {
			return err
		}
		f, err := b.ingest(ctx, i == s.rounds-1)
		if err != nil {
			return err
		}
		if i == 0 || d.rate() > decoded.rate() {
			decoded = d
		}
		if i == 0 || f.rate() > best.rate() {
			best = f
		}
	}
	b.print(decoded, best)
	return nil
}

// figures are those of one round.
type figures struct {
	digests, begun  int
	spent, spentNew time.Duration // processor time, with live flows and while they begin
	passed          time.Duration // and time by the clock
	heap            float64       // bytes
	live            int
	pauses          pauses
	published       int
	resolved        int
}

func (f figures) rate() float64 { return float64(f.digests) / f.spent.Seconds() }

func (b *bench) print(decoded, f figures) {
	report("%d switches, %d pods of %d services, %d live flows, one processor; the fastest of %d rounds", switches, pods, services, f.live, b.rounds)
	report("digests/s of processor time")
	report("  unmarshalled and decoded alone       %10.0f", decoded.rate())
	report("  and through track and correlate      %10.0f   (at least 200000)  %s", f.rate(), verdict(f.rate() >= 200_000))
	report("  the same by the clock                %10.0f   (the processor was ours for %.0f%% of it)", float64(f.digests)/f.passed.Seconds(), 100*f.spent.Seconds()/f.passed.Seconds())
	report("  all flows new                        %10.0f", float64(f.begun)/f.spentNew.Seconds())
	report("  time for track and correlate / time for decoding  %5.2f", f.spent.Seconds()/float64(f.digests)*decoded.rate()-1)
	report("conversations published, a second      %10.0f   (at most %d)", float64(f.published)/f.passed.Seconds(), track.DefaultConfig().MaxPublish)
	report("  both ends are known pods             %9.1f%%", 100*float64(f.resolved)/float64(f.published))
	perFlow := f.heap / float64(f.live)
	report("heap per live flow, bytes              %10.0f   (at most 300)      %s", perFlow, verdict(perFlow <= 300))
	report("GC pauses, µs: %d, p99 %.0f, longest %.0f", f.pauses.count, f.pauses.p99*1e6, f.pauses.longest*1e6)
}

// decodeAlone reads everything and drops it.
func (b *bench) decodeAlone(ctx context.Context) (f figures, err error) {
	feed, err := b.feed(ctx, clocks{Zero: time.Now().UnixMicro(), Offsets: make([]uint64, switches), Names: make([]uint64, switches)})
	if err != nil {
		return f, err
	}
	drop := func(int, []track.Report, time.Time) error { return nil }
	if _, err := feed.phase(drop); err != nil {
		return f, err
	}
	before, began := processorTime(), time.Now()
	f.digests, err = feed.phase(drop)
	f.spent, f.passed = processorTime()-before, time.Since(began)
	return f, errors.Join(err, feed.wait())
}

// controller is a tracker whose conversations go through a correlator to a sink.
func controller(to correlate.Sink, registry *prometheus.Registry) (*correlate.Correlator, *track.Tracker, error) {
	c, err := correlate.New(correlate.DefaultConfig(), correlate.Deps{Sink: to, Source: source(facts()), Registerer: registry})
	if err != nil {
		return nil, nil, err
	}
	cfg := track.DefaultConfig()
	cfg.Slots, cfg.EpochBits = slots, epochBits
	cfg.IdleTimeout, cfg.EndedTimeout = time.Hour, time.Hour // who is silent is part of the traffic
	t, err := track.New(cfg, track.Deps{Sink: c, Log: slog.New(slog.DiscardHandler), Registerer: registry,
		PortName: func(_ string, n uint32) string { return inventory.PortName(n) }})
	return c, t, err
}

// ingest runs everything.
func (b *bench) ingest(ctx context.Context, last bool) (f figures, err error) {
	nobody, registry := &sink{}, prometheus.NewRegistry()
	c, t, err := controller(nobody, registry)
	if err != nil {
		return f, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { err = errors.Join(err, c.Run(ctx)) })
	wg.Go(func() { err = errors.Join(err, t.Run(ctx)) })
	defer wg.Wait()
	defer cancel()
	known := heap()

	clocks, err := connect(ctx, t)
	if err != nil {
		return f, err
	}
	feed, err := b.feed(ctx, clocks)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, feed.wait()) }()
	deliver := func(sw int, reports []track.Report, received time.Time) error {
		return t.Reports(ctx, switchName(sw), reports, received)
	}
	before := processorTime()
	if f.begun, err = feed.phase(deliver); err != nil {
		return f, err
	}
	f.spentNew = processorTime() - before
	if last && b.profile != "" {
		stop, err := b.startProfile()
		if err != nil {
			return f, err
		}
		defer stop()
	}
	publishedBefore, resolvedBefore := nobody.count()
	pausesBefore := readPauses()
	began := time.Now()
	before = processorTime()
	if f.digests, err = feed.phase(deliver); err != nil {
		return f, err
	}
	if err := t.Disconnected(ctx, switchName(0)); err != nil { // comes after all reports
		return f, err
	}
	f.spent, f.passed = processorTime()-before, time.Since(began)
	f.pauses = readPauses().since(pausesBefore)
	f.heap = heap() - known
	f.live, err = gauge(registry, "fabricscope_track_live_slots")
	published, resolved := nobody.count()
	f.published, f.resolved = published-publishedBefore, resolved-resolvedBefore
	return f, err
}

// startProfile profiles the processor until stop, and the heap then.
func (b *bench) startProfile() (stop func(), err error) {
	cpu, err := os.Create(b.profile + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()
		if f, err := os.Create(b.profile + ".heap"); err == nil {
			_ = pprof.Lookup("heap").WriteTo(f, 0)
			_ = f.Close()
		}
	}, nil
}

// gauge adds up a metric over its labels.
func gauge(r *prometheus.Registry, name string) (int, error) {
	families, err := r.Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		if f.GetName() == name {
			sum := 0.0
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue()
			}
			return int(sum), nil
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// sink counts what comes out, and keeps nothing.
type sink struct {
	mu                  sync.Mutex
	published, resolved int
}

func (s *sink) Record(changes ...inventory.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if c, ok := c.Fact.(flow.Conversation); ok {
			s.published++
			if c.Client.Identity.Pod != "" && c.Server.Identity.Pod != "" {
				s.resolved++
			}
		}
	}
}

func (s *sink) count() (published, resolved int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.published, s.resolved
}
