package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/cli"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// output is what a command that goes on has written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// await waits until the output has a text.
func (o *output) await(t *testing.T, text string) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !strings.Contains(o.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%q does not come; there is:\n%s", text, o.String())
		}
	}
}

// watch runs the command until the test ends.
func watch(t *testing.T, lab *gnmitest.Lab, terminal func() (int, int, bool), args ...string) *output {
	t.Helper()
	out := &output{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Surroundings{Args: append([]string{"watch", "--address", lab.Address, "--tls-ca", lab.CA}, args...),
			Getenv: os.Getenv, Now: later, Stdout: out, Stderr: out, Terminal: terminal})
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("exit status %d:\n%s", status, out)
		}
	})
	return out
}

func TestWatchWritesWhatChanges(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	out := watch(t, lab, nil, "pods", "--namespace", "shop")
	out.await(t, "\n+ blue     shop       frontend-5d9c-aaaaa")
	p := shop.Pod("cart", "8c1d-eeeee", "uid-cart-9", "worker2", "10.244.2.9")
	lab.Record(p)
	out.await(t, "\n+ blue     shop       cart-8c1d-eeeee")
	before := out.String()
	lab.End(p)
	out.await(t, "\n- blue     shop       cart-8c1d-eeeee")
	if new := out.String()[len(before):]; strings.Contains(new, "frontend") {
		t.Errorf("what did not change is written again:\n%s", new)
	}
}

func TestWatchDrawsInPlace(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	out := watch(t, lab, func() (int, int, bool) { return 60, 4, true }, "flows")
	conversations := 0
	for _, f := range shop.Facts() {
		if f.Ref().Kind == inventory.KindConversation {
			conversations++
		}
	}
	out.await(t, fmt.Sprintf("... and %d more", conversations-1)) // one fits, with the titles and this
	out.await(t, "\x1b[3A")                                       // the next frame goes over it
	for _, line := range strings.Split(out.String(), "\n") {
		if shown := strings.NewReplacer("\x1b[K", "", "\x1b[J", "", "\x1b[3A", "", "\r", "").Replace(line); len([]rune(shown)) > 60 {
			t.Errorf("%q is wider than the terminal", shown)
		}
	}
}

func TestWatchEndsWithTheServer(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	out := &output{}
	status := make(chan int, 1)
	go func() {
		status <- cli.Run(t.Context(), cli.Surroundings{Args: []string{"watch", "pods", "--address", lab.Address, "--tls-ca", lab.CA},
			Getenv: os.Getenv, Now: later, Stdout: out, Stderr: out})
	}()
	out.await(t, "frontend")
	lab.Stop()
	if s := <-status; s != 1 || !strings.Contains(out.String(), "the server stops") {
		t.Errorf("exit status %d:\n%s", s, out)
	}
}
