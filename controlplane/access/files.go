package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// kept is what files were read to last. A change that cannot be used leaves it as it was. The files are compared by
// what they hold: the way in which a secret is mounted, or an editor saves, does not matter.
type kept[T any] struct {
	what  string
	files []string
	parse func(contents [][]byte) (T, error)
	value atomic.Pointer[T]
	seen  [sha256.Size]byte // of the last contents, good or not; for the goroutine that looks
}

// keep reads files for the first time. The error of parse should name the file.
func keep[T any](what string, parse func(contents [][]byte) (T, error), files ...string) (*kept[T], error) {
	k := &kept[T]{what: what, files: slices.DeleteFunc(files, func(f string) bool { return f == "" }), parse: parse}
	_, err := k.look()
	return k, err
}

// get gives the last that was good.
func (k *kept[T]) get() T { return *k.value.Load() }

// look reads the files, and says whether they changed.
func (k *kept[T]) look() (bool, error) {
	var contents [][]byte
	sum := sha256.New()
	for _, f := range k.files {
		b, err := os.ReadFile(f)
		if err != nil {
			return false, fmt.Errorf("%s: %w", k.what, err)
		}
		fmt.Fprintf(sum, "%d ", len(b))
		sum.Write(b)
		contents = append(contents, b)
	}
	seen := [sha256.Size]byte(sum.Sum(nil))
	if k.value.Load() != nil && seen == k.seen {
		return false, nil
	}
	k.seen = seen
	v, err := k.parse(contents)
	if err != nil {
		return true, fmt.Errorf("%s: %w", k.what, err)
	}
	k.value.Store(&v)
	return true, nil
}

// watched is a kept of any type.
type watched interface {
	name() string
	look() (bool, error)
}

func (k *kept[T]) name() string { return k.what }

// watch looks at the files again until ctx ends.
func (g *Guard) watch(ctx context.Context) {
	tick := time.NewTicker(g.cfg.Refresh)
	defer tick.Stop()
	said := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed := false
		for _, w := range g.files {
			changed = g.lookAt(w, said) || changed
		}
		g.review(changed)
	}
}

// lookAt looks at a file, and says whether it changed and can be used. What cannot be used is said once, and counted.
func (g *Guard) lookAt(w watched, said map[string]string) bool {
	changed, err := w.look()
	if err != nil {
		if changed || said[w.name()] != err.Error() {
			said[w.name()] = err.Error()
			g.metrics.reloads.WithLabelValues(w.name(), "refused").Inc()
			g.log.Error("a changed file cannot be used; all goes on with the one before", "what", w.name(), "error", err)
		}
		return false
	}
	if changed {
		delete(said, w.name())
		g.metrics.reloads.WithLabelValues(w.name(), "ok").Inc()
		g.log.Info("read again", "what", w.name())
	}
	return changed
}
