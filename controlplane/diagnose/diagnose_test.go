package diagnose

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a diagnoser's state, and time that is made up.
type world struct {
	state *state
	now   time.Time
	last  map[inventory.Ref]inventory.Entry
	n     int
	said  []string // what began and ended: +kind subject, -kind subject
}

func newWorld() *world {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := &world{now: now, last: map[inventory.Ref]inventory.Entry{}, state: newState(DefaultConfig(), now, prometheus.NewCounter(prometheus.CounterOpts{Name: "x"}))}
	w.state.facts = func() inventory.Lister { return w }
	return w
}

// All implements inventory.Lister.
func (w *world) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for r, e := range w.last {
			if r.Kind == k && !yield(e) {
				return
			}
		}
	}
}

// is has facts hold.
func (w *world) is(facts ...inventory.Fact) {
	for _, f := range facts {
		u := inventory.Update{Ref: f.Ref(), Entry: inventory.Entry{Fact: f, Event: w.now}, Before: w.last[f.Ref()]}
		w.last[f.Ref()] = u.Entry
		w.state.update(u, w.now)
	}
}

func (w *world) ends(f inventory.Fact) {
	before := w.last[f.Ref()]
	delete(w.last, f.Ref())
	w.state.update(inventory.Update{Ref: f.Ref(), Entry: inventory.Entry{Event: w.now}, Before: before}, w.now)
}

// connect is a connection that went some way, to the cart.
func (w *world) connect(state flow.HandshakeState, change func(c *flow.Conversation)) {
	w.n++
	c := flow.Conversation{ID: fmt.Sprint(w.n), Protocol: flow.TCP, First: w.now, Last: w.now, Forward: flow.Counters{Packets: 1},
		Server:    flow.End{Address: netip.MustParseAddr("10.0.0.1"), Port: 80, Identity: flow.Identity{Cluster: "blue", Service: "shop/cart"}},
		Handshake: &flow.Handshake{State: flow.SYNSent, SYNs: 1}}
	w.is(c)
	h := *c.Handshake
	h.State = state
	c.Handshake = &h
	if change != nil {
		change(&c)
	}
	w.is(c, c) // twice: it counts once
}

// pass lets seconds pass.
func (w *world) pass(seconds int) {
	for range seconds {
		w.now = w.now.Add(time.Second)
		known := maps.Clone(w.state.open)
		for _, ch := range w.state.look(w.now) {
			_, before := known[ch.Ref.ID]
			switch f, ok := ch.Fact.(inventory.Finding); {
			case !ok:
				w.said = append(w.said, "-"+ch.Ref.ID)
			case !before:
				w.said = append(w.said, "+"+f.ID)
			}
		}
	}
}

func TestRules(t *testing.T) {
	took := func(d time.Duration) func(*flow.Conversation) {
		return func(c *flow.Conversation) { c.Handshake.ServerRTT = d }
	}
	port := inventory.Accounting{Switch: "leaf1", Port: "1", PortPackets: 1}
	link := inventory.LinkLoss{A: inventory.PortRef{Switch: "leaf1", Port: "1"}, B: inventory.PortRef{Switch: "spine1", Port: "2"}, Lossy: true,
		Recent: inventory.LossShare{Packets: 1000, Lost: 11}}
	member := inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: netip.MustParseAddr("10.0.0.1")}
	for name, c := range map[string]struct {
		happens func(w *world)
		said    string
	}{
		"two without an answer": {func(w *world) { w.connect(flow.Unanswered, nil); w.connect(flow.Unanswered, nil) }, ""},
		"three without an answer": {func(w *world) {
			for range 3 {
				w.connect(flow.Unanswered, nil)
				w.pass(5)
			}
		}, "+unanswered-port:service:blue/shop/cart:80 -unanswered-port:service:blue/shop/cart:80"},
		"three in three minutes": {func(w *world) {
			for range 3 {
				w.connect(flow.Refused, nil)
				w.pass(59)
			}
		}, ""},
		"one in between that works": {func(w *world) {
			for range 4 {
				w.connect(flow.Refused, nil)
				w.pass(2)
				w.connect(flow.Established, nil)
				w.pass(2)
			}
		}, ""},
		"refused, and then not": {func(w *world) {
			for range 5 {
				w.connect(flow.Refused, nil)
				w.pass(2)
			}
			w.connect(flow.Established, nil)
			w.pass(15)
			w.said = append(w.said, "by now")
		}, "+refused-port:service:blue/shop/cart:80 -refused-port:service:blue/shop/cart:80 by now"},
		"slower than normal": {func(w *world) {
			for i := range 100 {
				d := 2 * time.Millisecond
				if i >= 60 && i < 80 {
					d = 50 * time.Millisecond
				}
				w.connect(flow.Established, took(d))
				w.pass(1)
			}
		}, "+overloaded-server:service:blue/shop/cart:80 -overloaded-server:service:blue/shop/cart:80"},
		"always slow": {func(w *world) {
			for range 100 {
				w.connect(flow.Established, took(50*time.Millisecond))
				w.pass(1)
			}
		}, ""},
		"SYNs are repeated": {func(w *world) {
			for range 30 {
				w.connect(flow.Established, func(c *flow.Conversation) { c.Handshake.SYNs = 2 })
			}
			w.pass(1)
		}, "+overloaded-server:service:blue/shop/cart:80 -overloaded-server:service:blue/shop/cart:80"},
		"nobody takes what is sent": {func(w *world) {
			for range 3 {
				w.connect(flow.Established, func(c *flow.Conversation) {
					c.First, c.Forward.Packets, c.Reverse.Packets, c.Handshake.SYNACKs = c.Last.Add(-4*time.Second), 7, 1, 1
				})
			}
		}, "+stalled-server:service:blue/shop/cart:80 -stalled-server:service:blue/shop/cart:80"},
		"a link": {func(w *world) {
			w.is(link)
			w.pass(3)
			whole := link
			whole.Lossy = false
			w.is(whole)
			w.pass(2)
			w.is(link) // again before it cleared
			w.pass(20)
			w.is(whole)
		}, "+lossy-link:link:leaf1/1>spine1/2 -lossy-link:link:leaf1/1>spine1/2"},
		"a service without anybody": {func(w *world) {
			w.is(member)
			w.pass(5)
			w.connect(flow.SYNSent, nil)
			w.pass(5)
			m := member
			m.Ready = true
			w.is(m)
		}, "+no-endpoints:service:blue/shop/cart -no-endpoints:service:blue/shop/cart"},
		"a service that nobody asks": {func(w *world) { w.is(member) }, ""},
		"a switch for a moment": {func(w *world) {
			w.is(inventory.Switch{Name: "leaf1", State: "unreachable"})
			w.pass(3)
			w.is(inventory.Switch{Name: "leaf1", State: "ready"})
		}, ""},
		"a switch": {func(w *world) { w.is(inventory.Switch{Name: "leaf1", State: "unreachable"}) }, "+switch-unreachable:switch:leaf1"},
		"reports were lost": {func(w *world) {
			a := port
			a.MissingPackets = 7
			w.is(a)
		}, "+missing-packets:port:leaf1/1"},
		"a loop": {func(w *world) {
			w.is(port)
			w.pass(5)
			a := port
			a.Expired.Packets = 500
			w.is(a)
			w.pass(60)
			w.is(a)
		}, "+ttl-expired:port:leaf1/1 -ttl-expired:port:leaf1/1"},
		"two places": {func(w *world) {
			a := inventory.Attachment{Cluster: "blue", PodUID: "u", Switch: "leaf1", PortName: "3", Conflict: "it is elsewhere"}
			w.is(a)
			w.pass(1)
			w.ends(a)
		}, "+location-conflict:pod:blue/u@leaf1/3 -location-conflict:pod:blue/u@leaf1/3"},
		"an API": {func(w *world) {
			g := inventory.Gap{Cluster: "blue", Why: "refused"}
			w.is(g)
			w.pass(1)
			w.ends(g)
		}, "+api-gap:cluster:blue/blue -api-gap:cluster:blue/blue"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c.happens(w)
			w.pass(150)
			if got := strings.Join(w.said, " "); got != c.said {
				t.Errorf("said %q, want %q", got, c.said)
			}
		})
	}
}

// facts is a source whose feed gives what it is sent.
type facts struct {
	before []inventory.Fact
	feed   chan []inventory.Update
}

func (f *facts) Subscribe() (inventory.Lister, Feed) { return f, f }
func (f *facts) Facts() inventory.Lister             { return f }
func (f *facts) Close()                              {}

func (f *facts) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for _, x := range f.before {
			if x.Ref().Kind == k && !yield(inventory.Entry{Fact: x}) {
				return
			}
		}
	}
}

func (f *facts) Next(ctx context.Context) ([]inventory.Update, error) {
	select {
	case u := <-f.feed:
		return u, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// recorded are the IDs that were recorded, with - before those that ended.
type recorded struct{ ids []string }

func (r *recorded) Record(changes ...inventory.Change) {
	for _, ch := range changes {
		if ch.Fact == nil {
			r.ids = append(r.ids, "-"+ch.Ref.ID)
		} else {
			r.ids = append(r.ids, ch.Ref.ID)
		}
	}
}

// TestRun: a finding of an earlier run that holds goes on, one that does not ends after a while.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := inventory.Finding{ID: "refused-port:node:worker1:9", Kind: "refused-port"}
		kept := inventory.Finding{ID: "api-gap:cluster:blue/blue", Kind: "api-gap"}
		source := &facts{before: []inventory.Fact{gone, kept, inventory.Gap{Cluster: "blue"}}, feed: make(chan []inventory.Update)}
		sink := &recorded{}
		d, err := New(DefaultConfig(), Deps{Sink: sink, Source: source, Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		source.feed <- []inventory.Update{{Entry: inventory.Entry{Fact: inventory.Switch{Name: "leaf1", State: "unreachable"}}, Ref: inventory.Switch{Name: "leaf1"}.Ref()}}
		time.Sleep(90 * time.Second)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]bool{"switch-unreachable:switch:leaf1": true, "-" + gone.ID: true, "-" + kept.ID: false} {
			if slices.Contains(sink.ids, id) != want {
				t.Errorf("recorded %v; that %s is among them should be %t", sink.ids, id, want)
			}
		}
	})
}

// TestServicesThatGoAreForgotten, whether they go before their last member or after it.
func TestServicesThatGoAreForgotten(t *testing.T) {
	service := inventory.Service{Cluster: "blue", Namespace: "shop", Name: "cart"}
	member := inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: netip.MustParseAddr("10.244.0.1"), PodUID: "p"}
	for name, order := range map[string][]inventory.Fact{"service first": {service, member}, "member first": {member, service}} {
		w := newWorld()
		w.is(service, member)
		for _, f := range order {
			w.ends(f)
		}
		if n := len(w.state.services) + len(w.state.members); n != 0 {
			t.Errorf("%s: %d are left", name, n)
		}
	}
	w := newWorld()
	w.is(service, member)
	w.ends(service)
	w.is(service, member) // it is made again
	w.ends(member)
	if len(w.state.services) != 1 {
		t.Error("a service without members is forgotten")
	}
}
