package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// What the child of TestDaemonIsKilled is told: its configuration, and where to write backups.
const (
	childConfig  = "FABRICSCOPE_TEST_CONFIG"
	childBackups = "FABRICSCOPE_TEST_BACKUPS"
)

// killedFor is how long daemons are killed by hand; the tests kill few.
const killedFor = "FABRICSCOPE_TEST_KILL_FOR"

func TestMain(m *testing.M) {
	if file := os.Getenv(childConfig); file != "" {
		fmt.Println(liveUntilKilled(file, os.Getenv(childBackups)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// talkers is how many conversations the child has.
const talkers = 20

// liveUntilKilled runs a daemon that sees a pod more, and a packet more of each conversation, again and again, prints what is
// acknowledged, and backs itself up all the time.
func liveUntilKilled(file, backups string) error {
	cfg, err := config.Load(file)
	if err != nil {
		return err
	}
	d, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx := context.Background()
	ended := make(chan error, 3)
	go func() { ended <- d.Run(ctx) }()
	go func() {
		for n := 0; ; n++ {
			err := Backup(ctx, cfg, filepath.Join(backups, fmt.Sprintf("%06d", n)), d.log)
			if err != nil && !errors.Is(err, history.ErrInUse) { // the daemon does not listen yet
				ended <- err
			}
		}
	}()
	go func() { ended <- d.live(ctx) }()
	return <-ended
}

func (d *Daemon) live(ctx context.Context) error {
	pods := 0
	for range d.store.Now().All(inventory.KindPod) {
		pods++
	}
	packets := map[string]uint64{}
	for e := range d.store.Now().All(inventory.KindConversation) {
		c := e.Fact.(flow.Conversation)
		packets[c.ID] = c.Forward.Packets
	}
	for ; ; pods++ {
		d.store.Record(inventory.Became(inventory.Pod{Cluster: "blue", UID: fmt.Sprint(pods), Name: "web"}, time.Now()))
		now := time.Now()
		for n := range talkers {
			id := fmt.Sprintf("%016x", n)
			packets[id]++
			c := flow.Conversation{ID: id, Protocol: flow.TCP, Forward: flow.Counters{Packets: packets[id], Bytes: 100 * packets[id]}, First: now, Last: now}
			identified{d.store, d.recorder}.Record(inventory.Became(c, now))
		}
		if err := d.recorder.Flush(ctx); err != nil {
			return err
		}
		fmt.Println("acknowledged", pods, packets[fmt.Sprintf("%016x", 0)])
	}
}

// TestDaemonIsKilled kills a daemon at moments that a seed chooses, while it records and backs up. All that it acknowledged is
// there afterwards, each packet once; a backup is whole, or none.
func TestDaemonIsKilled(t *testing.T) {
	file, state := configured(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 5))
	pods, packets := -1, uint64(0)
	rounds, until := 3, time.Now()
	if long, err := time.ParseDuration(os.Getenv(killedFor)); err == nil {
		until = until.Add(long)
	}
	defer func() { t.Logf("%d pods are recorded, and each conversation has %d packets", pods, packets) }()
	for round := 0; round < rounds || time.Now().Before(until); round++ {
		backups := t.TempDir()
		child := exec.CommandContext(t.Context(), self)
		child.Env = append(os.Environ(), childConfig+"="+file, childBackups+"="+backups)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		left, delay := 1+random.IntN(40), time.Duration(random.IntN(5000))*time.Microsecond
		for lines := bufio.NewScanner(out); lines.Scan(); left-- {
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d %d", &pods, &packets); err != nil {
				t.Fatalf("round %d: child says: %s", round, lines.Text())
			}
			if left == 0 {
				time.AfterFunc(delay, func() { _ = child.Process.Kill() })
			}
		}
		_ = child.Wait()
		checkKilled(t, state, pods, packets)
		checkBackups(t, backups)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

// checkKilled looks for what was acknowledged.
func checkKilled(t *testing.T, state string, pods int, packets uint64) {
	t.Helper()
	v := revive(t, state)
	defer v.stop()
	for n := range pods + 1 {
		if _, ok := v.store.Now().Get(inventory.Pod{Cluster: "blue", UID: fmt.Sprint(n)}.Ref()); !ok {
			t.Fatalf("pod %d of %d acknowledged is lost", n, pods+1)
		}
	}
	if err := v.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, recorded := v.stored(), v.recorded(t)
	if stored != recorded || stored < talkers*packets || stored > talkers*(packets+1) {
		t.Errorf("%d packets of states, %d of records; %d were acknowledged", stored, recorded, talkers*packets)
	}
	if h, r := v.store.Status(), v.flows.Status(); len(h.Isolated)+len(r.Isolated) > 0 || h.Damage != nil {
		t.Errorf("a kill damaged %v %v %v", h.Isolated, r.Isolated, h.Damage)
	}
}

// checkBackups restores the newest whole backup, and tries to restore what the kill has left of the last.
func checkBackups(t *testing.T, backups string) {
	t.Helper()
	entries, err := os.ReadDir(backups)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		dir := filepath.Join(backups, e.Name())
		_, err := os.Stat(filepath.Join(dir, manifestName))
		whole := err == nil
		if whole && i < len(entries)-2 {
			continue
		}
		file, _ := configured(t)
		if status, said := command("restore", "--config", file, dir); (status == 0) != whole {
			t.Errorf("restore of a backup that is whole (%v): %d, %s", whole, status, said)
		}
	}
}
