package history_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	_ "modernc.org/sqlite" // the driver of execute

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// execute runs SQL on a file, besides the store.
func execute(t *testing.T, file, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

func TestDiskThatFails(t *testing.T) {
	cfg := config(t)
	cfg.QueueSize = 50
	reg := prometheus.NewPedanticRegistry()
	d := deps(t)
	d.Registerer = reg
	s, stop := start(t, cfg, d)
	s.Record(inventory.Became(pod(1, "Running"), epoch), inventory.Became(pod(2, "Running"), epoch))
	flush(t, s)
	before := time.Now()
	time.Sleep(time.Millisecond) // the failure comes after

	history.FailWrites(s, true)
	s.Record(inventory.Ended(pod(1, "").Ref(), epoch), inventory.Became(pod(3, "Running"), epoch))
	if err := s.Flush(t.Context()); !errors.Is(err, history.ErrNotStored) {
		t.Fatalf("flush: %v", err)
	}
	if st := s.Status(); st.Phase != history.Failing || st.Err == nil || st.Queued != 2 {
		t.Errorf("status %+v", st)
	}
	if n := len(all(at(t, s, before, history.ByCommit))); n != 2 {
		t.Errorf("%d facts before the failure", n)
	}
	if _, err := s.At(t.Context(), time.Now(), history.ByCommit); !errors.Is(err, history.ErrNotStored) {
		t.Errorf("the past that is not stored: %v", err)
	}
	for n := range 100 { // more than the queue holds, without waiting
		s.Record(inventory.Became(pod(10+n, "Running"), epoch))
	}
	s.Record(inventory.Ended(pod(2, "").Ref(), epoch))
	if st := s.Status(); st.Phase != history.Dropping || st.Dropped != 53 {
		t.Errorf("status %+v", st)
	}
	if n := len(all(s.Now())); n != 101 {
		t.Errorf("%d facts live", n)
	}

	history.FailWrites(s, false)
	eventually(t, func() bool { return s.Status().Phase == history.Running })
	flush(t, s)
	live := all(s.Now())
	stop()
	if got := testutil.ToFloat64(gathered{reg, "fabricscope_history_dropped_total"}); got != 53 {
		t.Errorf("dropped metric %v", got)
	}
	s, _ = start(t, cfg, deps(t))
	if diff := cmp.Diff(live, all(s.Now()), equal...); diff != "" {
		t.Errorf("after restart (-before +after):\n%s", diff)
	}
}

// A conversation whose change was dropped is written as it is when there is room again: the ledger goes as far as
// it does, and a daemon that starts again goes by both.
func TestDroppedConversationsAreWrittenLater(t *testing.T) {
	cfg := config(t)
	cfg.QueueSize = 5
	s, stop := start(t, cfg, deps(t))
	seen := time.Now()
	state := func(id int, packets uint64) inventory.Change {
		return inventory.Became(conversation(id, packets, seen), seen)
	}
	for n := range 20 {
		s.Record(state(n, 1))
	}
	flush(t, s)
	history.FailWrites(s, true)
	for n := range 20 {
		s.Record(state(n, 2))
	}
	for n := range 10 {
		s.Record(state(n, 3), inventory.Became(inventory.Ledger{Switch: "leaf1", Ports: []inventory.LedgerPort{{Number: uint32(n)}}}, epoch))
	}
	if st := s.Status(); st.Dropped == 0 {
		t.Fatalf("status %+v, want changes to be dropped", st)
	}
	history.FailWrites(s, false)
	eventually(t, func() bool { return s.Status().Phase == history.Running })
	flush(t, s)
	live := all(s.Now())
	stop()
	s, _ = start(t, cfg, deps(t))
	if diff := cmp.Diff(live, all(s.Now()), equal...); diff != "" {
		t.Errorf("after restart (-before +after):\n%s", diff)
	}
}

// gathered reads one metric of a registry.
type gathered struct {
	reg  *prometheus.Registry
	name string
}

func (g gathered) Describe(chan<- *prometheus.Desc) {}

func (g gathered) Collect(ch chan<- prometheus.Metric) {
	families, _ := g.reg.Gather()
	for _, f := range families {
		if f.GetName() == g.name {
			ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(g.name, "x", nil, nil), prometheus.CounterValue,
				f.GetMetric()[0].GetCounter().GetValue())
		}
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 s")
		}
	}
}

func TestRetention(t *testing.T) {
	cfg := config(t)
	cfg.Retention, cfg.FlowRetention = time.Hour, 30*time.Minute
	c := &clock{t: epoch}
	d := deps(t)
	d.Now = c.now
	s, stop := start(t, cfg, d)
	const pods = 1100 // more than are deleted at once
	changes := make([]inventory.Change, pods)
	for n := range changes {
		changes[n] = inventory.Became(pod(n, "Pending"), c.now())
	}
	s.Record(changes...)
	s.Record(inventory.Became(conversation(1, 1, epoch), epoch))
	c.add(time.Minute)
	s.Replace(inventory.KindPod, "blue", []inventory.Fact{pod(1, "Running"), pod(2, "Pending")}, c.now())
	stop()

	c.add(40 * time.Minute)
	s, stop = start(t, cfg, d)
	eventually(t, func() bool { return history.Rows(t, s, "flow_record") == 0 })
	if n := len(all(at(t, s, epoch.Add(30*time.Second), history.ByCommit, history.AllOf(inventory.KindPod)...))); n != pods {
		t.Errorf("%d pods 40 minutes ago", n)
	}
	_, flows, _ := history.Kept(t, s)
	for when, kept := range map[time.Time]bool{epoch.Add(30 * time.Second): false, flows: false, flows.Add(cfg.Linger - 1): false, flows.Add(cfg.Linger): true} {
		for _, wants := range [][]history.Want{nil, history.AllOf(inventory.KindConversation), history.AllOf(inventory.KindConversation, inventory.KindPod)} {
			_, err := s.At(t.Context(), when, history.ByCommit, wants...)
			if kept != (err == nil) || !kept && (!errors.Is(err, history.ErrBeforeRetention) || !strings.Contains(err.Error(), "conversations are known from ")) {
				t.Errorf("conversations at %v, kept from %v on, of %v: %v", when, flows, wants, err)
			}
		}
	}
	stop()

	c.add(time.Hour)
	s, stop = start(t, cfg, d)
	eventually(t, func() bool {
		return history.Rows(t, s, "life") == 2 && history.Rows(t, s, "owner") == 2 &&
			history.Rows(t, s, "span") == 2 && history.Rows(t, s, "ended") == 0
	})
	if _, err := s.At(context.Background(), epoch.Add(30*time.Second), history.ByCommit); !errors.Is(err, history.ErrBeforeRetention) {
		t.Errorf("what is deleted: %v", err)
	}
	if n := len(all(at(t, s, c.now(), history.ByCommit))); n != 2 {
		t.Errorf("%d pods now", n)
	}
	stop()
}

// TestFlowInterval checks that one conversation costs a row an interval, whatever happens.
func TestFlowInterval(t *testing.T) {
	cfg := config(t)
	c := &clock{t: epoch}
	d := deps(t)
	d.Now = c.now
	s, _ := start(t, cfg, d)
	for n := range 40 {
		c.add(100 * time.Millisecond)
		s.Record(inventory.Became(conversation(1, uint64(n), c.now()), c.now()))
		flush(t, s)
	}
	if n := history.Rows(t, s, "flow_record"); n != 5 {
		t.Errorf("%d rows for 4 s of one conversation, from 0.1 s to 4 s", n)
	}
	v := at(t, s, epoch.Add(2500*time.Millisecond), history.ByCommit)
	e, ok := v.Get(conversation(1, 0, epoch).Ref())
	if want := conversation(1, 18, epoch.Add(1900*time.Millisecond)); !ok || !cmp.Equal(e.Fact, inventory.Fact(want), equal...) {
		t.Errorf("after 2.5 s: %v", e)
	}
}

// TestConversationsLeave checks that a quiet conversation leaves the live state and stays
// in the past.
func TestConversationsLeave(t *testing.T) {
	cfg := config(t)
	cfg.Linger = time.Second
	s, _ := start(t, cfg, deps(t))
	seen := time.Now()
	s.Record(inventory.Became(conversation(1, 3, seen), seen))
	_, feed := s.Subscribe()
	defer feed.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	updates, err := feed.Next(ctx)
	if err != nil || len(updates) != 1 || updates[0].Fact != nil {
		t.Fatalf("got %v, %v; want the end of one conversation", updates, err)
	}
	if n := len(all(s.Now())); n != 0 {
		t.Errorf("%d facts live", n)
	}
	if n := len(all(at(t, s, seen.Add(500*time.Millisecond), history.ByEvent))); n != 1 {
		t.Errorf("%d conversations then", n)
	}
	if n := len(all(at(t, s, time.Now().Add(time.Second), history.ByEvent))); n != 0 {
		t.Errorf("%d conversations later", n)
	}
}
