package p4rt

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// term is the time in which the session is primary on one connection. Each subscriber has
// a queue and a goroutine that ends with the term.
type term struct {
	queues []*queue // as Deps.Subscribers
	cancel context.CancelFunc
	done   sync.WaitGroup
	end    error // why it ended; written before the queues are closed
}

// govern follows the arbitration: primary means pipeline, digests and events; anything else
// means to read only. It stops the dial timer with the first answer.
func (s *Session) govern(ctx context.Context, c *connection, timer *time.Timer, served *bool) (err error) {
	defer func() {
		s.setConnection(nil)
		s.metrics.backup.WithLabelValues(s.cfg.Name).Set(0)
		s.endTerm(c, cause(ctx, err))
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-c.arbitration:
			timer.Stop()
			if !*served {
				s.metrics.connections.WithLabelValues(s.cfg.Name).Inc()
			}
			*served = true
			s.setConnection(c)
			if a.GetStatus().GetCode() != int32(codes.OK) {
				s.standby(c, a)
				if !s.outbid(c, a) {
					continue
				}
				select {
				case c.out <- s.arbitrationRequest(c):
				case <-ctx.Done():
				}
				continue
			}
			if c.primary.Load() {
				continue
			}
			if err := s.beginTerm(ctx, c); err != nil {
				return err
			}
		}
	}
}

// standby says who is primary instead.
func (s *Session) standby(c *connection, a *p4v1.MasterArbitrationUpdate) {
	s.endTerm(c, ErrNotPrimary)
	message := ErrNotPrimary.Error() + ": " + statusText(a.GetStatus())
	primary := a.GetElectionId().GetHigh()
	if a.GetStatus().GetCode() == int32(codes.NotFound) {
		primary = 0 // the id is the highest that there was
	}
	s.metrics.backup.WithLabelValues(s.cfg.Name).Set(1)
	if primary != 0 {
		s.borrowed = nil
	}
	if s.state(StateStandby, message, primary) {
		s.log.Warn("this controller is not primary: it is a backup, and reads and writes nothing", "election-id", s.cfg.ElectionID,
			"primary", primary, "status", statusText(a.GetStatus()))
	}
}

// beginTerm puts the switch into the state that subscribers rely on, and starts them.
// The queues are there first, so that nothing that comes meanwhile is lost.
func (s *Session) beginTerm(ctx context.Context, c *connection) error {
	rctx, cancel := context.WithCancel(ctx)
	r := &term{cancel: cancel}
	for range s.deps.Subscribers {
		r.queues = append(r.queues, newQueue(s.cfg.QueueDigests, s.cfg.QueuePackets))
	}
	c.term.Store(r)
	c.primary.Store(true)
	fresh, err := s.ensurePipeline(ctx, c)
	if err != nil {
		return err
	}
	if err := s.enableDigests(ctx); err != nil {
		return err
	}
	s.metrics.connects.WithLabelValues(s.cfg.Name).Inc()
	s.metrics.ready.WithLabelValues(s.cfg.Name).Set(1)
	s.metrics.backup.WithLabelValues(s.cfg.Name).Set(0)
	s.state(StateReady, "", c.election.Load().GetHigh())
	s.log.Info("switch is ready")
	for i := range s.deps.Subscribers {
		r.done.Add(1)
		go func() {
			defer r.done.Done()
			s.deliver(rctx, r, i, fresh)
		}()
	}
	return nil
}

// endTerm waits until the subscribers have seen everything that came, and why it ended.
func (s *Session) endTerm(c *connection, err error) {
	r := c.term.Swap(nil)
	c.primary.Store(false)
	if r == nil {
		return
	}
	s.metrics.ready.WithLabelValues(s.cfg.Name).Set(0)
	r.end = err
	r.cancel()
	for _, q := range r.queues {
		q.close()
	}
	r.done.Wait()
}

// deliver is a subscriber's goroutine.
func (s *Session) deliver(ctx context.Context, r *term, subscriber int, fresh bool) {
	q, h := r.queues[subscriber], s.deps.Subscribers[subscriber].Handler
	waiting := s.metrics.queued.WithLabelValues(s.cfg.Name, s.deps.Subscribers[subscriber].Name)
	h.Connected(ctx, s, fresh)
	for {
		events, open := q.take()
		for _, e := range events {
			waiting.Sub(float64(e.size()))
			if e.digests != nil {
				h.Digests(s, *e.digests)
			} else {
				h.PacketIn(s, *e.packet)
			}
		}
		if !open {
			h.Disconnected(s, r.end)
			return
		}
	}
}

// dispatchDigests gives a list to every subscriber that wants digests.
func (s *Session) dispatchDigests(c *connection, l *DigestList) {
	r := c.term.Load()
	if r == nil {
		s.metrics.drops.WithLabelValues(s.cfg.Name, "none", "digest").Add(float64(len(l.Digests)))
		return
	}
	for i, sub := range s.deps.Subscribers {
		if sub.Digests && !s.enqueue(r.queues[i], sub.Name, event{digests: l}) {
			s.metrics.drops.WithLabelValues(s.cfg.Name, sub.Name, "digest").Add(float64(len(l.Digests)))
		}
	}
}

// enqueue puts an event into a subscriber's queue, and says whether there was room.
func (s *Session) enqueue(q *queue, name string, e event) bool {
	waiting, n := s.metrics.queued.WithLabelValues(s.cfg.Name, name), float64(e.size())
	waiting.Add(n)
	if q.put(e) {
		return true
	}
	waiting.Sub(n)
	return false
}

// dispatchPacket gives a packet to every subscriber that accepts it.
func (s *Session) dispatchPacket(c *connection, p *PacketIn) {
	r := c.term.Load()
	if r == nil {
		s.metrics.drops.WithLabelValues(s.cfg.Name, "none", "packet-in").Inc()
		return
	}
	for i, sub := range s.deps.Subscribers {
		if sub.Accept != nil && !sub.Accept(p) {
			continue
		}
		if !s.enqueue(r.queues[i], sub.Name, event{packet: p}) {
			s.metrics.drops.WithLabelValues(s.cfg.Name, sub.Name, "packet-in").Inc()
		}
	}
}
