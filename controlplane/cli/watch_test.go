package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
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
	for limit := time.Now().Add(time.Minute); !strings.Contains(o.String(), text); time.Sleep(time.Millisecond) {
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

// frames gives the lines of each frame that a terminal was sent, before it was given back.
func frames(out string) [][]string {
	out, _, _ = strings.Cut(out, "\x1b[?25h")
	var all [][]string
	for _, frame := range strings.Split(out, "\x1b[H")[1:] {
		all = append(all, strings.Split(strings.NewReplacer("\x1b[K", "", "\x1b[J", "").Replace(frame), "\r\n"))
	}
	return all
}

// TestWatchDrawsInPlace has a terminal that becomes smaller, and is given back at the end.
func TestWatchDrawsInPlace(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	var size atomic.Pointer[[2]int]
	size.Store(&[2]int{80, 4})
	out := &output{}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, cli.Surroundings{Args: []string{"watch", "flows", "--address", lab.Address, "--tls-ca", lab.CA},
			Getenv: os.Getenv, Now: later, Stdout: out, Stderr: out,
			Terminal: func() (int, int, bool) { s := size.Load(); return s[0], s[1], true }})
	}()
	conversations := 0
	for _, f := range shop.Facts() {
		if f.Ref().Kind == inventory.KindConversation {
			conversations++
		}
	}
	out.await(t, fmt.Sprintf("... and %d more", conversations-2)) // two fit, with the titles and this
	size.Store(&[2]int{40, 3})
	out.await(t, fmt.Sprintf("... and %d more", conversations-1))
	interrupt()
	if status := <-ended; status != 0 {
		t.Fatalf("exit status %d:\n%s", status, out)
	}
	if !strings.HasPrefix(out.String(), "\x1b[?1049h\x1b[?25l\x1b[H") {
		t.Errorf("the terminal has no screen of its own: %q", out)
	}
	all := frames(out.String())
	for _, frame := range all {
		most := 80
		if len(frame) <= 3 {
			most = 40
		}
		for _, line := range frame {
			if len([]rune(line)) > most || len(frame) > 4 {
				t.Errorf("%q is wider than the terminal of %d", line, most)
			}
		}
	}
	last := strings.Join(all[len(all)-1], "\n")
	if _, rest, _ := strings.Cut(out.String(), "\x1b[?25h\x1b[?1049l"); rest != last+"\n" {
		t.Errorf("the terminal is given back with %q, not the last frame %q", rest, last)
	}
}

// TestWatchOnADumbTerminal has one that knows no sequences.
func TestWatchOnADumbTerminal(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	t.Setenv("TERM", "dumb")
	out := watch(t, lab, func() (int, int, bool) { return 60, 4, true }, "pods", "-n", "shop")
	out.await(t, "\n+ blue     shop       frontend-5d9c-aaaaa")
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("sequences for a dumb terminal: %q", out)
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
