package gnmi

import (
	"log/slog"
	"net"
)

// boundedListener closes connections over the quota at once: waiting in the queue of the system they would hold up
// those of others.
type boundedListener struct {
	net.Listener
	connections *quota
	log         *slog.Logger
}

// Accept implements net.Listener.
func (l boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		leave, err := l.connections.enter(addressOf(conn.RemoteAddr()))
		if err == nil {
			return &countedConn{conn, leave}, nil
		}
		l.log.Debug("gNMI connection is refused", "peer", conn.RemoteAddr().String(), "err", err)
		_ = conn.Close()
	}
}

// countedConn is a connection that leaves its quota when it is closed.
type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
