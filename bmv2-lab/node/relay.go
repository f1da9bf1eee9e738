package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// relay accepts TCP connections in one namespace and carries them to the same
// address in the root namespace, where the agent is.
type relay struct {
	listener    net.Listener
	address     string
	connections prometheus.Counter
	cancel      context.CancelFunc
	running     sync.WaitGroup
}

// startRelay listens on a loopback address in the namespace. Stop ends it and
// every connection.
func startRelay(namespace *netns.Namespace, address string, connections prometheus.Counter) (*relay, error) {
	listener, err := namespace.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("relay of the API server: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	started := &relay{listener: listener, address: address, connections: connections, cancel: cancel}
	started.running.Add(1)
	go started.accept(ctx)
	return started, nil
}

// Stop returns when the listener and all connections are closed.
func (r *relay) Stop() {
	r.cancel()
	r.listener.Close()
	r.running.Wait()
}

func (r *relay) accept(ctx context.Context) {
	defer r.running.Done()
	for {
		inside, err := r.listener.Accept()
		if err != nil {
			return // closed by Stop
		}
		r.connections.Inc()
		r.running.Add(1)
		go r.carry(ctx, inside)
	}
}

// carry copies both ways until both ends have closed or the relay stops.
func (r *relay) carry(ctx context.Context, inside net.Conn) {
	defer r.running.Done()
	defer inside.Close()
	outside, err := new(net.Dialer).DialContext(ctx, "tcp", r.address)
	if err != nil {
		return // the client sees the connection closed, as with a server that is down
	}
	defer outside.Close()
	stop := context.AfterFunc(ctx, func() {
		inside.Close()
		outside.Close()
	})
	defer stop()
	var copying sync.WaitGroup
	copying.Go(func() { copyHalf(outside, inside) })
	copying.Go(func() { copyHalf(inside, outside) })
	copying.Wait()
}

// copyHalf copies one direction and passes on its end.
func copyHalf(to, from net.Conn) {
	_, _ = io.Copy(to, from) // either end may go at any time
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}
