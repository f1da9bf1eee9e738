package kube

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// observer tells the health of a cluster how the requests for one resource go. It looks at
// two levels: at that of HTTP, since client-go takes a watch that broke before its answer for one that
// ended, and at that of lists and watches, where errors have the API server's words. Of each error one level tells, so
// that a history has one entry of an outage, however often it is tried again.
type observer struct {
	cluster  *cluster
	resource string
	next     http.RoundTripper
}

// RoundTrip implements http.RoundTripper. Of refusals it tells those after which client-go asks again by itself; the others
// come with the server's words to whoever asked.
func (o *observer) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := o.next.RoundTrip(request)
	switch {
	case err != nil:
		o.failed(request.Context(), err)
	case busy(answer.StatusCode):
		o.failed(request.Context(), &statusError{resource: o.resource, code: answer.StatusCode})
	case answer.StatusCode < http.StatusBadRequest:
		if err := stranger(answer); err != nil {
			_ = answer.Body.Close()
			o.failed(request.Context(), err)
			return nil, err
		}
		o.cluster.health.answered(o.resource)
	}
	return answer, err
}

// busy says whether a status is about the server's state and not about the request.
func busy(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// stranger says what is wrong with an answer that is no Kubernetes API's by its kind, as the page of a login is.
func stranger(answer *http.Response) error {
	kind := answer.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(kind)
	if answer.StatusCode == http.StatusOK && (err != nil || media != runtime.ContentTypeJSON && media != runtime.ContentTypeProtobuf) {
		return &strangerError{kind}
	}
	return nil
}

// WrappedRoundTripper lets client-go reach the transport below.
func (o *observer) WrappedRoundTripper() http.RoundTripper { return o.next }

// failed notes an error of a request, unless it is that of the end of the run.
func (o *observer) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.cluster.metrics.failures.WithLabelValues(o.cluster.name, o.resource).Inc()
		o.cluster.health.failed(o.resource, err)
	}
}

// refused notes why a list or a watch did not begin, unless RoundTrip has told of it.
func (o *observer) refused(ctx context.Context, err error) {
	var said apierrors.APIStatus
	var request *url.Error
	switch {
	case errors.As(err, &request):
	case !errors.As(err, &said):
		o.garbled(ctx, err)
	case !busy(int(said.Status().Code)):
		o.failed(ctx, &statusError{o.resource, int(said.Status().Code), said.Status().Message})
	}
}

// garbled notes that an answer cannot be read. That there is an answer next time says nothing, then.
func (o *observer) garbled(ctx context.Context, err error) {
	o.cluster.health.garbled(o.resource)
	o.failed(ctx, fmt.Errorf("%s: %w", o.resource, err))
}

// broke notes that a watch sent what cannot be read. Before there was a list it says nothing: the list is asked for in
// another way then, and that tells.
func (o *observer) broke(ctx context.Context, err error) {
	if o.cluster.health.lists(o.resource) {
		o.garbled(ctx, err)
	}
}

// watched is a watch whose first event after an outage is looked at: a server that has
// forgotten where the watch broke off answers, and then says so in an event.
type watched struct {
	watch.Interface
	events  chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

// newWatched passes events on until w ends or Stop is called, and calls ended then.
func newWatched(ctx context.Context, w watch.Interface, o *observer, ended func()) *watched {
	out := &watched{Interface: w, events: make(chan watch.Event), stopped: make(chan struct{})}
	go func() {
		defer close(out.events)
		defer ended()
		for e := range w.ResultChan() {
			switch {
			case e.Type != watch.Error:
				if e.Type != watch.Bookmark { // whose annotations tell the end of a list
					slim(e.Object)
				}
				o.cluster.health.followed(o.resource)
			case forgotten(e):
				o.cluster.health.listing(o.resource)
			case unreadable(e) && !out.isStopped():
				o.broke(ctx, apierrors.FromObject(e.Object))
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

// unreadable says whether an error is client-go's own about what came, and none that a server sent: as that it cannot
// send the list in a watch, after which client-go asks for it in another way.
func unreadable(e watch.Event) bool {
	return apierrors.HasStatusCause(apierrors.FromObject(e.Object), "ClientWatchDecoding")
}

// ResultChan implements watch.Interface.
func (w *watched) ResultChan() <-chan watch.Event { return w.events }

func (w *watched) isStopped() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

// Stop implements watch.Interface.
func (w *watched) Stop() {
	w.stop.Do(func() { close(w.stopped) })
	w.Interface.Stop()
}
