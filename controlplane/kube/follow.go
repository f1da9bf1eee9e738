package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// followed is a resource as its reflector sees it: the list, the watch, and the store that both fill. It tells the
// health of the cluster how far that has come.
//
// What was listed is the state of when the list was begun, and a long one takes many seconds. What happened
// meanwhile the watch sends after it. Until then a deleted pod is still there, so that nothing is called known before the
// watch has come to a version that the server gives for the newest after the list.
type followed struct {
	*cache.ListWatch
	cache.ReflectorStore
	observer *observer
	complete chan struct{} // holds one when a list has come
	moved    chan struct{} // holds one when something below may have changed

	mu       sync.Mutex
	lists    int    // guarded by mu; that were begun
	version  string // guarded by mu; that of the store's content
	watching bool   // guarded by mu; a watch is under way
}

func newFollowed(list *cache.ListWatch, store cache.ReflectorStore, o *observer) *followed {
	return &followed{ListWatch: list, ReflectorStore: store, observer: o, complete: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
}

// run has a reflector fill the store until ctx ends.
func (f *followed) run(ctx context.Context, r *cache.Reflector) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { r.RunWithContext(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.complete:
			f.catchUp(ctx)
		}
	}
}

// signal leaves a token for who waits.
func signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// update changes what mu guards.
func (f *followed) update(change func()) {
	f.mu.Lock()
	change()
	f.mu.Unlock()
	signal(f.moved)
}

// listing notes that everything is listed anew.
func (f *followed) listing() {
	f.update(func() { f.lists++ })
	f.observer.cluster.health.listing(f.observer.resource)
}

// ListWithContext implements cache.ListerWithContext: it gives everything there is now, whichever version is asked for.
func (f *followed) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	f.listing()
	list, err := f.pages(ctx)
	if err != nil {
		f.observer.refused(ctx, err)
		return nil, err
	}
	return list, nil
}

// WatchWithContext implements cache.WatcherWithContext.
func (f *followed) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if initial(options) {
		f.listing()
	}
	w, err := f.ListWatch.WatchWithContext(ctx, options)
	if err != nil {
		if f.observer.cluster.health.lists(f.observer.resource) { // else it is asked for in another way, and that tells
			f.observer.refused(ctx, err)
		}
		return nil, err
	}
	f.update(func() { f.watching = true })
	return newWatched(ctx, w, f.observer, func() { f.update(func() { f.watching = false }) }), nil
}

// Transformer implements cache.TransformingStore: a store may keep less of what is listed than the object.
func (f *followed) Transformer() cache.TransformFunc {
	if t, ok := f.ReflectorStore.(cache.TransformingStore); ok {
		return t.Transformer()
	}
	return nil
}

// Replace implements cache.ReflectorStore.
func (f *followed) Replace(objects []any, version string) error {
	if err := f.ReflectorStore.Replace(objects, version); err != nil {
		return err
	}
	f.update(func() { f.version = version })
	f.observer.cluster.health.complete(f.observer.resource)
	signal(f.complete)
	return nil
}

// UpdateResourceVersion implements cache.ResourceVersionUpdater: the store has what the watch sent up to a version.
func (f *followed) UpdateResourceVersion(version string) { f.update(func() { f.version = version }) }

// catchUp waits until the watch has sent what happened while all was listed, and says that it is known then. While it sends
// that more happens, so that it is asked for a newer version until it was there within a moment.
func (f *followed) catchUp(ctx context.Context) {
	f.mu.Lock()
	list := f.lists
	f.mu.Unlock()
	for ctx.Err() == nil {
		begun := time.Now()
		version, err := f.versionAt(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			f.observer.refused(ctx, err)
			select {
			case <-ctx.Done():
			case <-time.After(f.observer.cluster.retry.min):
			}
			continue
		}
		switch how := f.reaches(ctx, list, version); {
		case how == anew:
			return
		case how == silent, time.Since(begun) < certain:
			f.observer.cluster.health.caughtUp(f.observer.resource)
			return
		}
	}
}

// versionAt asks for the version of a list.
func (f *followed) versionAt(ctx context.Context, options metav1.ListOptions) (string, error) {
	list, err := f.ListWatch.ListWithContext(ctx, options)
	if err != nil {
		return "", err
	}
	l, err := meta.ListAccessor(list)
	if err != nil {
		return "", fmt.Errorf("listed a %T", list)
	}
	return l.GetResourceVersion(), nil
}

// How waiting for a version ends.
type outcome int

const (
	reached outcome = iota // the store has it
	silent                 // nothing comes any more
	anew                   // everything is listed again, or the run ends
)

// silence is how many moments a watch has to be silent for that to say that nothing comes.
const silence = 5

// reaches waits until the store has a version. What did not change up to it gets no news of it: then what is left is that a
// watch is silent for long. The server's cache, which the watch is fed from, would not tell: after a start it may itself be
// behind.
func (f *followed) reaches(ctx context.Context, list int, version string) outcome {
	moment := time.NewTimer(certain)
	defer moment.Stop()
	for quiet := 0; ; {
		f.mu.Lock()
		again, watching, order := f.lists != list, f.watching, f.compare(version)
		f.mu.Unlock()
		switch {
		case again, ctx.Err() != nil:
			return anew
		case order >= 0:
			return reached
		case !watching:
			quiet = 0
		case quiet >= silence:
			return silent
		}
		moment.Reset(certain)
		select {
		case <-ctx.Done():
		case <-f.moved:
			quiet = 0
		case <-moment.C:
			quiet++
		}
	}
}

// compare orders the store's version and another; one that is no number is taken for reached. f.mu is held.
func (f *followed) compare(version string) int {
	order, err := resourceversion.CompareResourceVersion(f.version, version)
	if err != nil {
		return 0
	}
	return order
}
