package app

import (
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to damage a file with

	"github.com/fabricscope/fabricscope/controlplane/clock"
	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/smalldisk"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestDaemonFindsItsDiskFailing starts a daemon with a damaged history on a small disk, which fills up then: both are findings, the live state goes
// on, and when there is room all is written.
func TestDaemonFindsItsDiskFailing(t *testing.T) {
	file, state := configured(t)
	disk := smalldisk.New(t, state, "8m")
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	store, flows, err := openStores(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	store.Record(inventory.Became(inventory.Pod{Cluster: "blue", UID: "damaged"}, time.Now()))
	if err := runBehind(store.Run, flows.Close)(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(state, historyDir, "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE life SET states = CAST(x'00' || states AS BLOB)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	d, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop := runBehind(d.Run, func() error { return nil })
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	awaitFinding(t, d.store, "storage-damaged:storage:history", "1 damaged rows were taken out")
	disk.Fill()
	for n := 0; d.store.Status().Phase == history.Running; n++ { // there may be room in what is allotted already
		d.store.Record(inventory.Became(inventory.Pod{Cluster: "blue", UID: fmt.Sprint(n)}, time.Now()))
		_ = d.store.Flush(t.Context()) // fails in the end
	}
	awaitFinding(t, d.store, "storage-failing:storage:history", "the history cannot be written")
	disk.Free()
	for d.store.Flush(t.Context()) != nil {
		time.Sleep(time.Millisecond) // until it is tried again
	}
}

// TestDaemonStartsOnAFullDisk ends a daemon, fills its disk, and starts it: it lives, knows what it knew, says what is wrong, and
// writes by itself once there is room.
func TestDaemonStartsOnAFullDisk(t *testing.T) {
	file, state := configured(t)
	disk := smalldisk.New(t, state, "8m")
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	run := func() (*Daemon, func() error) {
		d, err := New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return d, runBehind(d.Run, func() error { return nil })
	}
	record := func(d *Daemon, packets uint64) {
		now := time.Now()
		identified{d.store, d.recorder}.Record(inventory.Became(flow.Conversation{ID: "c", Protocol: flow.TCP,
			Forward: flow.Counters{Packets: packets, Bytes: 100 * packets}, First: now, Last: now}, now))
	}
	d, stop := run()
	record(d, 3)
	if err := d.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	disk.Fill()
	d, stop = run()
	if e, ok := d.store.Now().Get(flow.Conversation{ID: "c"}.Ref()); !ok || e.Fact.(flow.Conversation).Forward.Packets != 3 {
		t.Errorf("known after the start: %+v", e)
	}
	awaitFinding(t, d.store, "storage-failing:storage:history", "no space left on device")
	health := httptest.NewRecorder()
	d.http.handler(true).ServeHTTP(health, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if health.Code != http.StatusServiceUnavailable || !strings.Contains(health.Body.String(), "no space left on device") {
		t.Errorf("healthz: %d %s", health.Code, health.Body)
	}
	record(d, 5)
	disk.Free()
	for d.recorder.Flush(t.Context()) != nil {
		time.Sleep(time.Millisecond) // until it is tried again
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	v := revive(t, state)
	defer v.stop()
	if stored, recorded := v.stored(), v.recorded(t); stored != 5 || recorded != 5 {
		t.Errorf("%d packets of states and %d of records, want 5", stored, recorded)
	}
}

// awaitFinding waits until a finding holds and says something.
func awaitFinding(t *testing.T, store *history.Store, id, says string) {
	t.Helper()
	_, feed := store.Subscribe()
	defer feed.Close()
	for {
		e, ok := store.Now().Get(inventory.Finding{ID: id}.Ref())
		if ok {
			if text := e.Fact.(inventory.Finding).Text; !strings.Contains(text, says) {
				t.Errorf("%s says %q, not %q", id, text, says)
			}
			return
		}
		if _, err := feed.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStepsAreFindings(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	got := ofSteps([]clock.Step{{From: at, To: at.Add(2 * time.Hour), By: 2 * time.Hour}, {From: at.Add(2 * time.Hour), To: at, By: -2 * time.Hour}})
	for i, want := range []string{
		"the daemon's clock stepped forward by 2h0m0s at 2026-03-01T12:00:00Z: nothing was recorded with times between",
		"the daemon's clock stepped back by 2h0m0s at 2026-03-01T14:00:00Z: what is recorded until it is 2026-03-01T14:00:00Z again has commit times of just after that, and times in between happened twice",
	} {
		if got[i].Text != want || got[i].Kind != "clock-stepped" {
			t.Errorf("got  %q\nwant %q", got[i].Text, want)
		}
	}
	if got[0].Subject == got[1].Subject {
		t.Error("two steps are one finding")
	}
}
