package netns

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testName = "fabriclab-netnstest"

func add(t *testing.T) *Namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	if err := Remove(testName); err != nil { // what an earlier run left
		t.Fatal(err)
	}
	namespace, err := Add(testName)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		namespace.Close()
		if err := Remove(testName); err != nil {
			t.Error(err)
		}
	})
	return namespace
}

// current identifies the namespace of the calling thread.
func current() (uint64, error) {
	var stat unix.Stat_t
	err := unix.Stat("/proc/thread-self/ns/net", &stat)
	return stat.Ino, err
}

func TestDoLeavesNoThreadBehind(t *testing.T) {
	namespace := add(t)
	outside, err := current()
	if err != nil {
		t.Fatal(err)
	}
	var inside uint64
	if err := namespace.Do(func() (err error) {
		inside, err = current()
		return err
	}); err != nil || inside == outside {
		t.Fatalf("inside %d, outside %d, error %v", inside, outside, err)
	}
	// Whatever threads there are, work on them is outside, also while others are inside.
	var running sync.WaitGroup
	for i := range 64 {
		running.Go(func() {
			if i%2 == 0 {
				if err := namespace.Do(func() error { time.Sleep(time.Millisecond); return nil }); err != nil {
					t.Error(err)
				}
				return
			}
			for range 50 {
				if got, err := current(); err != nil || got != outside {
					t.Errorf("a goroutine is in namespace %d, want %d (%v)", got, outside, err)
					return
				}
			}
		})
	}
	running.Wait()
	var main unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &main); err != nil || main.Ino != outside {
		t.Errorf("the main thread is in namespace %d, want %d (%v)", main.Ino, outside, err)
	}
}

func TestListenAndDialInside(t *testing.T) {
	namespace := add(t)
	listener, err := namespace.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan error, 1)
	go func() {
		connection, err := listener.Accept()
		if err == nil {
			_, err = connection.Write([]byte("inside"))
			connection.Close()
		}
		accepted <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	connection, err := namespace.DialContext(ctx, "tcp", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if content, err := io.ReadAll(connection); string(content) != "inside" || err != nil {
		t.Errorf("got %q and %v", content, err)
	}
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	if err := namespace.WriteSysctl("net/ipv4/ip_forward", "1"); err != nil {
		t.Error(err)
	}
	if output, err := namespace.Run(ctx, "", "cat", "/proc/sys/net/ipv4/ip_forward"); strings.TrimSpace(output) != "1" || err != nil {
		t.Errorf("got %q and %v", output, err)
	}
	if _, err := namespace.Run(ctx, "link del nothing\n", "ip", "-batch", "-"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("got %v, want the command's own words", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open("/no/such/namespace"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a namespace") {
		t.Errorf("got %v", err)
	}
}

func TestNamedAndRemove(t *testing.T) {
	add(t)
	names, err := Named(testName)
	if err != nil || len(names) != 1 {
		t.Errorf("got %v and %v", names, err)
	}
	for range 2 { // again is fine
		if err := Remove(testName); err != nil {
			t.Error(err)
		}
	}
	if names, err = Named(testName); err != nil || len(names) != 0 {
		t.Errorf("after Remove: %v and %v", names, err)
	}
}
