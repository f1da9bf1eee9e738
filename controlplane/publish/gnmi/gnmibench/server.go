package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/heap"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
)

// The cluster and the namespace of everything.
const (
	cluster   = "blue"
	namespace = "shop"
)

// bench is a running history with two servers before it.
type bench struct {
	settings
	store *history.Store
	ca    string
	open  door // lets everybody see everything
	*door      // with access control: what is measured
	stop  func() error
}

// door is a server and where it listens.
type door struct {
	server  *gnmi.Server
	address string
}

func startServer(ctx context.Context, s settings, dir string) (*bench, error) {
	h := history.DefaultConfig()
	h.Dir = filepath.Join(dir, "history")
	store, err := history.New(h, history.Deps{})
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, store: store, ca: filepath.Join(dir, "gnmi.crt"), door: &door{}}
	guard, err := newGuard(dir)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	err = errors.Join(b.open.listen(s, dir, gnmi.Deps{Source: store}),
		b.door.listen(s, dir, gnmi.Deps{Source: store, TLS: guard.TLS(), Options: guard.Options(), Access: shown{guard}}))
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	collecting, err := heap.New(heap.DefaultConfig()) // as the daemon has it
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	all := []func(context.Context) error{collecting.Run, store.Run, guard.Run, b.open.server.Run, b.door.server.Run}
	for _, run := range all {
		go func() { ended <- run(running) }()
	}
	b.stop = func() error {
		cancel()
		var errs []error
		for range all {
			errs = append(errs, <-ended)
		}
		return errors.Join(errs...)
	}
	b.fill()
	if err := store.Flush(ctx); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

// listen makes the server.
func (d *door) listen(s settings, dir string, deps gnmi.Deps) (err error) {
	if deps.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	cfg := gnmi.DefaultConfig()
	cfg.LabDir = dir
	for _, limit := range []*int{&cfg.MaxConnections, &cfg.MaxAddressConnections, &cfg.MaxCalls, &cfg.MaxAddressCalls, &cfg.MaxSubscribers, &cfg.MaxCallerSubscribers} {
		*limit = max(*limit, 2*s.subscribers)
	}
	d.address = deps.Listener.Addr().String()
	d.server, err = gnmi.New(cfg, deps)
	return err
}

// fill records a cluster whose pods are spread over the services.
func (b *bench) fill() {
	now := time.Now()
	b.store.Record(inventory.Became(inventory.Cluster{Name: cluster, State: "synced"}, now),
		inventory.Became(inventory.Namespace{Cluster: cluster, Name: namespace}, now))
	for i := range b.services {
		b.store.Record(inventory.Became(inventory.Service{Cluster: cluster, Namespace: namespace, Name: serviceName(i), Type: "ClusterIP"}, now))
	}
	for i := range b.pods {
		p := inventory.Pod{Cluster: cluster, Namespace: namespace, Name: "pod-" + strconv.Itoa(i), UID: uid(i), Node: "worker1",
			IPs: []netip.Addr{address(i)}, Phase: "Running", Ready: true, Created: now, ReadySince: now,
			Workload: inventory.Workload{Kind: "Deployment", Name: serviceName(i % b.services)}, Labels: map[string]string{"app": "shop"}}
		b.store.Record(inventory.Became(p, now), inventory.Became(b.member(i, true), now))
	}
}

func serviceName(i int) string { return "service-" + strconv.Itoa(i) }
func uid(i int) string         { return "uid-" + strconv.Itoa(i) }

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func (b *bench) member(i int, ready bool) inventory.Member {
	return inventory.Member{Cluster: cluster, Namespace: namespace, Service: serviceName(i % b.services), Address: address(i), PodUID: uid(i),
		Pod: "pod-" + strconv.Itoa(i), Node: "worker1", Ready: ready, Serving: true}
}

// result is what a client process found out.
type result map[string]float64

// caller is a client process.
type caller struct {
	cmd  *exec.Cmd
	in   io.Closer // ends a client that waits for its end
	out  bytes.Buffer
	name string
}

// client starts a client process, which calls a server.
func (b *bench) client(ctx context.Context, to *door, args ...string) (*caller, error) {
	c := &caller{cmd: exec.CommandContext(ctx, "/proc/self/exe", append([]string{"client", to.address, b.ca}, args...)...), name: args[0]}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return c, c.cmd.Start()
}

// wait lets the client end and gives what it found out.
func (c *caller) wait() (r result, err error) {
	if err := errors.Join(c.in.Close(), c.cmd.Wait()); err != nil {
		return nil, fmt.Errorf("client %s: %w", c.name, err)
	}
	return r, json.Unmarshal(c.out.Bytes(), &r)
}

// processorTime is what the client has used of the processors (proc_pid_stat(5), fields 14 and 15).
func (c *caller) processorTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third on
	var ticks uint64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const perSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / perSecond, nil
}

// memory is what the server's own objects and stacks take, in bytes.
func memory() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// await waits until there are so many subscribers.
func (b *bench) await(ctx context.Context, n int) error {
	for b.server.Subscribers() != n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
