package access

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"

	"google.golang.org/grpc/credentials"
)

// handshakes is TLS that tells whom it refused: no call begins that could be told of.
type handshakes struct {
	credentials.TransportCredentials
	guard *Guard
}

// ServerHandshake implements credentials.TransportCredentials.
func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		h.guard.refuseHandshake(raw.RemoteAddr(), err)
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (h handshakes) Clone() credentials.TransportCredentials {
	return handshakes{h.TransportCredentials.Clone(), h.guard}
}

// refuseHandshake tells of a client without a good certificate, of one address not more often than logins may fail. Others, as those who speak no TLS and who only look
// whether the port is open, are counted.
func (g *Guard) refuseHandshake(from net.Addr, err error) {
	c := claim{by: "nothing"}
	var bad *tls.CertificateVerificationError
	switch {
	case errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0:
		c = claim{"certificate", strings.Join(principalsOf(bad.UnverifiedCertificates[0]), ", ")}
	case strings.Contains(err.Error(), "client didn't provide a certificate"): // which is no error of its own
	default:
		g.metrics.handshakes.WithLabelValues("other").Inc()
		return
	}
	g.metrics.handshakes.WithLabelValues(c.by).Inc()
	if !g.tells(from) {
		return
	}
	g.log.Warn("a client without a good certificate is refused", "peer", from.String(), "claims", bounded(c.names), "error", err)
	if g.audit == nil {
		return
	}
	g.writeLine(context.Background(), "refused", append([]slog.Attr{slog.String("peer", from.String())}, c.told(err)...))
}
