package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// configured writes a configuration of a daemon with a state directory of its own.
func configured(t *testing.T) (file, state string) {
	t.Helper()
	dir := t.TempDir()
	file, state = filepath.Join(dir, "fabricscoped.yaml"), filepath.Join(dir, "state")
	text := fmt.Sprintf("state-dir: %s\ngnmi: {listen: \"127.0.0.1:0\"}\nhttp: {listen: \"\"}\n", state)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, state
}

// command runs fabricscoped with arguments to its end.
func command(args ...string) (status int, said string) {
	var out strings.Builder
	status = Main(args, &out, &out)
	return status, out.String()
}

// kept counts the pods and the packets of flow records in the stores of a configuration.
func kept(t *testing.T, file string) (pods int, packets uint64) {
	t.Helper()
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	store, flows, err := openStores(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	defer flows.Close()
	for range store.Now().All(inventory.KindPod) {
		pods++
	}
	err = flows.Scan(t.Context(), records.Query{}, func(r *records.Record) error {
		packets += r.Forward.Packets
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pods, packets
}

// observe lets a daemon see pods and conversations, from one number until before another.
func observe(d *Daemon, from, to int) {
	sink := identified{d.store, d.recorder}
	now := time.Now()
	for n := from; n < to; n++ {
		d.store.Record(inventory.Became(inventory.Pod{Cluster: "blue", UID: fmt.Sprint(n), Name: "web"}, now))
		count := flow.Counters{Packets: 7, Bytes: 700}
		end := flow.End{Address: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Port: 80}
		sink.Record(inventory.Became(flow.Conversation{ID: fmt.Sprint(n), Protocol: flow.TCP, Client: end, Server: end, Forward: count,
			ForwardHops: []flow.Hop{{Switch: "leaf1", Port: "1", Counters: count}}, First: now, Last: now}, now))
	}
}

// TestBackupOfARunningDaemon backs up while it records, restores into another daemon's directory, and looks for everything
// that was there when the backup began.
func TestBackupOfARunningDaemon(t *testing.T) {
	file, state := configured(t)
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	for {
		if _, err := os.Stat(controlSocket(state)); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	observe(d, 0, 200)
	more := make(chan struct{})
	go func() { // goes on while the backup is made
		defer close(more)
		observe(d, 200, 400)
	}()
	saved := filepath.Join(t.TempDir(), "saved")
	if status, said := command("backup", "--config", file, saved); status != 0 {
		t.Fatalf("backup: %s", said)
	}
	if status, said := command("backup", "--config", file, saved); status == 0 || !strings.Contains(said, "is not empty") {
		t.Errorf("a second backup to the same place: %d, %s", status, said)
	}
	if status, said := command("restore", "--config", file, "--replace", saved); status == 0 || !strings.Contains(said, "in use") {
		t.Errorf("restore while the daemon runs: %d, %s", status, said)
	}
	<-more
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	other, _ := configured(t)
	if status, said := command("restore", "--config", other, saved); status != 0 || !strings.Contains(said, "restored") {
		t.Fatalf("restore: %d, %s", status, said)
	}
	if pods, packets := kept(t, other); pods < 200 || pods > 400 || packets < 7*200 || packets > 7*400 || packets%7 != 0 {
		t.Errorf("restored %d pods and %d packets, want at least 200 and 1400", pods, packets)
	}
}

// TestBackupWithoutADaemon has what is in the log only, and puts the earlier state aside.
func TestBackupWithoutADaemon(t *testing.T) {
	file, state := configured(t)
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop := runBehind(d.store.Run, d.records.Close)
	observe(d, 0, 50)
	if err := d.recorder.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "saved")
	if status, said := command("backup", "--config", file, saved); status != 0 {
		t.Fatalf("backup: %s", said)
	}
	if status, said := command("restore", "--config", file, saved); status == 0 || !strings.Contains(said, "has a history already") {
		t.Errorf("restore over what there is: %d, %s", status, said)
	}
	if status, said := command("restore", "--config", file, "--replace", saved); status != 0 {
		t.Fatalf("restore: %s", said)
	}
	if pods, packets := kept(t, file); pods != 50 || packets != 350 {
		t.Errorf("restored %d pods and %d packets, want 50 and 350", pods, packets)
	}
	if aside, err := filepath.Glob(filepath.Join(state, "before-restore-*", "history", "history.db")); err != nil || len(aside) != 1 {
		t.Errorf("what was before is at %v, %v", aside, err)
	}
	if status, said := command("restore", "--config", file, t.TempDir()); status == 0 || !strings.Contains(said, "is no whole backup") {
		t.Errorf("restore of nothing: %d, %s", status, said)
	}
}
