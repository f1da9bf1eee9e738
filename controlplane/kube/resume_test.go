package kube_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

// TestGapsBeginWhereTheLastRunEnded starts a daemon again, in which others record before a cluster is looked at, and each cluster
// before the next: nothing was heard of any since the last run.
func TestGapsBeginWhereTheLastRunEnded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := history.DefaultConfig()
	cfg.Dir = t.TempDir()
	run := func(work func(*history.Store)) {
		store, err := history.New(cfg, history.Deps{Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- store.Run(ctx) }()
		work(store)
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"blue", "green"}
	run(func(s *history.Store) {
		for _, name := range names {
			s.Record(inventory.Became(inventory.Cluster{Name: name, State: "synced"}, now))
		}
	})
	last := now
	now = now.Add(time.Hour)
	run(func(s *history.Store) {
		s.Record(inventory.Became(inventory.Switch{Name: "leaf1"}, now))
		w := kube.DefaultConfig()
		for _, name := range names {
			w.Clusters = append(w.Clusters, kube.Cluster{Name: name, Kubeconfig: filepath.Join(cfg.Dir, "none")})
		}
		watcher, err := kube.New(w, kube.Deps{Sink: s, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- watcher.Run(ctx) }()
		for _, name := range names {
			eventually(t, "the gap of "+name, func() error {
				e, ok := s.Now().Get(inventory.Gap{Cluster: name}.Ref())
				if !ok {
					return fmt.Errorf("there is none")
				}
				if since := e.Fact.(inventory.Gap).Since; since.Sub(last).Abs() > time.Microsecond {
					t.Errorf("the gap of %s begins at %v, and nothing was heard since %v", name, since, last)
				}
				return nil
			})
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
