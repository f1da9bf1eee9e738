package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

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
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	all := []func(context.Context) error{store.Run, guard.Run, b.open.server.Run, b.door.server.Run}
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
	cfg.LabDir, cfg.MaxSubscribers = dir, 2*s.subscribers
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

// client starts a client process, which calls a server.
func (b *bench) client(ctx context.Context, to *door, args ...string) (wait func() (result, error), err error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"client", to.address, b.ca}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() (result, error) {
		if err := cmd.Wait(); err != nil {
			return nil, fmt.Errorf("client %v: %w", args, err)
		}
		var r result
		return r, json.Unmarshal(out.Bytes(), &r)
	}, nil
}

// memory is what the server's own objects and stacks take, in bytes.
func memory() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// await waits until so many subscribers are there.
func (b *bench) await(ctx context.Context, n int) error {
	for b.server.Subscribers() < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
