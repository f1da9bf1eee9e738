package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/controlplane/heap"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// round is how many records are made before the clock runs, of ten minutes, and hour how many rounds become a segment:
// about as many records as one has that is full.
const (
	round = 60 * perInterval
	hour  = 6
)

// begin is when the simulated day begins.
var begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// recordsBench is a store under a clock that the traffic sets.
type recordsBench struct {
	settings
	store   *records.Store
	clock   atomic.Int64
	traffic *traffic
	pods    []string // UIDs of clients of the last round
	spent   spending
}

func benchRecords(ctx context.Context, s settings) error {
	b := &recordsBench{settings: s, traffic: newTraffic(begin)}
	b.clock.Store(begin.UnixNano())
	report("flow records: %d, as of a fabric with %d a day, each with every hop", s.records, recordsPerDay)
	cfg := records.DefaultConfig()
	cfg.Dir, cfg.SegmentAge = filepath.Join(s.dir, "records"), cfg.CompactWindow // segments are cut here
	return b.with(cfg, func() error {
		for _, do := range []func(context.Context) error{b.ingest, b.compact, b.find} {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// with runs a store.
func (b *recordsBench) with(cfg records.Config, do func() error) (err error) {
	if b.store, err = records.New(cfg, records.Deps{Now: func() time.Time { return time.Unix(0, b.clock.Load()) }}); err != nil {
		return err
	}
	collector, err := heap.New(heap.DefaultConfig()) // as in the daemon
	if err != nil {
		return errors.Join(err, b.store.Close())
	}
	running, stop := context.WithCancel(context.Background())
	var all errgroup.Group
	all.Go(func() error { return b.store.Run(running) })
	all.Go(func() error { return collector.Run(running) })
	defer func() {
		stop()
		err = errors.Join(err, all.Wait())
	}()
	return do()
}

// ingest writes everything: to the log, and as segments that are full. One processor does both.
func (b *recordsBench) ingest(ctx context.Context) error {
	written := 0
	for written < b.records {
		for range hour {
			n, err := b.append(ctx, min(round, b.records-written))
			if err != nil {
				return err
			}
			written += n
		}
		if err := b.spent.on(&b.spent.segments, func() error { return b.store.Cut(ctx) }); err != nil {
			return err
		}
	}
	perSecond := func(d time.Duration) string { return fmt.Sprintf("%.0f/s", float64(written)/d.Seconds()) }
	report("%-64s %12s", "acknowledged, by the processor's time", perSecond(b.spent.log))
	measured("acknowledged and in segments, by the processor's time", perSecond(b.spent.log+b.spent.segments), "200000/s on one core")
	report("%-64s %12s", "the same by the clock, with whatever else the machine does", perSecond(b.spent.elapsed))
	return nil
}

// append appends about n records, and says how many.
func (b *recordsBench) append(ctx context.Context, n int) (int, error) {
	batches, n := b.batches(n)
	return n, b.spent.on(&b.spent.log, func() error {
		for _, batch := range batches {
			if err := b.store.Append(ctx, batch); err != nil {
				return err
			}
		}
		return nil
	})
}

// spending is what writing took.
type spending struct {
	log, segments time.Duration // of the processor
	elapsed       time.Duration
}

// on does something on one processor, and adds to what such took.
func (s *spending) on(to *time.Duration, do func() error) error {
	runtime.GC()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	before, started := cpu(), time.Now()
	err := do()
	*to, s.elapsed = *to+cpu()-before, s.elapsed+time.Since(started)
	return err
}

// batches makes n records, and moves the clock on.
func (b *recordsBench) batches(n int) (batches [][]records.Record, made int) {
	b.pods = b.pods[:0]
	for made < n {
		batch := b.traffic.next()
		batches, made = append(batches, batch), made+len(batch)
		for i := 0; i < len(batch); i += 97 {
			if uid := batch[i].Client.Who.PodUID; uid != "" {
				b.pods = append(b.pods, uid)
			}
		}
	}
	b.clock.Store(b.traffic.now.UnixNano())
	return batches, made
}

// compact writes another hour, in segments of ten minutes as where fewer records come, and makes one of them.
func (b *recordsBench) compact(ctx context.Context) error {
	apart := b.store.Status().Segments
	for range hour {
		if _, err := b.append(ctx, round); err != nil {
			return err
		}
		if err := b.store.Cut(ctx); err != nil {
			return err
		}
	}
	before := b.store.Status()
	b.clock.Store(b.traffic.now.Add(2 * time.Hour).UnixNano())
	busy := cpu()
	if err := b.store.Maintain(ctx); err != nil {
		return err
	}
	busy = cpu() - busy
	st := b.store.Status()
	report("%-64s %12s   in %.1f s of a processor, once an hour", "an hour in segments of ten minutes, compacted",
		fmt.Sprintf("%d to %d", before.Segments-apart, st.Segments-apart), busy.Seconds())
	measured("on disk", fmt.Sprintf("%.1f B/record", float64(st.Bytes)/float64(st.Records)), "at most 24 B, of 50000000")
	report("%-64s %12s", "a billion would take", fmt.Sprintf("%.1f GB", float64(st.Bytes)/float64(st.Records)))
	return nil
}

// asked is how many pods and hours are asked for, and how many ports of switches, from a disk whose files are not in memory
// and then again.
const (
	asked      = 50
	askedPorts = 10
)

// find asks for the flows of single pods, and of single ports, in single hours.
func (b *recordsBench) find(ctx context.Context) error {
	if err := b.ask(ctx, "a pod's flows of an hour", "under 1 s, within a day's 50000000", asked, func(i int) records.Query {
		return records.Query{Pod: b.pods[i*len(b.pods)/asked]}
	}); err != nil {
		return err
	}
	return b.ask(ctx, "a switch port's flows of an hour", "", askedPorts, func(i int) records.Query {
		return records.Query{Switch: leafName(i), SwitchPort: fmt.Sprint("Ethernet", i)}
	})
}

// ask asks for hours all over the time that was written.
func (b *recordsBench) ask(ctx context.Context, what, aim string, times int, query func(i int) records.Query) error {
	span := b.traffic.now.Sub(begin)
	var cold, warm []time.Duration
	found := 0
	for i := range times {
		if err := b.forget(); err != nil {
			return err
		}
		q := query(i)
		q.From = b.traffic.now.Add(-span * time.Duration(i) / time.Duration(times)).Add(-min(time.Hour, span))
		q.To = q.From.Add(time.Hour)
		for _, to := range []*[]time.Duration{&cold, &warm} {
			started := time.Now()
			if err := b.store.Scan(ctx, q, func(*records.Record) error { found++; return nil }); err != nil {
				return err
			}
			*to = append(*to, time.Since(started))
		}
	}
	what = fmt.Sprintf("%s, %d on average: ", what, found/times/2)
	for _, t := range []struct {
		name  string
		times []time.Duration
	}{{"cold", cold}, {"warm", warm}} {
		measured(what+t.name+", median", milliseconds(quantile(t.times, 0.5)), "")
		measured(what+t.name+", p99", milliseconds(quantile(t.times, 0.99)), aim)
	}
	return nil
}

// forget asks the kernel to drop what it holds of the segments in memory.
func (b *recordsBench) forget() error {
	files, err := filepath.Glob(filepath.Join(b.dir, "records", "segments", "*"))
	if err != nil {
		return err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()); err != nil {
			return fmt.Errorf("drop %s from memory: %w", name, err)
		}
	}
	return nil
}
