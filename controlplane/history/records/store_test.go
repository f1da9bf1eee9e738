package records_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func config(t *testing.T) records.Config {
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "records")
	return cfg
}

// start opens a store and runs it; stop ends it and fails the test if it fails.
func start(t *testing.T, cfg records.Config, now func() time.Time) (s *records.Store, stop func()) {
	t.Helper()
	return startWith(t, cfg, records.Deps{Now: now})
}

// startWith is start with all that a store uses.
func startWith(t *testing.T, cfg records.Config, d records.Deps) (s *records.Store, stop func()) {
	t.Helper()
	s, err := records.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	await(t, "run", func() bool { return s.Status().Phase != records.Opened })
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

// sample makes records of every kind from a seed.
func sample(seed uint64, n int) []records.Record {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	address := func() netip.Addr {
		if r.IntN(5) == 0 {
			return netip.AddrFrom16([16]byte{0xfd, 15: byte(r.IntN(50))})
		}
		return netip.AddrFrom4([4]byte{10, 244, byte(r.IntN(2)), byte(r.IntN(50))})
	}
	end := func() records.End {
		p := fmt.Sprint("web-", r.IntN(40))
		who := &flow.Identity{Cluster: "blue", Namespace: pick("shop", "bank"), Pod: p, PodUID: "uid-" + p, Workload: "Deployment/web",
			Service: pick("", "shop/cart", "shop/cart,shop/web"), Node: "worker1", Switch: "leaf1", Port: "Ethernet3"}
		if r.IntN(4) == 0 {
			who = &flow.Identity{Why: "address is of no known pod, node or service"}
		}
		return records.End{Address: address(), Port: uint16(r.IntN(3) * 4000), Who: who}
	}
	direction := func() records.Direction {
		d := records.Direction{Counters: flow.Counters{Packets: r.Uint64N(5), Bytes: r.Uint64N(1 << 40)}, Flags: 0x1b,
			Lost: int64(r.IntN(4)) - 1, Within: uint64(r.IntN(3))}
		outer := &flow.Outer{Kind: flow.VXLAN, VNI: 7, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2")}
		for i := range r.IntN(4) {
			h := records.Hop{Place: &records.Place{Switch: fmt.Sprint("leaf", i), Port: pick("Ethernet1", "Ethernet2")}, Outer: outer, Counters: d.Counters}
			if r.IntN(5) == 0 {
				h.Packets++
			}
			if r.IntN(9) == 0 {
				h.Outer = &flow.Outer{}
			}
			h.Incomplete = r.IntN(9) == 0
			d.Hops = append(d.Hops, h)
		}
		return d
	}
	out := make([]records.Record, n)
	for i := range out {
		first := epoch.Add(time.Duration(r.IntN(3600_000)) * time.Millisecond)
		out[i] = records.Record{
			Time: epoch.Add(time.Duration(r.IntN(360)) * 10 * time.Second), Conversation: fmt.Sprintf("%08x%08x", seed, i),
			Protocol: flow.Protocol(r.IntN(300)), ICMPType: uint16(r.IntN(3)), Opaque: flow.Opaque(pick("", "esp")),
			Client: end(), Server: end(), First: first, Last: first.Add(time.Second),
			Verdict: records.Verdicts()[r.IntN(len(records.Verdicts()))], Forward: direction(), Reverse: direction(),
			Handshake: flow.Handshake{State: flow.Established, SYNs: 1, SYNACKs: 1, ServerRTT: time.Duration(r.IntN(9)) * time.Microsecond},
		}
	}
	return out
}

// scan gives what a store has.
func scan(t *testing.T, s *records.Store, q records.Query) []records.Record {
	t.Helper()
	var out []records.Record
	if err := s.Scan(t.Context(), q, func(r *records.Record) error {
		out = append(out, *r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func byConversation(list []records.Record) []records.Record {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b records.Record) int {
		if order := strings.Compare(a.Conversation, b.Conversation); order != 0 {
			return order
		}
		return a.Time.Compare(b.Time)
	})
	return list
}

// difference tells two lists of records apart; "" for equal ones, whatever their order.
func difference(want, got []records.Record) string {
	want, got = byConversation(want), byConversation(got)
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return "-want +got:\n" + cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}))
}

func appendAll(t *testing.T, s *records.Store, list []records.Record) {
	t.Helper()
	for part := range slices.Chunk(slices.Clone(list), 100) {
		if err := s.Append(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryFieldStays takes records through log, restart, segment and compaction.
func TestEveryFieldStays(t *testing.T) {
	cfg := config(t)
	now := epoch
	clock := func() time.Time { return now }
	s, stop := start(t, cfg, clock)
	want := sample(1, 3000)
	appendAll(t, s, want[:1000])
	check := func(where string, n int) {
		t.Helper()
		if d := difference(want[:n], scan(t, s, records.Query{})); d != "" {
			t.Fatalf("%s: %s", where, d)
		}
	}
	check("from memory", 1000)
	stop()
	s, stop = start(t, cfg, clock)
	check("from the log", 1000)
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("from a segment", 1000)
	appendAll(t, s, want[1000:2000])
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, want[2000:])
	check("from all three", 3000)
	stop()
	s, _ = start(t, cfg, clock)
	check("after a restart", 3000)
	if st := s.Status(); st.Segments != 2 || st.Records != 2000 || st.Head != 1000 {
		t.Errorf("status is %+v", st)
	}
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "wal", "*"))
	if err != nil || len(files) > 3 {
		t.Errorf("the log is not cut: %v, %v", files, err)
	}
}

// TestConversationsGoOn appends the records of some conversations interval by interval, with ways that change and ends that
// turn out to be the other way round, while the store restarts and segments are cut: the log refers to what it has of a
// conversation already.
func TestConversationsGoOn(t *testing.T) {
	cfg := config(t)
	clock := newClock(epoch)
	s, stop := start(t, cfg, clock.now)
	last, others := sample(9, 60), sample(10, 60)
	var want []records.Record
	for interval := range 8 {
		next := slices.Clone(last)
		for i := range next {
			r := &next[i]
			r.Time = epoch.Add(time.Duration(interval) * 10 * time.Second)
			switch (i + interval) % 5 {
			case 0:
				r.Client, r.Server, r.Forward, r.Reverse = r.Server, r.Client, r.Reverse, r.Forward
			case 1:
				r.Forward.Hops = others[i].Forward.Hops
			case 2:
				r.Server.Who = others[i].Client.Who
			}
		}
		last = next
		want = append(want, next...)
		appendAll(t, s, next)
		if interval == 2 || interval == 4 {
			if err := s.Cut(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if interval%2 == 1 {
			stop()
			s, stop = start(t, cfg, clock.now)
		}
		if d := difference(want, scan(t, s, records.Query{})); d != "" {
			t.Fatalf("interval %d: %s", interval, d)
		}
	}
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := difference(want, scan(t, s, records.Query{})); d != "" {
		t.Errorf("in segments: %s", d)
	}
}

// TestQueries holds every question against the records one by one.
func TestQueries(t *testing.T) {
	cfg := config(t)
	s, _ := start(t, cfg, func() time.Time { return epoch })
	all := sample(2, 4000)
	appendAll(t, s, all[:3000])
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, all[3000:])
	port, protocol := uint16(4000), uint16(17)
	end := func(of func(records.End) bool) func(records.Record) bool {
		return func(r records.Record) bool { return of(r.Client) || of(r.Server) }
	}
	for name, c := range map[string]struct {
		q    records.Query
		want func(records.Record) bool
	}{
		"pod":       {records.Query{Pod: "web-7"}, end(func(e records.End) bool { return e.Who.Pod == "web-7" })},
		"uid":       {records.Query{Pod: "uid-web-8"}, end(func(e records.End) bool { return e.Who.Pod == "web-8" })},
		"service":   {records.Query{Service: "shop/web"}, end(func(e records.End) bool { return e.Who.Service == "shop/cart,shop/web" })},
		"workload":  {records.Query{Workload: "Deployment/web"}, end(func(e records.End) bool { return e.Who.Pod != "" })},
		"namespace": {records.Query{Namespace: "bank"}, end(func(e records.End) bool { return e.Who.Namespace == "bank" })},
		"cluster":   {records.Query{Cluster: "green"}, func(records.Record) bool { return false }},
		"pod in namespace": {records.Query{Pod: "web-7", Namespace: "bank"},
			end(func(e records.End) bool { return e.Who.Pod == "web-7" && e.Who.Namespace == "bank" })},
		"address": {records.Query{Address: netip.MustParseAddr("10.244.1.9")},
			end(func(e records.End) bool { return e.Address == netip.MustParseAddr("10.244.1.9") })},
		"address and port": {records.Query{Address: netip.MustParseAddr("fd00::9"), Port: &port},
			end(func(e records.End) bool { return e.Address == netip.MustParseAddr("fd00::9") && e.Port == 4000 })},
		"protocol":     {records.Query{Protocol: &protocol}, func(r records.Record) bool { return r.Protocol == 17 }},
		"verdict":      {records.Query{Verdict: records.Lost}, func(r records.Record) bool { return r.Verdict == records.Lost }},
		"conversation": {records.Query{Conversation: all[17].Conversation}, func(r records.Record) bool { return r.Conversation == all[17].Conversation }},
		"switch": {records.Query{Switch: "leaf2"}, func(r records.Record) bool {
			return len(r.Forward.Hops) > 2 || len(r.Reverse.Hops) > 2
		}},
		"port of switch": {records.Query{Switch: "leaf0", SwitchPort: "Ethernet2"}, func(r records.Record) bool {
			on := func(hops []records.Hop) bool { return len(hops) > 0 && hops[0].Port == "Ethernet2" }
			return on(r.Forward.Hops) || on(r.Reverse.Hops)
		}},
		"time": {records.Query{From: epoch.Add(10 * time.Minute), To: epoch.Add(11 * time.Minute)}, func(r records.Record) bool {
			return !r.Time.Before(epoch.Add(10*time.Minute)) && r.Time.Before(epoch.Add(11*time.Minute))
		}},
		"pod, time, verdict": {records.Query{Pod: "web-1", From: epoch.Add(30 * time.Minute), Verdict: records.Answered}, func(r records.Record) bool {
			return (r.Client.Who.Pod == "web-1" || r.Server.Who.Pod == "web-1") && !r.Time.Before(epoch.Add(30*time.Minute)) && r.Verdict == records.Answered
		}},
		"what is permitted": {records.Query{Namespace: "bank", Permit: func(r *records.Record) bool { return r.Verdict == records.Lost }},
			func(r records.Record) bool {
				return r.Verdict == records.Lost && (r.Client.Who.Namespace == "bank" || r.Server.Who.Namespace == "bank")
			}},
		"no time": {records.Query{From: epoch.Add(100 * time.Hour)}, func(records.Record) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []records.Record
			for _, r := range all {
				if c.want(r) {
					want = append(want, r)
				}
			}
			if d := difference(want, scan(t, s, c.q)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestScanEndsWithItsContext cancels queries between pages and between records.
func TestScanEndsWithItsContext(t *testing.T) {
	s, _ := start(t, config(t), func() time.Time { return epoch })
	appendAll(t, s, sample(4, 3000))
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, q := range []records.Query{{}, {Verdict: records.Lost}} {
		ctx, cancel := context.WithCancel(t.Context())
		given := 0
		if err := s.Scan(ctx, q, func(*records.Record) error {
			given++
			cancel()
			return nil
		}); !errors.Is(err, context.Canceled) || given > 3000/2 {
			t.Errorf("cancelled at the first of %+v: %d more, %v", q, given-1, err)
		}
		if err := s.Scan(ctx, q, func(*records.Record) error { return errors.New("given") }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before %+v: %v", q, err)
		}
	}
	if st := s.Status(); len(st.Isolated) > 0 {
		t.Errorf("isolated: %v", st.Isolated)
	}
}
