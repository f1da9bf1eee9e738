package restarts

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/controlplane/app"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(asDaemon); config != "" {
		os.Exit(app.Main([]string{"--config", config}, os.Stdout, os.Stderr))
	}
	os.Exit(inNamespace(m))
}

// world is a switch with traffic, the daemon under test and its backup.
type world struct {
	t      *testing.T
	target target
	*generator
	random *rand.Rand
	main   *daemon // the one whose books are compared
	other  *daemon // with a higher election id, while it runs

	stopTraffic func()
	lives       map[string]check.Count // by port: what the main daemon had recorded of the switch's former lives
	dead        uint64                 // packets that former lives of the switch took
	restarts    int                    // of the switch
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	to, rate := newTarget(t)
	w := &world{t: t, target: to, generator: newGenerator(t, to, rate, seed), random: rand.New(rand.NewPCG(seed, 1)), lives: map[string]check.Count{}}
	to.start(t)
	t.Cleanup(func() { to.stop() })
	w.main = newDaemon(t, "main", 1, newProxy(t, to.address))
	w.other = newDaemon(t, "other", 2, newProxy(t, to.address))
	w.main.start(t)
	w.ready(w.main, 0)
	w.resume()
	t.Cleanup(w.pause)
	return w
}

// resume lets the traffic run.
func (w *world) resume() {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { w.run(ctx) })
	w.stopTraffic = sync.OnceFunc(func() { cancel(); done.Wait() })
}

// pause ends it.
func (w *world) pause() { w.stopTraffic() }

// patience is how long anything may take on a busy machine.
const patience = 90 * time.Second

// eventually waits until try has no error.
func (w *world) eventually(what string, try func() error) {
	w.t.Helper()
	w.within(patience, what, try)
}

// within waits that long.
func (w *world) within(patience time.Duration, what string, try func() error) {
	w.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
		if w.main.crashed() || w.other.crashed() {
			w.t.Fatalf("a daemon ended by itself while waiting for %s", what)
		}
	}
	w.t.Fatalf("not in %s: %s: %v", patience, what, err)
}

// ready waits until a daemon is primary and has read out the whole flow cache more often than before.
func (w *world) ready(d *daemon, before uint64) {
	w.t.Helper()
	w.eventually(d.name+" to be primary, after a full read-out", func() error {
		s, err := d.theSwitch()
		if err == nil && (s.State != "ready" || s.Controller != "primary" || s.FlowCache.ReadOuts <= before) {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
}

// readOuts is how often a daemon has read out the whole flow cache since it was started.
func (w *world) readOuts(d *daemon) (n uint64) {
	w.t.Helper()
	w.eventually("an answer of "+d.name, func() error {
		s, err := d.theSwitch()
		n = s.FlowCache.ReadOuts
		return err
	})
	return n
}

// becomes waits until a daemon says that its connection to the switch is in a state.
func (w *world) becomes(d *daemon, state string) (s switchAnswer) {
	w.t.Helper()
	w.eventually(d.name+" to be "+state, func() (err error) {
		if s, err = d.theSwitch(); err == nil && s.State != state {
			err = fmt.Errorf("it is %s", s.State)
		}
		return err
	})
	return s
}

// traffic waits until the switch has taken some more frames.
func (w *world) traffic() {
	w.t.Helper()
	want := w.took() + w.rate/8 + w.random.IntN(w.rate/2)
	w.eventually("traffic", func() error {
		if n := w.took(); n < want {
			return fmt.Errorf("%d of %d frames", n, want)
		}
		return nil
	})
}

// settled stops the traffic and waits until everything that there is to know is known: the
// ports' counters are what was sent, and nothing has changed for two idle timeouts.
func (w *world) settled() map[string]accounting {
	w.t.Helper()
	w.pause()
	said := map[string]accounting{}
	var last string
	changed := time.Now()
	w.eventually("the counters to settle", func() error {
		s, err := w.main.theSwitch()
		if err != nil {
			return err
		}
		for _, p := range s.Ports {
			said[p.Name] = p.Accounting
		}
		if err := w.differs(s); err != nil {
			return err
		}
		if now := fmt.Sprint(said); now != last {
			last, changed = now, time.Now()
		}
		if time.Since(changed) < 3*time.Second {
			return fmt.Errorf("changed just now: %s", last)
		}
		return nil
	})
	return said
}

// differs is an error while the ports have not counted what was sent since the switch was started.
func (w *world) differs(s switchAnswer) error {
	for _, p := range s.Ports {
		for _, n := range ports() {
			if a := p.Accounting; p.Name == portName(n) && (check.Count{Packets: a.PortPackets, Bytes: a.PortBytes}) != w.life[n] {
				return fmt.Errorf("%s has %+v, want %+v", p.Name, a, w.life[n])
			}
		}
	}
	return nil
}

// verify compares everything that the main daemon says with what was sent, and gives how many
// packets are in no record.
func (w *world) verify() (missing uint64) {
	t := w.t
	t.Helper()
	books := w.settled()
	flows := w.main.flows(t)
	counts := check.FlowCounts(flows)
	recorded := map[string]check.Count{}
	for _, s := range w.streams {
		got := counts[s.what]
		delete(counts, s.what)
		if got.Packets > s.sent.Packets || got.Bytes > s.sent.Bytes {
			t.Errorf("%v: %+v were recorded of %+v that were sent: counted twice", s.what, got, s.sent)
		}
		missing += s.sent.Packets - got.Packets
		name := portName(s.port)
		recorded[name] = plus(recorded[name], got)
	}
	for what, n := range counts {
		t.Errorf("%v: %+v were recorded, and nothing was sent", what, n)
	}
	for _, n := range ports() {
		name := portName(n)
		a := books[name]
		said := plus(check.Count{Packets: a.RecordPackets, Bytes: a.RecordBytes}, w.lives[name])
		if said != recorded[name] {
			t.Errorf("%s: flows have %+v, and the books say %+v", name, recorded[name], said)
		}
		unexplained := minus(w.life[n], check.Count{Packets: a.RecordPackets, Bytes: a.RecordBytes})
		residue := check.Count{Packets: uint64(a.ResiduePackets + a.BasePackets), Bytes: uint64(a.ResidueBytes + a.BaseBytes)}
		if unexplained != residue {
			t.Errorf("%s: %+v are in no record, and the accounting says %+v", name, unexplained, residue)
		}
	}
	w.oneConversationEach(flows)
	w.oneRecordEach()
	return missing
}

// oneConversationEach wants one conversation of each flow, however often the daemon was started.
func (w *world) oneConversationEach(flows []check.Flow) {
	seen := map[check.Frame]string{}
	for _, f := range flows {
		for what := range check.FlowCounts([]check.Flow{f}) {
			if other, twice := seen[what]; twice && other != f.ID {
				w.t.Errorf("%v is in the conversations %s and %s", what, other, f.ID)
			}
			seen[what] = f.ID
		}
	}
}

// oneRecordEach adds up the newest record of each conversation in the history, as anybody would.
func (w *world) oneRecordEach() {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.main.dir, "state", "history", "history.db")+"?mode=ro")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	const newest = `SELECT count(*), coalesce(sum(forward_packets + reverse_packets), 0) FROM flow_record
		WHERE id IN (SELECT max(id) FROM flow_record GROUP BY conversation)`
	var conversations, packets uint64
	want, total := 0, uint64(0)
	for _, n := range check.FlowCounts(w.main.flows(w.t)) {
		want, total = want+1, total+n.Packets
	}
	w.eventually("the history to have what the live state has", func() error {
		if err := db.QueryRow(newest).Scan(&conversations, &packets); err != nil {
			return err
		}
		if conversations != uint64(want) || packets != total {
			return fmt.Errorf("%d records of %d packets, want %d of %d", conversations, packets, want, total)
		}
		return nil
	})
}

// note tells of a fault.
func (w *world) note(format string, args ...any) {
	w.t.Helper()
	w.t.Logf("after %d frames: %s", w.took(), strings.TrimSpace(fmt.Sprintf(format, args...)))
}
