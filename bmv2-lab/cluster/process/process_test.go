package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// parentArgument makes the test executable a parent that starts a child,
// prints its PID and waits to be killed.
const parentArgument = "-process-parent"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == parentArgument {
		child, err := Start(Spec{Name: "child", Path: "/bin/sleep", Args: []string{"60"}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(child.PID())
		<-child.Done()
		return
	}
	goleak.VerifyTestMain(m)
}

func shell(t *testing.T, script string) *Process {
	t.Helper()
	started, err := Start(Spec{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "deep", "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { started.Stop(0) })
	return started
}

// gone polls until no process has the ID.
func gone(pid int) error {
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		if !alive(pid) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("process %d is still there", pid)
}

func TestErrHasTheEndOfTheLog(t *testing.T) {
	ended := shell(t, "for i in $(seq 50); do echo line $i; done; echo the reason >&2; exit 3")
	<-ended.Done()
	err := ended.Err()
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "line 9\n") || !strings.Contains(err.Error(), "line 50") {
		t.Errorf("not the last lines: %v", err)
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	polite, deaf := shell(t, "sleep 60"), shell(t, "trap '' TERM; echo ready; while :; do sleep 60; done")
	deadline := time.Now().Add(5 * time.Second)
	for !strings.Contains(Tail(deaf.spec.Log, 1), "ready") {
		if time.Now().After(deadline) {
			t.Fatal("the shell did not set its trap")
		}
		time.Sleep(5 * time.Millisecond)
	}
	polite.Stop(10 * time.Second)
	if exit := polite.Exit(); exit.Signal != syscall.SIGTERM || exit.Code != 143 {
		t.Errorf("polite: %+v", exit)
	}
	deaf.Stop(50 * time.Millisecond)
	if exit := deaf.Exit(); exit.Signal != syscall.SIGKILL {
		t.Errorf("deaf: %+v", exit)
	}
	deaf.Stop(time.Second) // again is fine
}

func TestEndTakesTheGroupAlong(t *testing.T) {
	parent := shell(t, "sleep 60 & echo $!")
	<-parent.Done()
	pid, err := strconv.Atoi(strings.TrimSpace(Tail(parent.spec.Log, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := gone(pid); err != nil {
		t.Error(err)
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(executable, parentArgument)
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(output, &child); err != nil {
		t.Fatal(err)
	}
	if !alive(child) {
		t.Fatal("the child does not run")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // killed
	if err := gone(child); err != nil {
		t.Error(err)
	}
}

func TestReap(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "pid")
	running := shell(t, "exec /bin/sleep 60")
	deadline := time.Now().Add(5 * time.Second)
	for {
		if executable, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", running.PID())); filepath.Base(executable) == "sleep" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the shell did not become sleep")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := running.WritePID(file); err != nil {
		t.Fatal(err)
	}
	// Another program has the number: not ours to end.
	if err := Reap(file, "/usr/bin/etcd"); err != nil || !alive(running.PID()) {
		t.Fatalf("another program's process: error %v, alive %v", err, alive(running.PID()))
	}
	if err := running.WritePID(file); err != nil {
		t.Fatal(err)
	}
	if err := Reap(file, "/bin/sleep"); err != nil {
		t.Fatal(err)
	}
	<-running.Done()
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the PID file is still there: %v", err)
	}
	if err := Reap(file, "/bin/sleep"); err != nil {
		t.Errorf("no PID file: %v", err)
	}
}

func TestStartTellsWhatFailed(t *testing.T) {
	if _, err := Start(Spec{Name: "ghost", Path: "/no/such/program"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "ghost") {
		t.Errorf("got %v", err)
	}
	refusal := errors.New("not in there")
	if _, err := Start(Spec{Name: "ghost", Path: "/bin/true", Enter: func() error { return refusal }}); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
}
