// Package netns works in network namespaces from a process of the root one: it
// runs functions, listens, dials and starts commands inside a namespace, and
// makes and removes named ones.
//
// A namespace belongs to an operating system thread, so each function here
// gives its work a thread of its own and never returns it to the Go scheduler
// in another namespace than it came from.
package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Directory is where iproute2 keeps named namespaces.
const Directory = "/run/netns"

// Namespace is a network namespace, by a path like /proc/PID/ns/net or
// /run/netns/NAME. It holds the namespace open until Close, so that it cannot
// become another one when its process ends.
type Namespace struct {
	path string
	file *os.File
}

// PathOfPID is the path of a process's namespace.
func PathOfPID(pid int) string { return fmt.Sprintf("/proc/%d/ns/net", pid) }

// PathOfName is the path of a namespace that `ip netns` made.
func PathOfName(name string) string { return filepath.Join(Directory, name) }

// Open opens the namespace at a path.
func Open(path string) (*Namespace, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	var filesystem unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &filesystem); err != nil || filesystem.Type != unix.NSFS_MAGIC {
		file.Close()
		return nil, fmt.Errorf("open network namespace %s: not a namespace", path)
	}
	return &Namespace{path: path, file: file}, nil
}

// Path is the path that the namespace was opened by.
func (n *Namespace) Path() string { return n.path }

// Close lets the namespace go.
func (n *Namespace) Close() error { return n.file.Close() }

// Enter moves the calling thread into the namespace. The caller has locked the
// thread and does not unlock it again.
func (n *Namespace) Enter() error {
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", n.path, err)
	}
	return nil
}

// Do runs a function on a thread in the namespace and returns its error.
// Sockets that it makes stay in the namespace; goroutines that it starts do not.
func (n *Namespace) Do(work func() error) error {
	done := make(chan error, 1)
	go n.do(work, done)
	return <-done
}

func (n *Namespace) do(work func() error, done chan<- error) {
	runtime.LockOSThread() // not unlocked in the namespace: the thread ends with this goroutine
	if unix.Gettid() == unix.Getpid() {
		// The main thread cannot end, and /proc/self shows its namespaces.
		// Holding it makes the next goroutine run on another.
		defer runtime.UnlockOSThread()
		inner := make(chan error, 1)
		go n.do(work, inner)
		done <- <-inner
		return
	}
	if err := n.Enter(); err != nil {
		done <- err
		return
	}
	done <- work()
}

// Listen listens in the namespace; accepting works from anywhere.
func (n *Namespace) Listen(network, address string) (net.Listener, error) {
	var listener net.Listener
	err := n.Do(func() (err error) {
		listener, err = net.Listen(network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen in %s: %w", n.path, err)
	}
	return listener, nil
}

// DialContext connects from inside the namespace. The address is numeric: a
// name would be resolved elsewhere.
func (n *Namespace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var connection net.Conn
	err := n.Do(func() (err error) {
		connection, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return connection, err
}

// Run runs a command in the namespace, with the input if it is not empty, and
// gives its standard output. The error has the command line and what it wrote
// to standard error.
func (n *Namespace) Run(ctx context.Context, input, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	err := n.Do(func() error {
		command := exec.CommandContext(ctx, name, args...)
		command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &stdout, &stderr
		return command.Run()
	})
	if err != nil {
		return stdout.String(), fmt.Errorf("%s %s in %s: %w: %s", name, strings.Join(args, " "), n.path, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// WriteSysctl sets a value; the key is its path below /proc/sys, which shows the
// namespace of the thread for everything below net.
func (n *Namespace) WriteSysctl(key, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0o644); err != nil {
			return fmt.Errorf("set sysctl %s to %s in %s: %w", key, value, n.path, err)
		}
		return nil
	})
}

// Add makes a named namespace, as `ip netns add` does, with its loopback
// device up, and opens it. An existing one of the name is an error.
func Add(name string) (*Namespace, error) {
	if output, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("add network namespace %s: %w: %s", name, err, strings.TrimSpace(string(output)))
	}
	namespace, err := Open(PathOfName(name))
	if err != nil {
		return nil, errors.Join(err, Remove(name))
	}
	if _, err := namespace.Run(context.Background(), "", "ip", "link", "set", "lo", "up"); err != nil {
		return nil, errors.Join(err, namespace.Close(), Remove(name))
	}
	return namespace, nil
}

// Remove removes a named namespace; one that is not there is fine. The kernel
// frees it, and the devices in it, when no process or open file holds it.
func Remove(name string) error {
	path := PathOfName(name)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove network namespace %s: %w", name, err)
	}
	return nil
}

// Named lists the named namespaces with a prefix.
func Named(prefix string) ([]string, error) {
	entries, err := os.ReadDir(Directory)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
