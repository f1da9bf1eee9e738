package gnmi_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
)

// The writers of TestManyWritersAndSubscribers, the objects of each, and the fewest changes that each makes.
const (
	writers   = 4
	objects   = 6
	leastOps  = 400
	counterAt = "/counters/port-pkts"
)

// writer changes objects of its own. Each change of a port counts its packets up by one, over its ends as well.
type writer struct {
	*rand.Rand
	lab    *gnmitest.Lab
	number int
	counts [objects]uint64 // of the ports
	alive  [objects]bool
}

// step changes one object: a port, and with it a pod whose labels come and go.
func (w *writer) step() {
	i := w.IntN(objects)
	port := inventory.Accounting{Switch: fmt.Sprintf("leaf%d", w.number), Port: fmt.Sprintf("swp%d", i), Number: uint32(i)}
	pod := inventory.Pod{Cluster: "blue", Namespace: "shop", UID: fmt.Sprintf("uid-%d-%d", w.number, i), Name: "pod"}
	if w.alive[i] && w.IntN(8) == 0 {
		w.alive[i] = false
		w.lab.End(port, pod)
		return
	}
	w.alive[i] = true
	w.counts[i]++
	port.PortPackets = w.counts[i]
	pod.Labels = map[string]string{}
	for _, key := range []string{"a", "b", "c"} {
		if w.IntN(2) == 0 {
			pod.Labels[key] = strconv.FormatUint(w.counts[i], 10)
		}
	}
	w.lab.Record(port, pod)
}

// reader is a subscriber who keeps what it was told.
type reader struct {
	name    string
	changes bool // each change comes, once
	paused  <-chan struct{}
	// numbered are the ends of the paths of leaves that each change of their object counts up by one.
	numbered []string

	mu      sync.Mutex
	leaves  map[string]string // guarded by mu
	deleted map[string]bool   // guarded by mu; counters that were deleted since their last value
	last    map[string]uint64 // guarded by mu; of counters
	synced  bool              // guarded by mu
	want    map[string]string // guarded by mu; nil while that is not known
	done    chan struct{}     // closed when leaves are what is wanted
	closed  bool              // guarded by mu
}

// take applies a response, and checks that counters go on as they must.
func (r *reader) take(resp *gpb.SubscribeResponse) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if resp.GetSyncResponse() {
		r.synced = true
	}
	if n := resp.GetUpdate(); n.GetAtomic() { // in the place of what was there
		maps.DeleteFunc(r.leaves, func(path, _ string) bool { return strings.HasPrefix(path, join(n.GetPrefix(), nil)+"/") })
	}
	for _, gone := range deletes(resp.GetUpdate()) {
		if !r.synced {
			return fmt.Errorf("%s: %s is deleted before sync_response", r.name, gone)
		}
		for path := range r.leaves {
			if path == gone || strings.HasPrefix(path, gone+"/") {
				delete(r.leaves, path)
				r.deleted[path] = true
			}
		}
	}
	for _, u := range resp.GetUpdate().GetUpdate() {
		path := join(resp.GetUpdate().GetPrefix(), u.GetPath())
		r.leaves[path] = show(u.GetVal())
		if slices.ContainsFunc(r.numbered, func(end string) bool { return strings.HasSuffix(path, end) }) {
			if err := r.count(path, u.GetVal().GetUintVal(), uint64(u.GetDuplicates())); err != nil {
				return err
			}
		}
	}
	r.check()
	return nil
}

// count checks a counter. r.mu is held.
func (r *reader) count(path string, n, left uint64) error {
	last, known := r.last[path]
	ended := r.deleted[path]
	r.last[path], r.deleted[path] = n, false
	switch {
	case !known:
	case n < last, r.changes && n == last:
		return fmt.Errorf("%s: %s is %d after %d", r.name, path, n, last)
	case r.changes && !ended && n != last+1+left:
		return fmt.Errorf("%s: %s is %d after %d, with %d left out", r.name, path, n, last, left)
	case r.changes && n <= last+left:
		return fmt.Errorf("%s: %s is %d after %d and its end, with %d left out", r.name, path, n, last, left)
	}
	return nil
}

// check says so when everything is there that is wanted. r.mu is held.
func (r *reader) check() {
	if r.want != nil && !r.closed && maps.Equal(r.leaves, r.want) {
		r.closed = true
		close(r.done)
	}
}

// expect says what must be there in the end.
func (r *reader) expect(want map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want = want
	r.check()
}

// begin has the reader know nothing.
func (r *reader) begin() {
	r.leaves, r.deleted, r.last, r.done = map[string]string{}, map[string]bool{}, map[string]uint64{}, make(chan struct{})
}

// await waits until all is there that is wanted.
func (r *reader) await(t *testing.T, ctx context.Context) {
	t.Helper()
	select {
	case <-r.done:
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.closed {
			t.Errorf("%s: %s", r.name, differences(r.leaves, r.want))
		}
	}
}

// read takes what comes. A POLL is asked again after each answer, and begins with nothing.
func (r *reader) read(stream gpb.GNMI_SubscribeClient, poll bool) error {
	if r.paused != nil {
		select {
		case <-r.paused:
		case <-stream.Context().Done():
		}
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := r.take(resp); err != nil {
			return err
		}
		if !poll || !resp.GetSyncResponse() {
			continue
		}
		r.mu.Lock()
		clear(r.leaves)
		r.synced = false
		r.mu.Unlock()
		if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}); err != nil {
			return err
		}
	}
}

// subscriptions are the readers, with what they ask for.
func subscriptions(paused <-chan struct{}) map[*reader][]api.GNMIOption {
	const counters, everything = "/fabric/switches/switch/accounting", "/"
	onChange, sample := api.SubscriptionModeON_CHANGE(), api.SubscriptionModeSAMPLE()
	often := api.SampleInterval(20 * time.Millisecond)
	stream := api.SubscriptionListModeSTREAM()
	list := map[*reader][]api.GNMIOption{}
	add := func(r *reader, options ...api.GNMIOption) { list[r] = options }
	add(&reader{name: "counters", changes: true}, stream, subscribe(counters, onChange))
	add(&reader{name: "everything", changes: true}, stream, subscribe(everything, onChange))
	add(&reader{name: "one", changes: true}, stream, subscribe("/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]", onChange))
	add(&reader{name: "labels", changes: true}, stream, subscribe("/kubernetes/clusters/cluster/pods/pod/labels", onChange))
	add(&reader{name: "slow everything", changes: true, paused: paused}, stream, subscribe(everything, onChange))
	add(&reader{name: "slow counters", changes: true, paused: paused}, stream, subscribe("/fabric/.../port-pkts", onChange))
	add(&reader{name: "heartbeats"}, stream, subscribe(counters, onChange, api.HeartbeatInterval(30*time.Millisecond)))
	add(&reader{name: "slow heartbeats", paused: paused}, stream, subscribe(everything, onChange, api.HeartbeatInterval(30*time.Millisecond)))
	add(&reader{name: "samples"}, stream, subscribe(everything, sample, often))
	add(&reader{name: "suppressed samples"}, stream, subscribe(everything, sample, often, api.SuppressRedundant(true)))
	add(&reader{name: "polls"}, api.SubscriptionListModePOLL(), subscribe(counters))
	return list
}

// TestManyWritersAndSubscribers has writers change and end objects while subscribers of all modes follow, some of whom
// take nothing until the writers have ended and their changes have been merged. Each has to see counters go on without
// a gap or a repetition, and to end with what is so.
func TestManyWritersAndSubscribers(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	registry := prometheus.NewRegistry()
	lab := gnmitest.StartWith(t, []inventory.Fact{inventory.Cluster{Name: "blue"}}, func(d *gnmi.Deps, _ *records.Store) { d.Registerer = registry })
	ctx, cancel := context.WithTimeout(t.Context(), 6*patience)
	defer cancel()
	var merged atomic.Bool
	var writing, reading sync.WaitGroup
	for n := range writers {
		w := writer{Rand: rand.New(rand.NewPCG(seed, uint64(n))), lab: lab, number: n}
		writing.Go(func() {
			for ops := 0; (ops < leastOps || !merged.Load()) && ctx.Err() == nil; ops++ {
				w.step()
			}
		})
	}
	paused := make(chan struct{})
	readers := subscriptions(paused)
	for r, options := range readers {
		r.begin()
		r.numbered = []string{counterAt}
		req, err := api.NewSubscribeRequest(append(options, api.EncodingPROTO())...)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := dial(t, lab).Client.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		reading.Go(func() {
			if err := r.read(stream, req.GetSubscribe().GetMode() == gpb.SubscriptionList_POLL); ctx.Err() == nil {
				t.Errorf("%s: %v", r.name, err)
				cancel()
			}
		})
	}
	for !merged.Load() && ctx.Err() == nil {
		merged.Store(gauge(t, registry, "fabricscope_gnmi_merged_waiting_objects") > 0)
	}
	writing.Wait()
	close(paused)
	client := dial(t, lab)
	for r, options := range readers {
		req, err := api.NewSubscribeRequest(options...)
		if err != nil {
			t.Fatal(err)
		}
		want, err := once(t, client, subscribe(pathOf(req.GetSubscribe().GetSubscription()[0].GetPath())))
		if err != nil {
			t.Fatal(err)
		}
		r.expect(want)
	}
	for r := range readers {
		r.await(t, ctx)
	}
	cancel()
	reading.Wait()
}

// differences gives some of the leaves in which two states differ.
func differences(have, want map[string]string) string {
	var list []string
	for path := range have {
		if v, ok := want[path]; !ok || v != have[path] {
			list = append(list, fmt.Sprintf("%s is %q, not %q", path, have[path], v))
		}
	}
	for path, v := range want {
		if _, ok := have[path]; !ok {
			list = append(list, fmt.Sprintf("%s is missing, not %q", path, v))
		}
	}
	return fmt.Sprintf("%d leaves of %d differ: %q", len(list), len(want), list[:min(len(list), 3)])
}

// pathOf gives a path as text.
func pathOf(p *gpb.Path) string {
	if text := join(nil, p); text != "" {
		return text
	}
	return "/"
}

// gauge gives the value of a metric without labels.
func gauge(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
