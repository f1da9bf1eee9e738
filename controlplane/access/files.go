package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
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

// watch looks at files again until ctx ends. What cannot be used is said once, and counted.
func watch(ctx context.Context, all []watched, every time.Duration, log *slog.Logger, m *metrics) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, w := range all {
			changed, err := w.look()
			switch {
			case err != nil && (changed || said[w.name()] != err.Error()):
				said[w.name()] = err.Error()
				m.reloads.WithLabelValues(w.name(), "refused").Inc()
				log.Error("a changed file cannot be used; all goes on with the one before", "what", w.name(), "error", err)
			case err == nil && changed:
				delete(said, w.name())
				m.reloads.WithLabelValues(w.name(), "ok").Inc()
				log.Info("read again", "what", w.name())
			}
		}
	}
}
