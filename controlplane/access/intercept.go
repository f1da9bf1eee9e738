package access

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

// Options put the guard before every service of a server, and its TLS before that.
func (g *Guard) Options() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.Creds(handshakes{credentials.NewTLS(g.TLS()), g}),
		grpc.ChainUnaryInterceptor(g.unary), grpc.ChainStreamInterceptor(g.stream)}
}

func (g *Guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, r := newRecord(ctx, info.FullMethod, asked(req))
	ctx, err := g.authenticate(ctx)
	defer func() { g.write(ctx, &r, err) }()
	if err != nil {
		return nil, err
	}
	var resp any
	if g.policy == nil {
		resp, err = handle(ctx, req)
	} else {
		resp, err = g.policy.get().UnaryInterceptor(ctx, req, info, handle)
	}
	if err == nil {
		r.sent = 1
	}
	return resp, err
}

func (g *Guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	turn := g.open.turn()
	ctx, r := newRecord(stream.Context(), info.FullMethod, nil)
	ctx, err = g.authenticate(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	known := &knownStream{ServerStream: stream, guard: g, ctx: ctx, cancel: cancel, info: info, ended: make(chan struct{}), record: r}
	defer func() { g.write(ctx, known.done(), err) }()
	if err != nil {
		return err
	}
	if g.open.add(known) != turn { // files changed in between
		if err := g.admits(known); err != nil {
			g.open.remove(known)
			return err
		}
	}
	defer g.open.remove(known)
	// A handler can be stuck in what only its client ends. Its stream ends with this, and the handler with its stream.
	ended := make(chan error, 1)
	go func() { ended <- g.permitted(srv, known, handle) }()
	select {
	case err = <-ended:
	case <-known.ended:
	}
	if why := known.why.Load(); why != nil {
		return *why
	}
	return err
}

// permitted calls a handler, if the policy allows it.
func (g *Guard) permitted(srv any, known *knownStream, handle grpc.StreamHandler) error {
	if g.policy == nil {
		return handle(srv, known)
	}
	return g.policy.get().StreamInterceptor(srv, known, known.info, handle)
}

// knownStream is a stream whose caller is known.
type knownStream struct {
	grpc.ServerStream
	guard  *Guard
	ctx    context.Context
	cancel context.CancelFunc
	info   *grpc.StreamServerInfo
	once   sync.Once
	why    atomic.Pointer[error] // the status that it has to end with
	ended  chan struct{}         // closed then

	mu     sync.Mutex
	record record // guarded by mu
}

// end has the stream end with a status.
func (s *knownStream) end(why error) {
	s.once.Do(func() {
		s.why.Store(&why)
		close(s.ended)
		s.cancel()
	})
}

// RecvMsg implements grpc.ServerStream.
func (s *knownStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.record.asked == nil {
		s.record.asked = asked(m)
		if lasts(m) {
			s.guard.writeBegin(s.ctx, &s.record)
		}
	}
	return err
}

// SendMsg implements grpc.ServerStream.
func (s *knownStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.record.sent++
	}
	return err
}

// SetTrailer implements grpc.ServerStream.
func (s *knownStream) SetTrailer(md metadata.MD) {
	s.ServerStream.SetTrailer(md)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := md.Get(recordsTrailer); len(n) > 0 {
		s.record.records = n[0]
	}
}

// done gives the record of the whole call.
func (s *knownStream) done() *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record
	return &r
}

// Context implements grpc.ServerStream.
func (s *knownStream) Context() context.Context { return s.ctx }
