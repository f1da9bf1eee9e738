package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/cli"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
)

// surroundings records what pods stand on: the cluster, its nodes, the switches that these are at, and the cables between.
func (b *intervalsBench) surroundings() {
	record := func(f inventory.Fact) { b.store.Record(inventory.Became(f, b.now())) }
	record(inventory.Cluster{Name: "blue", Server: "https://blue:6443", State: "synced"})
	for n := range liveNodes {
		name, leaf, address := fmt.Sprintf("node-%04d", n), fmt.Sprintf("leaf%03d", n/perLeaf), netip.AddrFrom4([4]byte{172, 16, byte(n >> 8), byte(n)})
		record(inventory.Node{Cluster: "blue", Name: name, Addresses: []netip.Addr{address}, Ready: true, Created: b.now()})
		record(inventory.Endpoint{Switch: leaf, Port: fmt.Sprint("Ethernet", n%perLeaf), Number: uint32(n % perLeaf), Address: address, MAC: "02:00:00:00:00:01"})
		record(inventory.Port{Switch: leaf, Number: uint32(n % perLeaf), Name: fmt.Sprint("Ethernet", n%perLeaf), Peer: name})
	}
	for n := range liveNodes / perLeaf {
		leaf := fmt.Sprintf("leaf%03d", n)
		record(inventory.Switch{Name: leaf, DeviceID: uint64(n + 1), Address: "10.0.0.1:9559", Role: "leaf", State: "ready"})
		for spine := range uint32(4) {
			up := inventory.PortRef{Switch: leaf, Port: fmt.Sprint("Ethernet", perLeaf+spine), Number: perLeaf + spine}
			down := inventory.PortRef{Switch: fmt.Sprint("spine", spine), Port: fmt.Sprint("Ethernet", n), Number: uint32(n)}
			record(inventory.Link{A: up, B: down})
			record(inventory.Link{A: down, B: up})
		}
	}
	for spine := range 4 {
		record(inventory.Switch{Name: fmt.Sprint("spine", spine), DeviceID: uint64(1000 + spine), Address: "10.0.0.1:9559", Role: "spine", State: "ready"})
	}
}

// asked measures what an operator waits for: the command line, over TLS on the loopback, with the server in front of the history.
func (b *intervalsBench) asked(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "historybench-gnmi-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg := gnmi.DefaultConfig()
	cfg.LabDir = dir
	server, err := gnmi.New(cfg, gnmi.Deps{Source: b.store, Now: b.now, Listener: listener})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Run(serving) }()
	asker := asker{bench: b, address: listener.Addr().String(), ca: filepath.Join(dir, "gnmi.crt")}
	err = asker.all(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// asker runs the command line.
type asker struct {
	bench       *intervalsBench
	address, ca string
}

// all asks what an operator asks.
func (a *asker) all(ctx context.Context) error {
	if err := a.ready(ctx); err != nil {
		return err
	}
	b := a.bench
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	for _, q := range []struct {
		what, aim string
		times     int
		args      func() []string
	}{
		{"timeline of a service over a day, by its whole name", "under 200 ms", 50, func() []string {
			from, s := b.day(), service(b.r.IntN(liveServices))
			return []string{"timeline", "service", s.ID, "--cluster", s.Cluster, "--since", stamp(from), "--until", stamp(from.Add(24 * time.Hour))}
		}},
		{"timeline of a service over a day, by its name alone", "", 10, func() []string {
			from, s := b.day(), service(b.r.IntN(liveServices))
			return []string{"timeline", "service", s.ID[strings.IndexByte(s.ID, '/')+1:], "--since", stamp(from), "--until", stamp(from.Add(24 * time.Hour))}
		}},
		{"pods of one service at a moment", "", 3, func() []string {
			namespace, name, _ := strings.Cut(service(b.r.IntN(liveServices)).ID, "/")
			return []string{"pods", "--cluster", "blue", "--namespace", namespace, "--service", name, "--at", stamp(b.instant())}
		}},
		{"all pods at a moment, written as lines of JSON", "", 1, func() []string { return []string{"pods", "--at", stamp(b.instant()), "-o", "jsonl"} }},
		{"diff of two moments an hour apart", "", 1, func() []string {
			at := b.instant()
			return []string{"diff", "--at", stamp(at), "--to", stamp(at.Add(time.Hour))}
		}},
		{"impact of a switch, now", "", 1, func() []string { return []string{"impact", "--switch", "leaf007"} }},
	} {
		var times []time.Duration
		begun := cpu()
		for range q.times {
			begin := time.Now()
			if err := a.run(ctx, q.args()); err != nil {
				return err
			}
			times = append(times, time.Since(begin))
		}
		which := "median"
		if q.times >= 50 {
			which = "p99"
		}
		share := map[string]float64{"median": 0.5, "p99": 0.99}[which]
		measured("command line: "+q.what+", "+which, milliseconds(quantile(times, share)), q.aim)
		report("%-64s %12s", "the same, processor time of all cores, client and server", milliseconds((cpu()-begun)/time.Duration(q.times)))
	}
	return nil
}

// ready waits until the server has a certificate.
func (a *asker) ready(ctx context.Context) error {
	for {
		if _, err := os.Stat(a.ca); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// run runs a command in this process.
func (a *asker) run(_ context.Context, args []string) error {
	var said strings.Builder
	status := cli.Main(cli.Surroundings{
		Args:   slices.Concat(args, []string{"--address", a.address, "--tls-ca", a.ca, "--timeout", "5m"}),
		Getenv: func(string) string { return "" }, Now: a.bench.now, Stdout: io.Discard, Stderr: &said,
	})
	if status != 0 {
		return fmt.Errorf("fabricscope %s: status %d: %s", strings.Join(args, " "), status, said.String())
	}
	return nil
}
