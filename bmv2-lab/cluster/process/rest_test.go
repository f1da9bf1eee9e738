package process

import (
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// start runs a shell command until the test ends.
func start(t *testing.T, script string) int {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestProcessThatWaitsIsAtRest(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := AtRest(ctx, start(t, "exec sleep 60")); err != nil {
		t.Error(err)
	}
}

// A process that always works is never at rest, also while others have the processor.
func TestProcessThatWorksIsNotAtRest(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := AtRest(ctx, start(t, "while :; do :; done")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestProcessThatIsGone(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := AtRest(context.Background(), cmd.Process.Pid); err == nil {
		t.Error("no error")
	}
}
