// Package gnmitest runs a gNMI server over loopback with a real history for tests.
package gnmitest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/export"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// Lab is a running server with its history.
type Lab struct {
	Address string // host:port
	CA      string // PEM file that the server's certificate verifies with
	Config  gnmi.Config
	Store   *history.Store
	Server  *gnmi.Server
	Records *records.Recorder

	stop func()

	mu  sync.Mutex
	now time.Time // guarded by mu; of the commits
}

// Option changes a lab before it starts.
type Option func(*history.Config, *gnmi.Config)

// StartWithAccess is Start with a server that asks access what callers may see.
func StartWithAccess(t testing.TB, facts []inventory.Fact, access gnmi.Access, options ...Option) *Lab {
	t.Helper()
	return start(t, facts, func(d *gnmi.Deps, _ *records.Store) { d.Access = access }, options)
}

// StartWith is Start with what change makes of the server's surroundings.
func StartWith(t testing.TB, facts []inventory.Fact, change func(d *gnmi.Deps, flows *records.Store), options ...Option) *Lab {
	t.Helper()
	return start(t, facts, change, options)
}

// Start runs a server that knows facts, all since shop.Epoch(), until the test ends. Its clock
// stands five minutes after that, and moves with SetNow.
func Start(t testing.TB, facts []inventory.Fact, options ...Option) *Lab {
	t.Helper()
	return start(t, facts, func(*gnmi.Deps, *records.Store) {}, options)
}

func start(t testing.TB, facts []inventory.Fact, change func(*gnmi.Deps, *records.Store), options []Option) *Lab {
	t.Helper()
	dir := t.TempDir()
	hcfg, gcfg := configs(dir, options)
	l := &Lab{CA: filepath.Join(gcfg.LabDir, "gnmi.crt"), Config: gcfg, now: shop.Epoch()}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	store, err := history.New(hcfg, history.Deps{Log: log, Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	l.Store = store
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		group.Go(func() {
			if err := f(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	l.stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(l.stop)
	run("history", store.Run)
	rcfg := records.DefaultConfig()
	rcfg.Dir = filepath.Join(dir, "records")
	recorded, err := records.New(rcfg, records.Deps{Log: log, Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	l.Records = records.NewRecorder(recorded, nil)
	run("records", recorded.Run)
	l.Record(facts...)
	if err := errors.Join(l.Records.Flush(ctx), store.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	l.SetNow(shop.Epoch().Add(5 * time.Minute))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Address = listener.Addr().String()
	deps := gnmi.Deps{Source: store, Log: log, Listener: listener, Services: []gnmi.Service{export.New(recorded, nil)}}
	change(&deps, recorded)
	l.Server, err = gnmi.New(gcfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	run("gnmi", l.Server.Run)
	if deps.TLS == nil {
		l.awaitCertificate(t)
	}
	return l
}

// configs are those of a test: nothing in them waits longer than it must.
func configs(dir string, options []Option) (history.Config, gnmi.Config) {
	hcfg, gcfg := history.DefaultConfig(), gnmi.DefaultConfig()
	hcfg.Dir = filepath.Join(dir, "history")
	hcfg.BatchDelay = 0
	hcfg.Linger = 24 * time.Hour
	gcfg.LabDir = filepath.Join(dir, "tls")
	gcfg.SampleMinimum = 10 * time.Millisecond
	for _, o := range options {
		o(&hcfg, &gcfg)
	}
	return hcfg, gcfg
}

// awaitCertificate waits until clients can check who the server is.
func (l *Lab) awaitCertificate(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(l.CA); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no certificate %s", l.CA)
		}
	}
}

// Stop ends the server and its history before the test does.
func (l *Lab) Stop() { l.stop() }

// WithForgottenPast gives the lab a history of long ago that is past its retention.
// AwaitForgotten waits until it is gone.
func WithForgottenPast(t testing.TB) Option {
	t.Helper()
	cfg := history.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "history")
	then := shop.Epoch().Add(-2 * cfg.Retention)
	store, err := history.New(cfg, history.Deps{Now: func() time.Time { return then }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	old := inventory.Switch{Name: "old"}
	store.Record(inventory.Became(old, then))
	store.Record(inventory.Ended(old.Ref(), then))
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return func(h *history.Config, _ *gnmi.Config) { h.Dir = cfg.Dir }
}

// AwaitForgotten waits until the history of WithForgottenPast is gone, and gives a time in
// it.
func (l *Lab) AwaitForgotten(t testing.TB) time.Time {
	t.Helper()
	then := shop.Epoch().Add(-2 * history.DefaultConfig().Retention)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		_, err := l.Store.At(t.Context(), then, history.ByEvent)
		if errors.Is(err, history.ErrBeforeRetention) {
			return then
		}
		if time.Now().After(deadline) {
			t.Fatalf("long ago is not forgotten: %v", err)
		}
	}
}

// Record makes facts so, at the lab's time. Conversations become flow records with Records.Flush.
func (l *Lab) Record(facts ...inventory.Fact) {
	changes := make([]inventory.Change, len(facts))
	for i, f := range facts {
		changes[i] = inventory.Became(f, l.Now())
		if c, ok := f.(flow.Conversation); ok {
			l.Records.Observe(c)
		}
	}
	l.Store.Record(changes...)
}

// End makes facts end, at the lab's time.
func (l *Lab) End(facts ...inventory.Fact) {
	changes := make([]inventory.Change, len(facts))
	for i, f := range facts {
		changes[i] = inventory.Ended(f.Ref(), l.Now())
	}
	l.Store.Record(changes...)
}

// Now is the lab's time.
func (l *Lab) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// SetNow sets the lab's time.
func (l *Lab) SetNow(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = t
}
