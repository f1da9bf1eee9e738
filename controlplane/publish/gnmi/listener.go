package gnmi

import (
	"context"
	"log/slog"
	"net"
	"sync"
)

// boundedListener closes connections over the quota at once: waiting in the queue of the system they would hold up
// those of others.
type boundedListener struct {
	net.Listener
	connections *quota
	open        *sync.Map // by endsOf: a context that ends with the connection
	log         *slog.Logger
}

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
			return l.counted(conn, leave), nil
		}
		l.log.Debug("gNMI connection is refused", "peer", conn.RemoteAddr().String(), "err", err)
		_ = conn.Close()
	}
}

// counted gives a connection that leaves its quota, and the open ones, when it is closed.
func (l boundedListener) counted(conn net.Conn, leave func()) net.Conn {
	ends := endsOf(conn.LocalAddr(), conn.RemoteAddr())
	ctx, cancel := context.WithCancel(context.Background())
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
