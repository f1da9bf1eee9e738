package ports

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Among epoll's events wakeEvent marks the eventfd, and linkEvent the kernel's messages about
// interfaces; other values are indices of ports.
const (
	wakeEvent = -1
	linkEvent = -2
)

// hurry is the shortest time between two looks at the links, for when many change at once.
const hurry = 10 * time.Millisecond

func (s *Set) drainWake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b [8]byte
	_, _ = unix.Read(s.wake, b[:])
}

func (s *Set) watch(fd, event int) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(event)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return fmt.Errorf("ports: epoll: %w", err)
	}
	return nil
}

// Receiver takes what the ports receive.
type Receiver interface {
	// Receive takes a frame, whose memory is valid during the call only.
	Receive(port uint32, frame []byte)
	// Pause is called behind the frames that came together.
	Pause()
}

// ReceiverFunc is a Receiver that does not need to know about batches.
type ReceiverFunc func(port uint32, frame []byte)

// Receive is Receiver's.
func (f ReceiverFunc) Receive(port uint32, frame []byte) { f(port, frame) }

// Pause is Receiver's.
func (f ReceiverFunc) Pause() {}

// Poll waits for frames, for Wake, or for a second, and hands over at most one batch from
// every port, then sends what the ports were given. Owner only.
func (s *Set) Poll(to Receiver) error {
	s.sleeping.Store(true)
	timeout := s.timeout()
	if s.woken.Swap(false) || len(s.inject) > 0 {
		timeout = 0
	}
	var events [batch]unix.EpollEvent
	n, err := unix.EpollWait(s.epoll, events[:], timeout)
	s.sleeping.Store(false)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("ports: epoll: %w", err)
	}
	for _, ev := range events[:max(n, 0)] {
		if ev.Fd == wakeEvent {
			s.drainWake()
			continue
		}
		if ev.Fd == linkEvent {
			s.links.drain()
			continue
		}
		p := s.ports[ev.Fd]
		if ev.Events&unix.EPOLLERR != 0 && p.sock != nil {
			p.sock.failed() // ENETDOWN, mostly: lookAfter finds out
			p.suspect.Store(true)
		}
		s.receive(p, to)
	}
	s.receiveInjected(to)
	now := time.Since(s.start)
	err = s.receiveFiles(now, to)
	to.Pause()
	if err != nil {
		return fmt.Errorf("ports: %w", err)
	}
	s.imp.release(now)
	for _, p := range s.ports {
		if p.tx != nil {
			p.flush()
		}
	}
	s.flushCaptures()
	s.lookAfter(now)
	return nil
}

// timeout is how long Poll may wait, in milliseconds.
func (s *Set) timeout() int {
	now := time.Since(s.start)
	wait := max(s.ticked+s.period()-now, 0)
	if next, ok := s.imp.next(now); ok {
		wait = min(wait, next)
	}
	if next, ok := s.replay.wait(now); ok {
		wait = min(wait, next)
	}
	return int((wait + time.Millisecond - 1) / time.Millisecond)
}

// period is the time between two looks at the links.
func (s *Set) period() time.Duration {
	if s.links.told {
		return hurry
	}
	for _, p := range s.ports {
		if p.tx != nil && (p.suspect.Load() || p.sock == nil) {
			return s.recoverTick
		}
	}
	return s.tick
}

// receive hands over one batch of a port's frames.
func (s *Set) receive(p *port, to Receiver) {
	if p.sock == nil {
		return
	}
	r := p.sock.ring
	for range batch {
		sl, ok := r.take()
		if !ok {
			return
		}
		if !sl.outgoing() {
			s.receiveFrame(p, sl, to)
		}
		r.release(sl)
	}
}

func (s *Set) receiveFrame(p *port, sl slot, to Receiver) {
	frame, err := p.sock.ring.frame(p.sock.fd, sl)
	switch {
	case errors.Is(err, errOversize):
		p.counts.rxOversize.Add(1)
	case err != nil:
		p.counts.rxQueueFull.Add(1)
	default:
		s.arrive(p, frame, to)
	}
}

func (s *Set) receiveInjected(to Receiver) {
	for range batch {
		select {
		case in := <-s.inject:
			s.arrive(in.port, in.frame, to)
		default:
			return
		}
	}
}

func (s *Set) arrive(p *port, frame []byte, to Receiver) {
	if w := p.wire.Load(); w != nil && w.shut {
		p.counts.rxLinkDown.Add(1)
		return
	}
	p.counts.rxFrames.Add(1)
	p.counts.rxBytes.Add(uint64(len(frame)))
	p.in.write(frame)
	to.Receive(p.Number, frame)
}

// flushCaptures makes visible what the owner has written.
func (s *Set) flushCaptures() {
	if s.cfg.PcapDir == "" && s.cfg.Files == nil {
		return
	}
	for _, p := range s.ports {
		p.flushCapture(p.in)
		if p.tx == nil { // other ports do it when they have sent
			p.flushCapture(p.out)
		}
	}
}

func (p *port) flushCapture(c *capture) {
	if err := c.flush(); err != nil {
		p.log.Error("capture ends", "port", p.Number, "interface", p.Name(), "error", err)
	}
}
