package p4rt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// connection is one gRPC connection with its stream, from dialling to loss.
type connection struct {
	client      p4v1.P4RuntimeClient
	stream      p4v1.P4Runtime_StreamChannelClient
	out         chan *p4v1.StreamMessageRequest
	arbitration chan *p4v1.MasterArbitrationUpdate
	election    atomic.Pointer[p4v1.Uint128] // never changed, only replaced
	primary     atomic.Bool
	began       time.Time
	heard       atomic.Int64         // when the last message came, in nanoseconds since began: not by a clock that steps
	term        atomic.Pointer[term] // while primary
}

// serve makes one connection and stays until it is lost. served says whether it ever got
// an answer to the arbitration.
func (s *Session) serve(ctx context.Context) (served bool, err error) {
	conn, err := grpc.NewClient(s.cfg.Address, s.dialOptions()...)
	if err != nil {
		return false, fmt.Errorf("connect to %s: %w", s.cfg.Address, err)
	}
	defer conn.Close()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(s.cfg.DialTimeout, func() {
		cancel(fmt.Errorf("connect to %s: no answer in %s", s.cfg.Address, s.cfg.DialTimeout))
	})
	defer timer.Stop()

	c := &connection{
		client:      p4v1.NewP4RuntimeClient(conn),
		out:         make(chan *p4v1.StreamMessageRequest, s.cfg.QueueOut),
		arbitration: make(chan *p4v1.MasterArbitrationUpdate, 16),
		began:       time.Now(),
	}
	g, gctx := errgroup.WithContext(ctx)
	c.stream, err = c.client.StreamChannel(gctx, grpc.ForceCodecV2(newStreamCodec()))
	if err != nil {
		return false, cause(ctx, fmt.Errorf("connect to %s: %s", s.cfg.Address, rpcText(err)))
	}
	c.election.Store(s.bid())
	c.out <- s.arbitrationRequest(c)
	g.Go(func() error { return s.receive(gctx, c) })
	g.Go(func() error { return s.send(gctx, c) })
	g.Go(func() error { return s.probe(gctx, c) })
	g.Go(func() error { return s.govern(gctx, c, timer, &served) })
	return served, cause(ctx, g.Wait())
}

// cause prefers the reason why ctx ended to the error that its end produced.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

func (s *Session) dialOptions() []grpc.DialOption {
	opts := []grpc.DialOption{
		// Switches are on the management network; a web proxy of the environment is not meant for them.
		grpc.WithNoProxy(),
		// gRPC's own pings notice a dead peer even when no request is under way. It allows
		// no shorter interval than 10 s; probe is faster.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: s.cfg.ProbeTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
	}
	if len(s.deps.Dial) == 0 {
		return append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	return append(opts, s.deps.Dial...)
}

func (s *Session) arbitrationRequest(c *connection) *p4v1.StreamMessageRequest {
	a := &p4v1.MasterArbitrationUpdate{DeviceId: s.cfg.DeviceID, ElectionId: c.election.Load()}
	if s.cfg.Role != "" {
		a.Role = &p4v1.Role{Name: s.cfg.Role}
	}
	return &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Arbitration{Arbitration: a}}
}

// receive reads the stream and hands on what comes. It never waits for a subscriber.
func (s *Session) receive(ctx context.Context, c *connection) error {
	msg := incoming{program: s.program}
	for {
		err := c.stream.RecvMsg(&msg)
		if errors.Is(err, io.EOF) {
			return errClosed
		}
		if err != nil {
			return fmt.Errorf("stream from %s: %s", s.cfg.Address, rpcText(err))
		}
		c.heard.Store(int64(msg.received.Sub(c.began)))
		if msg.digests != nil {
			s.digestList(c, msg.digests)
			continue
		}
		switch m := msg.other.GetUpdate().(type) {
		case *p4v1.StreamMessageResponse_Arbitration:
			select {
			case c.arbitration <- m.Arbitration:
			case <-ctx.Done():
				return ctx.Err()
			}
		case *p4v1.StreamMessageResponse_Packet:
			s.metrics.packetIns.WithLabelValues(s.cfg.Name).Inc()
			p := s.program.decodePacketIn(m.Packet, msg.received)
			s.dispatchPacket(c, &p)
		case *p4v1.StreamMessageResponse_Error:
			s.metrics.refused.WithLabelValues(s.cfg.Name, "stream").Inc()
			s.log.Warn("the switch refused a message", "code", codes.Code(m.Error.GetCanonicalCode()), "message", m.Error.GetMessage())
		}
	}
}

// digestList acknowledges a list once it is in the queues. An ack that finds the outbound
// queue full is dropped: with an ack timeout of 0 the switch keeps nothing back for it.
func (s *Session) digestList(c *connection, m *DigestMessage) {
	s.metrics.lists.WithLabelValues(s.cfg.Name).Inc()
	s.metrics.digests.WithLabelValues(s.cfg.Name).Add(float64(len(m.Digests) + m.Broken))
	if m.Broken > 0 {
		s.metrics.refused.WithLabelValues(s.cfg.Name, "digest").Add(float64(m.Broken))
		s.log.Error("digests of another shape than the program's", "digest", m.DigestID, "known", m.Known, "count", m.Broken)
	}
	if m.Known {
		s.dispatchDigests(c, &m.DigestList)
	}
	ack := &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_DigestAck{
		DigestAck: &p4v1.DigestListAck{DigestId: m.DigestID, ListId: m.ListID}}}
	select {
	case c.out <- ack:
	default:
		s.metrics.drops.WithLabelValues(s.cfg.Name, "out", "ack").Inc()
	}
}

// send writes the stream: gRPC wants one writer at a time.
func (s *Session) send(ctx context.Context, c *connection) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case msg := <-c.out:
			if err := c.stream.Send(msg); err != nil {
				// The reason is what Recv gives.
				<-ctx.Done()
				return ctx.Err()
			}
			if msg.GetPacket() != nil {
				s.metrics.packetOuts.WithLabelValues(s.cfg.Name).Inc()
			}
		}
	}
}

// probe notices a switch that no longer answers, within ProbeInterval and ProbeTimeout,
// even where the network swallows the packets. It asks for the Capabilities, the cheapest
// request; any answer will do, also an error of the switch's own.
func (s *Session) probe(ctx context.Context, c *connection) error {
	tick := time.NewTicker(s.cfg.ProbeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if time.Since(c.began)-time.Duration(c.heard.Load()) < s.cfg.ProbeInterval {
			continue
		}
		rctx, cancel := context.WithTimeout(ctx, s.cfg.ProbeTimeout)
		_, err := c.client.Capabilities(rctx, &p4v1.CapabilitiesRequest{})
		cancel()
		if code := status.Code(err); code == codes.DeadlineExceeded || code == codes.Unavailable {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("no answer from %s in %s", s.cfg.Address, s.cfg.ProbeTimeout)
		}
		c.heard.Store(int64(time.Since(c.began)))
	}
}

// rpcText is a gRPC error without its wrapping, for people.
func rpcText(err error) string {
	st, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	return statusText(st.Proto())
}
