package gnmi

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// patienceKey is the context's key of the timer that ends a call which does not say what it wants.
type patienceKey struct{}

// admit counts a call before anything is kept for it, even before it is known who calls, and ends it when it never says
// what it wants.
func (s *Server) admit(ctx context.Context, _ *tap.Info) (context.Context, error) {
	owner := ""
	if p, ok := peer.FromContext(ctx); ok {
		owner = addressOf(p.Addr)
		if err := s.refused(p); err != nil {
			return nil, err
		}
	}
	leave, err := s.calls.enter(owner)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, leave)
	ctx, end := context.WithCancel(ctx)
	timer := time.AfterFunc(s.cfg.SendTimeout, func() {
		s.metrics.silent.Inc()
		end()
	})
	context.AfterFunc(ctx, func() { timer.Stop() })
	return context.WithValue(ctx, patienceKey{}, timer), nil
}

// refused gives why a connection's calls are.
func (s *Server) refused(p *peer.Peer) error {
	connection, ok := s.open.Load(endsOf(p.LocalAddr, p.Addr))
	if !ok {
		return nil
	}
	why, _ := connection.(context.Context).Value(refusedKey{}).(error)
	return why
}

// inTime says that the timer of admit is not needed any more, and whether it was in time.
func inTime(ctx context.Context) bool {
	timer, ok := ctx.Value(patienceKey{}).(*time.Timer)
	return !ok || timer.Stop()
}

// hearUnary is an interceptor, which is called when the request is there.
func (s *Server) hearUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if !inTime(ctx) {
		return nil, s.errSilent()
	}
	answered := &share{quota: s.answers}
	resp, err := handle(context.WithValue(ctx, shareKey{}, answered), req)
	s.metrics.ended(info.FullMethod, err)
	if answer, ok := resp.(*gpb.GetResponse); ok && err == nil {
		return s.keep(ctx, answer, answered), nil
	}
	answered.end()
	return resp, err
}

// hearStream is an interceptor of streams. It is called before their first message, and can give a better error than
// one whose context ended.
func (s *Server) hearStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if !inTime(stream.Context()) {
		return s.errSilent()
	}
	heard := &heardStream{ServerStream: stream, server: s}
	var err error
	if strings.HasPrefix(info.FullMethod, "/gnmi.gNMI/") || strings.HasPrefix(info.FullMethod, "/grpc.reflection.") {
		err = handle(srv, heard)
	} else {
		err = s.attendService(srv, heard, handle)
	}
	s.metrics.ended(info.FullMethod, err)
	return err
}

// attendService serves a call of one of Deps.Services, which read the past: they count as such, and are cut off when their
// clients take nothing.
func (s *Server) attendService(srv any, stream *heardStream, handle grpc.StreamHandler) error {
	leave, err := s.past.enter(s.caller(stream.Context()))
	if err != nil {
		return err
	}
	stream.attended = true
	ended := make(chan error, 1)
	go func() { // ends with the call at the latest
		defer leave()
		ended <- handle(srv, stream)
	}()
	check := time.NewTicker(s.cfg.SendTimeout / 4)
	defer check.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case now := <-check.C:
			if since := stream.sending.Load(); since != nil && now.Sub(*since) > s.cfg.SendTimeout {
				s.metrics.stuck.Inc()
				return s.errStuck()
			}
		}
	}
}

func (s *Server) errStuck() error {
	return status.Errorf(codes.ResourceExhausted, "the client took nothing for %v (gnmi.send-timeout)", s.cfg.SendTimeout)
}

func (s *Server) errSilent() error {
	return status.Errorf(codes.DeadlineExceeded, "the call did not say what it wants for %v (gnmi.send-timeout)", s.cfg.SendTimeout)
}

// heardStream is a stream that does not wait for its first message for ever. One goroutine at a time receives.
type heardStream struct {
	grpc.ServerStream
	server *Server
	spoken bool

	attended bool                      // whether somebody looks at sending
	sending  atomic.Pointer[time.Time] // when the send that is going on began; nil for none
}

// SendMsg implements grpc.ServerStream.
func (h *heardStream) SendMsg(m any) error {
	if h.attended {
		now := time.Now()
		h.sending.Store(&now)
		defer h.sending.Store(nil)
	}
	return h.ServerStream.SendMsg(m)
}

// RecvMsg implements grpc.ServerStream. After the error of a silent call nothing more may be received.
func (h *heardStream) RecvMsg(m any) error {
	if h.spoken {
		return h.ServerStream.RecvMsg(m)
	}
	h.spoken = true
	received := make(chan error, 1)
	go func() { received <- h.ServerStream.RecvMsg(m) }() // ends with the call at the latest
	timer := time.NewTimer(h.server.cfg.SendTimeout)
	defer timer.Stop()
	select {
	case err := <-received:
		return err
	case <-timer.C:
		h.server.metrics.silent.Inc()
		return h.server.errSilent()
	}
}

// caller names who makes a call: who is known to access control, else where the call comes from.
func (s *Server) caller(ctx context.Context) string {
	if s.access != nil {
		if who := s.access.Caller(ctx); who != "" {
			return who
		}
	}
	if p, ok := peer.FromContext(ctx); ok {
		return addressOf(p.Addr)
	}
	return "nobody"
}
