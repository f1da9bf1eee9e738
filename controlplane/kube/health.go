package kube

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

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
	from  access
	sink  Sink
	log   *slog.Logger
	now   func() time.Time
	gauge prometheus.Gauge

	mu     sync.Mutex
	order  []string            // guarded by mu; resources, in the order in which their errors are told
	of     map[string]*request // guarded by mu; by resource
	before string              // guarded by mu; the last state told
	gap    gap                 // guarded by mu
	broken string              // guarded by mu; why the files with the credentials cannot be used, empty if they can
	closed bool                // guarded by mu
}

// request is how the last request for a resource went.
type request struct {
	optional bool
	listed   bool
	behind   bool // the watch has not sent yet what happened while all was listed
	denied   bool // the credentials may not read it
	err      error
	garbled  bool      // err is about an answer that cannot be read
	heard    time.Time // when it was last certain that nothing was missed
	// resumed runs while a watch that goes on after an outage may still turn out to have a gap.
	resumed *time.Timer
}

// certain is how long after its answer a resumed watch is believed to have no gap, when
// nothing happens. A server says so at once.
const certain = time.Second

func newHealth(c *cluster, resources []resource) *health {
	h := &health{
		fact: inventory.Cluster{Name: c.name, Server: c.access.server(), VNIs: c.access.cluster.VNIs},
		from: c.access, broken: c.access.broken, sink: c.sink, log: c.log, now: c.now,
		gauge: c.metrics.synced.WithLabelValues(c.name), of: map[string]*request{},
		gap: gap{cluster: c.name, sink: c.sink, closed: c.metrics.gaps.WithLabelValues(c.name)},
	}
	for _, r := range resources {
		h.order = append(h.order, r.name)
		h.of[r.name] = &request{optional: r.optional}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gap.resume(c.since, h.now())
	h.tell()
	return h
}

// files notes whether the files with the credentials can be used as they are now.
func (h *health) files(broken string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed && broken != h.broken {
		h.broken = broken
		h.tell()
	}
}

// extra adds a resource that comes and goes with its API. It is no condition for the cluster's being synced.
func (h *health) extra(resource string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of[resource] = &request{optional: true}
}

// drop takes such a resource out again.
func (h *health) drop(resource string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of[resource].settle()
	delete(h.of, resource)
}

// update changes the state of one resource and tells the cluster's.
func (h *health) update(resource string, change func(*request)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	if r := h.of[resource]; r != nil {
		change(r)
		h.tell()
	}
}

// failed notes an error of a request. That the credentials may not read what can be done without is none.
func (h *health) failed(resource string, err error) {
	h.update(resource, func(r *request) {
		r.denied = r.optional && forbidden(err)
		if !r.denied {
			r.err = err
		}
		r.settle()
	})
}

// listing notes that the resource has to be listed anew.
func (h *health) listing(resource string) {
	h.update(resource, func(r *request) {
		if r.listed {
			h.gap.lost()
		}
		r.listed = false
		r.settle()
	})
}

// lists says whether a resource was listed, and is followed since.
func (h *health) lists(resource string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.of[resource]
	return r != nil && r.listed
}

// garbled notes that the error that is told next is about an answer that cannot be read.
func (h *health) garbled(resource string) {
	h.update(resource, func(r *request) { r.garbled = true })
}

// answered notes that a request succeeded. After an outage that says little about a watch yet, and of a list
// nothing whose answer could not be read before.
func (h *health) answered(resource string) {
	h.update(resource, func(r *request) {
		if r.garbled && !r.listed {
			return
		}
		if r.err != nil && r.listed {
			r.resumed = time.AfterFunc(certain, func() { h.followed(resource) })
		}
		r.err, r.garbled = nil, false
	})
}

// followed notes that a watch goes on, after an outage from where it broke off.
func (h *health) followed(resource string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.of[resource]
	if r == nil || h.closed {
		return
	}
	r.heard = h.now()
	if r.resumed != nil {
		r.settle()
		h.tell()
	}
}

// complete notes that everything of the resource was listed.
func (h *health) complete(resource string) {
	h.update(resource, func(r *request) {
		r.settle()
		*r = request{optional: r.optional, listed: true, behind: true, heard: h.now()}
	})
}

// caughtUp notes that what happened while the resource was listed is known, too.
func (h *health) caughtUp(resource string) {
	h.update(resource, func(r *request) { r.behind = false })
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

// tell records the cluster's fact, and the gap if there is one. h.mu is held, so that states are
// recorded in order.
func (h *health) tell() {
	fact := h.fact
	heard, why := h.judge(&fact)
	if fact.State == synced {
		h.gap.end(h.now())
	} else {
		h.gap.begin(heard, why)
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

// judge fills in the state and why it is so, and gives since when nothing is certain. h.mu is held.
func (h *health) judge(fact *inventory.Cluster) (heard time.Time, why string) {
	fact.State, heard = synced, h.now()
	if h.from.rest == nil {
		fact.State, fact.Message = unreachable, h.broken
		return heard, h.broken
	}
	for _, name := range h.order {
		r := h.of[name]
		switch {
		case r.denied:
			fact.Denied = append(fact.Denied, name)
			continue
		case r.err != nil && fact.State != unreachable:
			fact.State, fact.Message = unreachable, h.from.origin.blame(r.err)
			why = fact.Message
		case !r.listed || r.behind || r.resumed != nil:
			if fact.State == synced {
				fact.State, why = connecting, name+": listed anew, the watch could not go on"
			}
		}
		if (r.err != nil || !r.listed) && !r.heard.IsZero() && r.heard.Before(heard) {
			heard = r.heard
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.of)) {
		if !slices.Contains(h.order, name) && h.of[name].denied {
			fact.Denied = append(fact.Denied, name)
		}
	}
	if fact.Message == "" && h.broken != "" {
		fact.Message = h.broken + ": it is watched with what was there before"
	}
	return heard, why
}

// forbidden says whether an error is about rights.
func forbidden(err error) bool {
	var status *statusError
	return apierrors.IsForbidden(err) || errors.As(err, &status) && status.code == http.StatusForbidden
}
