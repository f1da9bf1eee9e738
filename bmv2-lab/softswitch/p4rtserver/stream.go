package p4rtserver

import (
	"context"
	"errors"
	"io"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// controlQueue bounds the arbitration messages that wait for one client.
const controlQueue = 256

// client is one stream. What it is sent goes through two queues: a client that does not take
// its arbitration messages loses its stream, and of everything else it loses what does not fit.
type client struct {
	urgent  chan *p4.StreamMessageResponse
	rest    chan *p4.StreamMessageResponse
	stuck   chan struct{} // one token when urgent overflowed
	metrics *metrics

	role     *role      // guarded by arbiter.mu; nil before the first arbitration
	election electionID // guarded by arbiter.mu
	gone     bool       // guarded by arbiter.mu; the stream has ended
}

func newClient(queue int, m *metrics) *client {
	return &client{
		urgent: make(chan *p4.StreamMessageResponse, controlQueue),
		rest:   make(chan *p4.StreamMessageResponse, queue),
		stuck:  make(chan struct{}, 1), metrics: m,
	}
}

// control queues an arbitration message.
func (c *client) control(m *p4.StreamMessageResponse) {
	select {
	case c.urgent <- m:
	default:
		select {
		case c.stuck <- struct{}{}:
		default:
		}
	}
}

// bulk queues any other message and says whether it fitted.
func (c *client) bulk(m *p4.StreamMessageResponse) bool {
	select {
	case c.rest <- m:
		return true
	default:
		c.metrics.streamDrops.Inc()
		return false
	}
}

// StreamChannel serves one client's session (P4Runtime specification, section 16). Two
// goroutines send and receive; they end when this one returns, because gRPC then ends what
// they wait for, and Run waits for them. So a client that takes nothing cannot keep its stream.
func (s *Server) StreamChannel(stream p4.P4Runtime_StreamChannelServer) error {
	if !s.sessions.take(1) {
		return status.Errorf(codes.ResourceExhausted, "there are %d streams already", s.sessions.limit)
	}
	defer s.sessions.take(-1)
	c := newClient(s.cfg.ClientQueue, s.metrics)
	defer s.arbiter.remove(c)
	if !s.enter(2) {
		return errStopping
	}
	ended, quit := make(chan error, 2), make(chan struct{})
	defer close(quit)
	go func() {
		defer s.background.Done()
		ended <- streamStatus(s.receive(stream, c))
	}()
	go func() {
		defer s.background.Done()
		ended <- c.send(stream, quit)
	}()
	silent := time.NewTimer(s.cfg.Patience)
	defer silent.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-c.stuck:
			return status.Error(codes.ResourceExhausted, "the client does not read its arbitration messages")
		case <-silent.C:
			if !s.arbiter.knows(c) {
				return status.Errorf(codes.DeadlineExceeded, "the client has sent no arbitration for %s", s.cfg.Patience)
			}
		case <-s.stopping:
			return errStopping
		}
	}
}

// errStopping is what clients get when the switch stops.
var errStopping = status.Error(codes.Unavailable, "the switch is stopping")

// enter books goroutines unless the server is stopping, when Run may be waiting already.
func (s *Server) enter(goroutines int) bool {
	s.ending.Lock()
	defer s.ending.Unlock()
	select {
	case <-s.stopping:
		return false
	default:
		s.background.Add(goroutines)
		return true
	}
}

// send sends what is queued, arbitration first, until quit is closed.
func (c *client) send(stream p4.P4Runtime_StreamChannelServer, quit <-chan struct{}) error {
	for {
		var m *p4.StreamMessageResponse
		select {
		case m = <-c.urgent:
		default:
			select {
			case m = <-c.urgent:
			case m = <-c.rest:
			case <-quit:
				return nil
			}
		}
		if err := stream.Send(m); err != nil {
			return err
		}
	}
}

func streamStatus(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) {
		return nil
	}
	if st, ok := status.FromError(err); ok {
		return st.Err()
	}
	return status.Error(codeOf(err), err.Error())
}

// receive handles a client's messages in their order.
func (s *Server) receive(stream p4.P4Runtime_StreamChannelServer, c *client) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		switch u := req.GetUpdate().(type) {
		case *p4.StreamMessageRequest_Arbitration:
			if err := s.arbiter.update(c, u.Arbitration); err != nil {
				s.deps.Log.Info("client refused", "error", err)
				return err
			}
		case *p4.StreamMessageRequest_Packet:
			if err := s.packetOut(c, u.Packet); err != nil {
				s.metrics.packetOutErrors.Inc()
				c.bulk(streamError(err, &p4.StreamError{Details: &p4.StreamError_PacketOut{
					PacketOut: &p4.PacketOutError{PacketOut: echo(u.Packet)}}}))
			}
		case *p4.StreamMessageRequest_DigestAck:
			if err := s.digestAck(c, u.DigestAck); err != nil {
				c.bulk(streamError(err, &p4.StreamError{Details: &p4.StreamError_DigestListAck{
					DigestListAck: &p4.DigestListAckError{DigestListAck: u.DigestAck}}}))
			}
		case *p4.StreamMessageRequest_Other:
			c.bulk(streamError(fail(codes.Unimplemented, "no other stream messages are supported"),
				&p4.StreamError{Details: &p4.StreamError_Other{Other: &p4.StreamOtherError{Other: echo(u.Other)}}}))
		default: // nothing, or what a later version has
			c.bulk(streamError(fail(codes.InvalidArgument, "stream message without content that is known"),
				&p4.StreamError{Details: &p4.StreamError_Other{Other: &p4.StreamOtherError{}}}))
		}
	}
}

// maxEcho bounds what an error gives back of the message that caused it, in bytes: as many of
// them as fit a client's queue may wait there.
const maxEcho = 16 << 10

// echo is a message for the error that it caused; the zero value if it is too large.
func echo[M proto.Message](m M) (none M) {
	if proto.Size(m) > maxEcho {
		return none
	}
	return m
}

func streamError(err error, e *p4.StreamError) *p4.StreamMessageResponse {
	e.CanonicalCode, e.Message, e.Space = int32(codeOf(err)), err.Error(), errorSpace
	return &p4.StreamMessageResponse{Update: &p4.StreamMessageResponse_Error{Error: e}}
}

// maxPacket bounds a packet-out, in bytes: no link takes a longer one.
const maxPacket = 1<<16 - 1

// packetOut sends a packet of the primary into the switch at its CPU port.
func (s *Server) packetOut(c *client, out *p4.PacketOut) error {
	if _, ok := s.arbiter.primary(c); !ok {
		return fail(codes.PermissionDenied, "packet-out: the client is not primary")
	}
	p := s.running.Load()
	if p == nil {
		return fail(codes.FailedPrecondition, "packet-out: no forwarding pipeline is set")
	}
	if n := len(out.GetPayload()); n > maxPacket {
		return fail(codes.InvalidArgument, "packet-out: a packet of %d bytes is longer than %d", n, maxPacket)
	}
	frame, err := p.schema.packetOut.pack(out)
	if err != nil {
		return err
	}
	if err := s.deps.Dataplane.PacketOut(frame); err != nil {
		return &failure{code: codes.Unavailable, err: err}
	}
	s.metrics.packetOuts.Inc()
	return nil
}

func (s *Server) digestAck(c *client, a *p4.DigestListAck) error {
	role, ok := s.arbiter.primary(c)
	if !ok {
		return fail(codes.PermissionDenied, "acknowledgement: the client is not primary")
	}
	if !role.owns(a.GetDigestId()) {
		return fail(codes.PermissionDenied, "acknowledgement: id %#x is not in the scope of the role", a.GetDigestId())
	}
	return s.digester.ack(a)
}
