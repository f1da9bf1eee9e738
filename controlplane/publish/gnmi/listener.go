package gnmi

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"
)

// excused is how many connections over the quota stay, no longer than a handshake may take, to be told why: each of
// their calls fails with the reason.
const excused = 64

// boundedListener does not let connections over the quota wait in the queue of the system, where they would hold up those
// of others: it excuses itself to a few, and closes the others at once.
type boundedListener struct {
	net.Listener
	connections *quota
	open        *sync.Map     // by endsOf: a context that ends with the connection
	refusals    chan struct{} // holds one for each connection that is excused
	patience    time.Duration // after which that is closed
	log         *slog.Logger
}

// refusedKey is the key, in the context of a connection, of why its calls are refused.
type refusedKey struct{}

// endsOf names a connection.
func endsOf(local, remote net.Addr) string { return local.String() + " " + remote.String() }

// Accept implements net.Listener.
func (l boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.connections.enter(addressOf(conn.RemoteAddr()))
		if err == nil {
			return l.counted(context.Background(), conn, leave), nil
		}
		l.log.Debug("gNMI connection is refused", "peer", conn.RemoteAddr().String(), "err", err)
		select {
		case l.refusals <- struct{}{}:
			return l.excuse(conn, err), nil
		default:
			_ = conn.Close()
		}
	}
}

// excuse gives a connection whose calls are refused.
func (l boundedListener) excuse(conn net.Conn, why error) net.Conn {
	timer := time.AfterFunc(l.patience, func() { _ = conn.Close() })
	return l.counted(context.WithValue(context.Background(), refusedKey{}, why), conn, func() {
		timer.Stop()
		<-l.refusals
	})
}

// counted gives a connection that leaves its quota, and the open ones, when it is closed.
func (l boundedListener) counted(ctx context.Context, conn net.Conn, leave func()) net.Conn {
	ends := endsOf(conn.LocalAddr(), conn.RemoteAddr())
	ctx, cancel := context.WithCancel(ctx)
	l.open.Store(ends, ctx)
	return &countedConn{conn, sync.OnceFunc(func() {
		l.open.CompareAndDelete(ends, ctx)
		cancel()
		leave()
	})}
}

// countedConn is a connection that says when it is closed.
type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
