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

const cluster = "blue"

// bench is a running server.
type bench struct {
	settings
	store   *history.Store
	server  *gnmi.Server
	address string
	ca      string
	stop    func() error
}

func startServer(ctx context.Context, s settings, dir string) (*bench, error) {
	h, g := history.DefaultConfig(), gnmi.DefaultConfig()
	h.Dir, g.LabDir = filepath.Join(dir, "history"), dir
	g.MaxSubscribers = 2 * s.subscribers
	store, err := history.New(h, history.Deps{})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	server, err := gnmi.New(g, gnmi.Deps{Source: store, Listener: listener})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 2)
	go func() { ended <- store.Run(running) }()
	go func() { ended <- server.Run(running) }()
	b := &bench{settings: s, store: store, server: server, address: listener.Addr().String(), ca: filepath.Join(dir, "gnmi.crt"),
		stop: func() error {
			cancel()
			return errors.Join(<-ended, <-ended)
		}}
	b.fill()
	if err := store.Flush(ctx); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return b, nil
}

// fill records a cluster whose pods are spread over the services.
func (b *bench) fill() {
	now := time.Now()
	b.store.Record(inventory.Became(inventory.Cluster{Name: cluster, State: "synced"}, now),
		inventory.Became(inventory.Namespace{Cluster: cluster, Name: "shop"}, now))
	for i := range b.services {
		b.store.Record(inventory.Became(inventory.Service{Cluster: cluster, Namespace: "shop", Name: serviceName(i), Type: "ClusterIP"}, now))
	}
	for i := range b.pods {
		p := inventory.Pod{Cluster: cluster, Namespace: "shop", Name: "pod-" + strconv.Itoa(i), UID: uid(i), Node: "worker1",
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
	return inventory.Member{Cluster: cluster, Namespace: "shop", Service: serviceName(i % b.services), Address: address(i), PodUID: uid(i),
		Pod: "pod-" + strconv.Itoa(i), Node: "worker1", Ready: ready, Serving: true}
}

// result is what a client process found out.
type result map[string]float64

// client starts a client process.
func (b *bench) client(ctx context.Context, args ...string) (wait func() (result, error), err error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"client", b.address, b.ca}, args...)...)
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
