package p4rt

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// recorder is a subscriber and a sink that keep what they get.
type recorder struct {
	events chan string
	block  chan struct{} // PacketIn waits for it to close, if not nil

	mu      sync.Mutex // guards the fields below
	states  []string
	digests []DigestList
	packets []PacketIn
}

func newRecorder() *recorder { return &recorder{events: make(chan string, 1000)} }

func (r *recorder) Connected(ctx context.Context, s *Session, fresh bool) {
	if fresh {
		r.events <- "connected fresh"
		return
	}
	r.events <- "connected"
}

func (r *recorder) Disconnected(s *Session, err error) {
	what := "disconnected"
	if errors.Is(err, ErrNotPrimary) {
		what = "deposed"
	}
	r.events <- what
}

func (r *recorder) Digests(s *Session, l DigestList) {
	r.mu.Lock()
	r.digests = append(r.digests, l)
	r.mu.Unlock()
	r.events <- "digests"
}

func (r *recorder) PacketIn(s *Session, p PacketIn) {
	if r.block != nil {
		<-r.block
	}
	r.mu.Lock()
	r.packets = append(r.packets, p)
	r.mu.Unlock()
	r.events <- "packet"
}

func (r *recorder) Record(changes ...inventory.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		r.states = append(r.states, c.Fact.(inventory.Switch).State)
	}
}

func (r *recorder) lastState() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states[len(r.states)-1]
}

func (r *recorder) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-r.events:
			if got != w {
				t.Fatalf("got event %s, want %s", got, w)
			}
		case <-time.After(patience):
			t.Fatalf("no %s in %s", w, patience)
		}
	}
}
