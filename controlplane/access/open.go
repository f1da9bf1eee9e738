package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// openStreams are those that go on, so that they end when their callers may not call any more.
type openStreams struct {
	mu    sync.Mutex
	all   map[*knownStream]struct{} // guarded by mu
	turns uint64                    // guarded by mu; how often files changed
}

// turn is how often files changed until now.
func (o *openStreams) turn() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turns
}

// add takes a stream. If the turn that it gives is not the one in which the caller was found out, a change was missed.
func (o *openStreams) add(s *knownStream) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[s] = struct{}{}
	return o.turns
}

func (o *openStreams) remove(s *knownStream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, s)
}

// list gives all; changed says that files did since the last time.
func (o *openStreams) list(changed bool) []*knownStream {
	o.mu.Lock()
	defer o.mu.Unlock()
	if changed {
		o.turns++
	}
	list := make([]*knownStream, 0, len(o.all))
	for s := range o.all {
		list = append(list, s)
	}
	return list
}

// review ends the streams whose callers may not call any more. While no file changes it is only certificates that end.
func (g *Guard) review(changed bool) {
	for _, s := range g.open.list(changed) {
		var err error
		if changed {
			err = g.admits(s)
		} else {
			err = g.certified(callerOf(s.ctx).connection)
		}
		if err != nil {
			g.metrics.ended.WithLabelValues(status.Code(err).String()).Inc()
			s.end(err)
		}
	}
}

// admits says whether the caller of a stream could open it now; the error says why not.
func (g *Guard) admits(s *knownStream) error {
	c := callerOf(s.ctx)
	if err := g.certified(c.connection); err != nil {
		return err
	}
	if c.user != "" && !g.users.get().has(c.user, c.hash) {
		return status.Error(codes.Unauthenticated, "the user is gone or has another password")
	}
	if g.policy == nil {
		return nil
	}
	return g.policy.get().StreamInterceptor(nil, s, s.info, func(any, grpc.ServerStream) error { return nil })
}

// certified says whether the certificate of a connection, if there is one, is good now: the handshake may be long ago.
func (g *Guard) certified(c *tls.ConnectionState) error {
	if g.clients == nil || c == nil || len(c.PeerCertificates) == 0 {
		return nil
	}
	between := x509.NewCertPool()
	for _, cert := range c.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: g.clients.get(), Intermediates: between, CurrentTime: g.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return status.Errorf(codes.Unauthenticated, "the client certificate is not good any more: %v", err)
	}
	return nil
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}
