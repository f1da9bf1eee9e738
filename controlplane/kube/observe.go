package kube

import (
	"context"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// observer tells the health of a cluster how the requests for one resource go. It looks at
// two levels: at that of HTTP, since client-go takes a watch that broke before its answer for one that
// ended, and at that of lists and watches, where errors have the API server's words.
type observer struct {
	cluster  *cluster
	resource string
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := o.next.RoundTrip(request)
	switch {
	case err != nil:
		o.failed(request.Context(), err)
	case answer.StatusCode >= http.StatusBadRequest:
		o.failed(request.Context(), &statusError{o.resource, answer.StatusCode, answer.Status})
	default:
		o.cluster.health.answered(o.resource)
	}
	return answer, err
}

// statusError is the HTTP status that a request was refused with.
type statusError struct {
	resource string
	code     int
	text     string
}

func (e *statusError) Error() string { return e.resource + ": " + e.text }

// WrappedRoundTripper lets client-go reach the transport below.
func (o *observer) WrappedRoundTripper() http.RoundTripper { return o.next }

// failed notes an error, unless it is that of the end of the run.
func (o *observer) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.cluster.metrics.failures.WithLabelValues(o.cluster.name, o.resource).Inc()
		o.cluster.health.failed(o.resource, err)
	}
}

// observed is the list and watch of a resource.
type observed struct {
	*cache.ListWatch
	observer *observer
}

// ListWithContext implements cache.ListerWithContext.
func (o *observed) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	o.observer.cluster.health.listing(o.observer.resource)
	list, err := o.ListWatch.ListWithContext(ctx, options)
	if err != nil {
		o.observer.failed(ctx, err)
		return nil, err
	}
	slimList(list)
	return list, nil
}

// WatchWithContext implements cache.WatcherWithContext.
func (o *observed) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if initial(options) {
		o.observer.cluster.health.listing(o.observer.resource)
	}
	w, err := o.ListWatch.WatchWithContext(ctx, options)
	if err != nil {
		o.observer.failed(ctx, err)
		return nil, err
	}
	return newWatched(w, o.observer), nil
}

// watched is a watch whose first event after an outage is looked at: a server that has
// forgotten where the watch broke off answers, and then says so in an event.
type watched struct {
	watch.Interface
	events  chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

// newWatched passes events on until w ends or Stop is called.
func newWatched(w watch.Interface, o *observer) *watched {
	out := &watched{Interface: w, events: make(chan watch.Event), stopped: make(chan struct{})}
	go func() {
		defer close(out.events)
		for e := range w.ResultChan() {
			switch {
			case e.Type != watch.Error:
				if e.Type != watch.Bookmark { // whose annotations tell the end of a list
					slim(e.Object)
				}
				o.cluster.health.followed(o.resource)
			case forgotten(e):
				o.cluster.health.listing(o.resource)
			}
			select {
			case out.events <- e:
			case <-out.stopped:
				return
			}
		}
	}()
	return out
}

// forgotten says whether an error ends the watch for good. After others, like those of a server
// that is busy, it is tried again from where it was.
func forgotten(e watch.Event) bool {
	err := apierrors.FromObject(e.Object)
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}

// ResultChan implements watch.Interface.
func (w *watched) ResultChan() <-chan watch.Event { return w.events }

// Stop implements watch.Interface.
func (w *watched) Stop() {
	w.stop.Do(func() { close(w.stopped) })
	w.Interface.Stop()
}
