package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// services are what the tests of services record.
func services() []inventory.Ref {
	var refs []inventory.Ref
	for n := range 3 {
		refs = append(refs, inventory.Service{Cluster: "blue", Namespace: "shop", Name: fmt.Sprint("svc", n)}.Ref())
	}
	return refs
}

// recordService makes a random change to a service, or to what belongs to it.
func recordService(s *history.Store, r *rand.Rand, now time.Time) {
	event := now.Add(-time.Duration(r.IntN(10)) * time.Second)
	if r.IntN(3) > 0 {
		event = now
	}
	p := pod(r.IntN(12), []string{"Pending", "Running"}[r.IntN(2)])
	name := fmt.Sprint("svc", r.IntN(3))
	facts := []inventory.Fact{p,
		inventory.Service{Cluster: "blue", Namespace: "shop", Name: name, Type: []string{"ClusterIP", "NodePort"}[r.IntN(2)]},
		inventory.Member{Cluster: "blue", Namespace: "shop", Service: name, Address: netip.MustParseAddr("10.244.0.1"), PodUID: p.UID, Ready: r.IntN(2) == 0},
		inventory.Member{Cluster: "blue", Namespace: "shop", Service: name, Address: netip.MustParseAddr("192.0.2.9"), Ready: r.IntN(2) == 0},
		inventory.Attachment{Cluster: "blue", PodUID: p.UID, Switch: "leaf1", PortName: fmt.Sprint("Ethernet", r.IntN(2)), Confidence: uint8(r.IntN(3))},
	}
	f := facts[r.IntN(len(facts))]
	if r.IntN(5) == 0 {
		s.Record(inventory.Ended(f.Ref(), event))
	} else {
		s.Record(inventory.Became(f, event))
	}
}

// ofService is the part of everything that concerns a service.
func ofService(everything map[inventory.Ref]inventory.Entry, service inventory.Ref) map[inventory.Ref]inventory.Entry {
	out := map[inventory.Ref]inventory.Entry{}
	pods := map[string]bool{}
	for r, e := range everything {
		if m, ok := e.Fact.(inventory.Member); ok && m.Namespace+"/"+m.Service == service.ID {
			out[r], pods[m.PodUID] = e, true
		}
		if r == service {
			out[r] = e
		}
	}
	for r, e := range everything {
		switch f := e.Fact.(type) {
		case inventory.Pod:
			if pods[f.UID] {
				out[r] = e
			}
		case inventory.Attachment:
			if pods[f.PodUID] {
				out[r] = e
			}
		}
	}
	return out
}

// TestServices compares what is asked of one service with the state of everything.
func TestServices(t *testing.T) {
	r, cfg, d, c := random(t)
	s, _ := start(t, cfg, d)
	for range 400 {
		c.add(time.Duration(r.IntN(3000)) * time.Millisecond)
		recordService(s, r, c.now())
	}
	instant := func() time.Time { return epoch.Add(time.Duration(r.Int64N(int64(c.now().Sub(epoch))))) }
	for range 8 {
		for _, service := range services() {
			when := instant()
			everything := all(at(t, s, when, history.ByEvent))
			v, err := s.ServiceAt(t.Context(), service, when)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(ofService(everything, service), all(v), equal...); diff != "" {
				t.Fatalf("%v at %v (-want +got):\n%s", service, when, diff)
			}
			if v, err = s.At(t.Context(), when, history.ByEvent, history.AllOf(inventory.KindPod, inventory.KindService)...); err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(everything, func(r inventory.Ref, _ inventory.Entry) bool {
				return r.Kind != inventory.KindPod && r.Kind != inventory.KindService
			})
			if diff := cmp.Diff(everything, all(v), equal...); diff != "" {
				t.Fatalf("pods and services at %v (-want +got):\n%s", when, diff)
			}
		}
	}
	for _, service := range services() {
		from, to := instant(), instant()
		if to.Before(from) {
			from, to = to, from
		}
		spans, err := s.Timeline(t.Context(), service, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			checkTimeline(t, s, service, spans, from.Add(time.Duration(r.Int64N(int64(to.Sub(from))))))
		}
		if !slices.IsSortedFunc(spans, func(a, b history.Span) int { return a.Event.Compare(b.Event) }) {
			t.Error("a timeline is not in order")
		}
	}
}

// checkTimeline looks whether a timeline has what was so at an instant. It also has pods that were members at other times.
func checkTimeline(t *testing.T, s *history.Store, service inventory.Ref, spans []history.Span, when time.Time) {
	t.Helper()
	v, err := s.ServiceAt(t.Context(), service, when)
	if err != nil {
		t.Fatal(err)
	}
	want, got := all(v), map[inventory.Ref]inventory.Entry{}
	everything := all(at(t, s, when, history.ByEvent))
	for _, span := range spans {
		if span.Event.After(when) || !span.End.IsZero() && !span.End.After(when) {
			continue
		}
		r := span.Fact.Ref()
		if _, twice := got[r]; twice {
			t.Fatalf("%v at %v is there twice", r, when)
		}
		if diff := cmp.Diff(everything[r], span.Entry, equal...); diff != "" {
			t.Fatalf("%v at %v (-want +got):\n%s", r, when, diff)
		}
		got[r] = span.Entry
	}
	for r := range want {
		if _, ok := got[r]; !ok {
			t.Fatalf("%v at %v is missing", r, when)
		}
	}
}

// asSchema1 makes a file of schema 2 what version 1 would have written.
const asSchema1 = `
DROP INDEX interval_by_object; DROP INDEX interval_by_commit; DROP INDEX interval_at_event;
DROP INDEX interval_at_commit; DROP INDEX interval_of_service;
ALTER TABLE interval DROP COLUMN until_ns; ALTER TABLE interval DROP COLUMN event_node;
ALTER TABLE interval DROP COLUMN commit_node; ALTER TABLE interval DROP COLUMN service;
CREATE INDEX interval_by_object ON interval (object, id);
CREATE INDEX interval_by_event ON interval (end_event_ns, event_ns);
CREATE INDEX interval_by_commit ON interval (end_commit_ns, commit_ns);
PRAGMA user_version = 1;`

func TestFilesOfEarlierSchemas(t *testing.T) {
	for version, older := range map[string]string{"1": asSchema1, "2": ""} {
		t.Run(version, func(t *testing.T) { checkEarlierSchema(t, older) })
	}
}

// checkEarlierSchema records, rewrites the file as schema 2 and then as older makes it, and asks again.
func checkEarlierSchema(t *testing.T, older string) {
	r := rand.New(rand.NewPCG(5, 1))
	c := &clock{t: epoch}
	d := deps(t)
	d.Now = c.now
	cfg := config(t)
	s, stop := start(t, cfg, d)
	for range 300 {
		c.add(time.Duration(r.IntN(3000)) * time.Millisecond)
		recordService(s, r, c.now())
	}
	type question struct {
		when time.Time
		axis history.Axis
	}
	answers := map[question]map[inventory.Ref]inventory.Entry{}
	for n := range 30 {
		q := question{epoch.Add(time.Duration(r.Int64N(int64(c.now().Sub(epoch))))), history.Axis(n % 2)}
		answers[q] = all(at(t, s, q.when, q.axis))
	}
	stop()
	file := filepath.Join(cfg.Dir, "history.db")
	history.AsSchema2(t, file)
	execute(t, file, older)
	s, _ = start(t, cfg, d)
	for q, want := range answers {
		if diff := cmp.Diff(want, all(at(t, s, q.when, q.axis)), equal...); diff != "" {
			t.Errorf("at %v by %v (-before +after):\n%s", q.when, q.axis, diff)
		}
		v, err := s.ServiceAt(t.Context(), services()[0], q.when)
		if err != nil {
			t.Fatal(err)
		}
		if q.axis == history.ByEvent {
			if diff := cmp.Diff(ofService(want, services()[0]), all(v), equal...); diff != "" {
				t.Errorf("service at %v (-before +after):\n%s", q.when, diff)
			}
		}
	}
}
