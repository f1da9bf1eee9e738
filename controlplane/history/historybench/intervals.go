package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The cluster that is simulated.
const (
	livePods     = 150_000
	liveServices = 5000
	liveNodes    = 5000
	perLeaf      = 25 // nodes at one switch
	perPod       = 7  // intervals of one pod's life: four of its own, two as a member, and its attachment
)

// intervalsBench is a history under a clock that the simulation sets.
type intervalsBench struct {
	settings
	store *history.Store
	clock atomic.Int64
	r     *rand.Rand
	begin time.Time
	end   time.Time
	pods  []livePod
	uids  int
}

// livePod is a pod that is there, in one of the places that services keep filled.
type livePod struct {
	pod        inventory.Pod
	member     inventory.Member
	attachment inventory.Attachment
}

func benchIntervals(ctx context.Context, s settings) (err error) {
	b := &intervalsBench{settings: s, r: rand.New(rand.NewPCG(3, 4)), begin: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	b.clock.Store(b.begin.UnixNano())
	file := filepath.Join(s.dir, "history", "history.db")
	if _, err := os.Stat(file); err == nil {
		report("intervals: those of an earlier run, in %s", s.dir)
	} else {
		report("intervals: %d over %v, %d pods and %d services at any time", s.intervals, s.span, livePods, liveServices)
		if err := b.during(0, func() error { return b.fill(ctx) }); err != nil {
			return err
		}
	}
	if b.end, err = b.lastCommit(); err != nil {
		return err
	}
	b.clock.Store(b.end.UnixNano())
	begun, worked := time.Now(), cpu()
	return b.during(history.DefaultConfig().BatchDelay, func() error {
		b.opened(time.Since(begun), cpu()-worked)
		steps := map[string]func(context.Context) error{"services": b.services, "snapshots": b.snapshots, "timelines": b.timelines,
			"asked": b.asked, "bursts": b.bursts}
		for name := range strings.SplitSeq(s.steps, ",") {
			step, ok := steps[name]
			if !ok {
				return fmt.Errorf("-steps: %q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(steps)), ", "))
			}
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// during opens the history, and runs it while work goes on.
func (b *intervalsBench) during(delay time.Duration, work func() error) (err error) {
	cfg := history.DefaultConfig()
	cfg.Dir, cfg.Retention, cfg.BatchDelay = filepath.Join(b.dir, "history"), 2*b.span, delay
	if delay == 0 {
		cfg.QueueSize = 1 << 19 // a month in minutes: as much at once as possible
	}
	if b.store, err = history.New(cfg, history.Deps{Now: b.now}); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.store.Run(running) }()
	defer func() {
		stop()
		if closing := <-ended; err == nil {
			err = closing
		}
	}()
	return work()
}

// lastCommit gives the end of what was written: of an earlier run that was cut off, too.
func (b *intervalsBench) lastCommit() (end time.Time, err error) {
	err = b.during(0, func() error {
		end = b.store.Resumed()
		return nil
	})
	return end, err
}

// opened reports what it takes to start with what there is.
func (b *intervalsBench) opened(took, worked time.Duration) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	measured("the history opened", milliseconds(took), "a start under 60 s")
	report("%-64s %12s", "the same, processor time of all cores", milliseconds(worked))
	report("%-64s %12s", "memory of what is so now, on the heap", fmt.Sprintf("%d MiB", m.HeapAlloc>>20))
}

func (b *intervalsBench) now() time.Time { return time.Unix(0, b.clock.Load()) }

func service(n int) inventory.Ref {
	return inventory.Service{Cluster: "blue", Namespace: fmt.Sprint("team-", n%200), Name: fmt.Sprint("app-", n)}.Ref()
}

// fill writes the whole time: everything at its beginning, and then pods that are replaced one by one.
func (b *intervalsBench) fill(ctx context.Context) error {
	began, begun, written := time.Now(), cpu(), 0
	b.surroundings()
	for n := range liveServices {
		b.store.Record(inventory.Became(inventory.Service{Cluster: "blue", Namespace: fmt.Sprint("team-", n%200), Name: fmt.Sprint("app-", n), Type: "ClusterIP"}, b.now()))
	}
	for n := range livePods {
		b.pods = append(b.pods, b.born(n%liveServices))
		written += perPod
	}
	replacements := max(0, (b.intervals-written)/perPod)
	for n := range replacements {
		b.clock.Store(b.begin.Add(time.Duration(float64(b.span) * float64(n) / float64(replacements))).UnixNano())
		place := b.r.IntN(len(b.pods))
		old := b.pods[place]
		b.store.Record(inventory.Ended(old.pod.Ref(), b.now()), inventory.Ended(old.member.Ref(), b.now()), inventory.Ended(old.attachment.Ref(), b.now()))
		b.pods[place] = b.born(place % liveServices)
		written += perPod
	}
	b.clock.Store(b.begin.Add(b.span).UnixNano())
	if err := b.store.Flush(ctx); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(b.dir, "history", "history.db"))
	if err != nil {
		return err
	}
	report("%-64s %12s   %.0f/s of processor time", "written", fmt.Sprintf("%.0f/s", float64(written)/time.Since(began).Seconds()),
		float64(written)/(cpu()-begun).Seconds())
	report("%-64s %12s   100 million would take %.0f GB", "on disk", fmt.Sprintf("%.0f B each", float64(info.Size())/float64(written)),
		float64(info.Size())/float64(written)/10)
	return nil
}

// born records the life of a new pod, up to ready.
func (b *intervalsBench) born(of int) livePod {
	b.uids++
	now, uid := b.now(), fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", b.r.Uint32(), b.r.IntN(1<<16), b.r.IntN(1<<12), b.r.IntN(1<<12), b.uids)
	node := b.r.IntN(liveNodes)
	p := inventory.Pod{Cluster: "blue", Namespace: fmt.Sprint("team-", of%200), Name: fmt.Sprintf("app-%d-6b7f9c%04x-%05x", of, of, b.uids&0xfffff), UID: uid,
		Labels: map[string]string{"app": fmt.Sprint("app-", of), "pod-template-hash": fmt.Sprintf("6b7f9c%04x", of)},
		Phase:  "Pending", Created: now, Workload: inventory.Workload{Kind: "Deployment", Name: fmt.Sprint("app-", of)}}
	states := []inventory.Pod{p}
	p.Node = fmt.Sprintf("node-%04d", node)
	states = append(states, p)
	p.Phase, p.IPs = "Running", []netip.Addr{netip.AddrFrom4([4]byte{10, byte(b.uids >> 16), byte(b.uids >> 8), byte(b.uids)})}
	states = append(states, p)
	p.Ready, p.ReadySince = true, now
	states = append(states, p)
	m := inventory.Member{Cluster: "blue", Namespace: p.Namespace, Service: fmt.Sprint("app-", of), Address: p.IPs[0], PodUID: uid, Pod: p.Name, Node: p.Node,
		Ports: []inventory.MemberPort{{Name: "http", Protocol: "TCP", Port: 8080}}}
	ready := m
	ready.Ready, ready.Serving = true, true
	a := inventory.Attachment{Cluster: "blue", PodUID: uid, Switch: fmt.Sprintf("leaf%03d", node/perLeaf), Port: uint32(node % perLeaf), PortName: fmt.Sprint("Ethernet", node%perLeaf),
		Since: now, How: inventory.ByBoth, Confidence: 100}
	changes := []inventory.Change{inventory.Became(m, now), inventory.Became(a, now)}
	for i, s := range states {
		changes = append(changes, inventory.Became(s, now.Add(time.Duration(i)*time.Second)))
	}
	b.store.Record(append(changes, inventory.Became(ready, now.Add(3*time.Second)))...)
	return livePod{p, ready, a}
}

// day is the beginning of one of the time that was written.
func (b *intervalsBench) day() time.Time {
	return b.begin.Add(time.Duration(b.r.Int64N(int64(b.end.Sub(b.begin) - 24*time.Hour))))
}

// instant is one of the time that was written.
func (b *intervalsBench) instant() time.Time {
	return b.begin.Add(time.Minute + time.Duration(b.r.Int64N(int64(b.end.Sub(b.begin)-time.Hour))))
}

func (b *intervalsBench) services(ctx context.Context) error {
	var times []time.Duration
	pods := 0
	for range 300 {
		t := b.instant()
		begin := time.Now()
		v, err := b.store.ServiceAt(ctx, service(b.r.IntN(liveServices)), t)
		if err != nil {
			return err
		}
		for range v.All(inventory.KindPod) {
			pods++
		}
		times = append(times, time.Since(begin))
	}
	measured(fmt.Sprintf("pods of one service at a moment, %d on average, p99", pods/len(times)), milliseconds(quantile(times, 0.99)), "under 50 ms")
	report("%-64s %12s", "the same, median", milliseconds(quantile(times, 0.5)))
	return nil
}

// snapshots asks for all pods, and for everything.
func (b *intervalsBench) snapshots(ctx context.Context) error {
	for _, c := range []struct {
		what, aim string
		kinds     []inventory.Kind
	}{
		{"all pods at a moment", "under 2 s, of 150000", []inventory.Kind{inventory.KindPod}},
		{"everything at a moment, members and attachments too", "none of its own", nil},
	} {
		var times []time.Duration
		pods, begun := 0, cpu()
		for range 3 {
			t := b.instant()
			begin := time.Now()
			v, err := b.store.At(ctx, t, history.ByEvent, history.AllOf(c.kinds...)...)
			if err != nil {
				return err
			}
			times, pods = append(times, time.Since(begin)), 0
			for range v.All(inventory.KindPod) {
				pods++
			}
		}
		used := (cpu() - begun) / 3
		measured(fmt.Sprintf("%s: %d pods", c.what, pods), milliseconds(quantile(times, 0.5)), c.aim)
		report("%-64s %12s", "the same, processor time of all cores", milliseconds(used))
	}
	return nil
}

func (b *intervalsBench) timelines(ctx context.Context) error {
	var times []time.Duration
	spans := 0
	for range 50 {
		from := b.day()
		begin := time.Now()
		list, err := b.store.Timeline(ctx, service(b.r.IntN(liveServices)), from, from.Add(24*time.Hour))
		if err != nil {
			return err
		}
		times, spans = append(times, time.Since(begin)), spans+len(list)
	}
	measured(fmt.Sprintf("timeline of a service over a day, %d states on average, p99", spans/len(times)), milliseconds(quantile(times, 0.99)), "under 200 ms")
	return nil
}
