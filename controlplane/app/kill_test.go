package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/history/smalldisk"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// victim is what a daemon keeps, until it is killed.
type victim struct {
	dir      string
	store    *history.Store
	flows    *records.Store
	recorder *records.Recorder
	stop     func()
}

// revive opens the stores in a directory as a daemon does that starts.
func revive(t *testing.T, dir string) *victim {
	t.Helper()
	cfg := config.Default()
	cfg.StateDir = dir
	store, flows, err := openStores(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{dir: dir, store: store, flows: flows, recorder: newRecorder(flows, store)}
	stop := runBehind(flows.Run, runBehind(store.Run, func() error { return nil }))
	v.stop = sync.OnceFunc(func() {
		if err := stop(); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	})
	t.Cleanup(v.stop)
	return v
}

// kill gives what another daemon finds: the files as they are at this moment.
func (v *victim) kill(t *testing.T) *victim {
	t.Helper()
	dir := t.TempDir()
	for _, kept := range []string{historyDir, recordsDir} {
		if err := os.CopyFS(filepath.Join(dir, kept), os.DirFS(filepath.Join(v.dir, kept))); err != nil {
			t.Fatal(err)
		}
	}
	return revive(t, dir)
}

// observe takes states of conversations in which each has counted so many packets.
func (v *victim) observe(conversations int, packets uint64) {
	now := time.Now()
	for n := range conversations {
		c := flow.Conversation{ID: fmt.Sprintf("%016x", n), Protocol: flow.TCP, Forward: flow.Counters{Packets: packets, Bytes: 100 * packets}, First: now, Last: now}
		identified{v.store, v.recorder}.Record(inventory.Became(c, now))
	}
}

// stored is how many packets the states have.
func (v *victim) stored() (packets uint64) {
	for e := range v.store.Now().All(inventory.KindConversation) {
		packets += e.Fact.(flow.Conversation).Forward.Packets
	}
	return packets
}

// recorded is how many packets the records have.
func (v *victim) recorded(t *testing.T) (packets uint64) {
	t.Helper()
	if err := v.flows.Scan(t.Context(), records.Query{}, func(r *records.Record) error {
		packets += r.Forward.Packets
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return packets
}

// Flow records and states are in two stores, and either may refuse while the other does not. Whenever
// the daemon is killed then, the next one records every packet that the states have, once.
func TestKilledWhileADiskIsFull(t *testing.T) {
	const conversations = 50
	for _, full := range []string{historyDir, recordsDir} {
		t.Run(full, func(t *testing.T) {
			dir := t.TempDir()
			disk := smalldisk.New(t, filepath.Join(dir, full), "16m")
			v := revive(t, dir)
			v.observe(conversations, 10)
			if err := v.recorder.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			disk.Fill()
			var err error
			packets := uint64(10)
			for err == nil { // there may be room in what is allotted already
				packets += 10
				v.observe(conversations, packets)
				err = v.recorder.Flush(t.Context())
			}
			if !errors.Is(err, records.ErrNotStored) {
				t.Fatalf("flush: %v, want that it is not stored", err)
			}
			if status := v.flows.Status(); status.Phase != records.Failing {
				t.Errorf("status %+v", status)
			}
			next := v.kill(t)
			was := next.recorded(t)
			if stored := next.stored(); was > stored {
				t.Errorf("%d packets are recorded, and the states have %d: the rest would be counted again", was, stored)
			}
			if err := next.recorder.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := next.recorded(t), next.stored(); got != want {
				t.Errorf("%d packets are recorded after %d, want %d as the states have", got, was, want)
			}
			again := next.kill(t)
			if err := again.recorder.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := again.recorded(t), again.stored(); got != want {
				t.Errorf("%d packets are recorded after another kill, want %d", got, want)
			}

			disk.Free()
			for err = v.recorder.Flush(t.Context()); errors.Is(err, records.ErrNotStored); err = v.recorder.Flush(t.Context()) {
				time.Sleep(20 * time.Millisecond) // until it is tried again
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := v.recorded(t), conversations*packets; got != want {
				t.Errorf("%d packets are recorded when there is room again, want %d", got, want)
			}
		})
	}
}
