package kube

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// States of a cluster.
const (
	connecting  = "connecting"  // not everything is listed yet
	synced      = "synced"      // everything is listed and followed
	unreachable = "unreachable" // the last request for something failed
)

// health is the state of a cluster, from the last request for each resource.
type health struct {
	fact  inventory.Cluster // without state and message
	sink  Sink
	log   *slog.Logger
	now   func() time.Time
	gauge prometheus.Gauge

	order []string // resources, in the order in which their errors are told

	mu     sync.Mutex
	of     map[string]*request // guarded by mu; by resource
	before string              // guarded by mu; the last state told
	closed bool                // guarded by mu
}

// request is how the last request for a resource went.
type request struct {
	listed bool
	err    error
	// resumed runs while a watch that goes on after an outage may still turn out to have a gap.
	resumed *time.Timer
}

// certain is how long after its answer a resumed watch is believed to have no gap, when
// nothing happens. A server says so at once.
const certain = time.Second

func newHealth(c *cluster, resources []string) *health {
	h := &health{
		fact: inventory.Cluster{Name: c.name, Server: c.rest.Host}, sink: c.sink, log: c.log, now: c.now,
		gauge: c.metrics.synced.WithLabelValues(c.name), of: map[string]*request{}, order: resources,
	}
	for _, r := range resources {
		h.of[r] = &request{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell()
	return h
}

// update changes the state of one resource and tells the cluster's.
func (h *health) update(resource string, change func(*request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	change(h.of[resource])
	h.tell()
}

// failed notes an error of a request.
func (h *health) failed(resource string, err error) {
	h.update(resource, func(r *request) {
		r.err = err
		r.settle()
	})
}

// listing notes that the resource has to be listed anew.
func (h *health) listing(resource string) {
	h.update(resource, func(r *request) {
		r.listed = false
		r.settle()
	})
}

// answered notes that a request succeeded. After an outage that says little about a watch yet.
func (h *health) answered(resource string) {
	h.update(resource, func(r *request) {
		if r.err != nil && r.listed {
			r.resumed = time.AfterFunc(certain, func() { h.followed(resource) })
		}
		r.err = nil
	})
}

// followed notes that a watch goes on where it broke off.
func (h *health) followed(resource string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.of[resource]; r.resumed != nil && !h.closed {
		r.settle()
		h.tell()
	}
}

// complete notes that everything of the resource is known.
func (h *health) complete(resource string) {
	h.update(resource, func(r *request) {
		r.settle()
		*r = request{listed: true}
	})
}

// settle ends the doubt about a resumed watch, one way or the other.
func (r *request) settle() {
	if r.resumed != nil {
		r.resumed.Stop()
		r.resumed = nil
	}
}

// close ends the telling.
func (h *health) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, r := range h.of {
		r.settle()
	}
}

// tell records the cluster's fact. h.mu is held, so that states are recorded in order.
func (h *health) tell() {
	fact := h.fact
	fact.State = synced
	for _, name := range h.order {
		r := h.of[name]
		if r.err != nil {
			fact.State, fact.Message = unreachable, plain(r.err)
			break
		}
		if !r.listed || r.resumed != nil {
			fact.State = connecting
		}
	}
	h.sink.Record(inventory.Became(fact, h.now()))
	if fact.State == h.before {
		return
	}
	h.before = fact.State
	h.gauge.Set(0)
	switch fact.State {
	case synced:
		h.gauge.Set(1)
		h.log.Info("cluster synced", "server", fact.Server)
	case unreachable:
		h.log.Warn("cluster unreachable; its facts stay as last known, trying again", "server", fact.Server, "error", fact.Message)
	default:
		h.log.Info("connecting to cluster", "server", fact.Server)
	}
}

// plain is the text of an error without what differs from try to try: the URL's
// parameters and the local port.
func plain(err error) string {
	var network *net.OpError
	if errors.As(err, &network) && network.Addr != nil {
		return network.Addr.String() + ": " + network.Err.Error()
	}
	return err.Error()
}
