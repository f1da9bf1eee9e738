package history_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Of a ledger only the newest state is kept, and it outlives the store.
func TestTheNewestLedgerIsKept(t *testing.T) {
	cfg := config(t)
	s, stop := start(t, cfg, deps(t))
	var last inventory.Ledger
	for n := range uint64(3) {
		last = inventory.Ledger{Switch: "leaf1", Incarnation: 7, FromZero: true,
			Ports: []inventory.LedgerPort{{Number: 1, Records: inventory.Bucket{Packets: n, Bytes: 100 * n}, Base: inventory.Bucket{Packets: ^uint64(0)}}}}
		s.Record(inventory.Became(last, time.Now()))
		flush(t, s)
	}
	if n := history.Rows(t, s, "latest"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	stop()
	again, _ := start(t, cfg, deps(t))
	e, ok := again.Now().Get(last.Ref())
	if got, _ := e.Fact.(inventory.Ledger); !ok || len(got.Ports) != 1 || got.Ports[0] != last.Ports[0] || !got.FromZero {
		t.Errorf("%+v, want %+v", e.Fact, last)
	}
}

// A file of before the table gets it.
func TestFileWithoutTheNewestStates(t *testing.T) {
	cfg := config(t)
	_, stop := start(t, cfg, deps(t))
	stop()
	db, err := sql.Open("sqlite", filepath.Join(cfg.Dir, "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE latest"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ := start(t, cfg, deps(t))
	s.Record(inventory.Became(inventory.Ledger{Switch: "leaf1"}, time.Now()))
	flush(t, s)
	if n := history.Rows(t, s, "latest"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// Slots may still count for a conversation that was live when the last store was written,
// however long ago that is.
func TestConversationsOfBeforeALongPause(t *testing.T) {
	cfg := config(t)
	cfg.Linger = time.Minute
	now := time.Now()
	d := deps(t)
	d.Now = func() time.Time { return now }
	s, stop := start(t, cfg, d)
	c := flow.Conversation{ID: "a", Protocol: flow.TCP, First: now.Add(-time.Second), Last: now,
		ForwardHops: []flow.Hop{{Switch: "leaf1", Live: &flow.LiveSlot{Slot: 5, Generation: 2, Counters: flow.Counters{Packets: 3, Bytes: 300}}}}}
	s.Record(inventory.Became(c, now))
	flush(t, s)
	stop()
	now = now.Add(time.Hour)
	again, err := history.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	e, ok := again.Now().Get(c.Ref())
	if got, _ := e.Fact.(flow.Conversation); !ok || len(got.ForwardHops) != 1 || got.ForwardHops[0].Live == nil ||
		*got.ForwardHops[0].Live != *c.ForwardHops[0].Live {
		t.Errorf("%+v, want the conversation with its slot", e.Fact)
	}
}
