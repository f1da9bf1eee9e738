package ports

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// port is one port. All but the atomics belongs to the Set's owner; with an outbox, out belongs
// to that.
type port struct {
	Port
	log    *slog.Logger
	counts counts
	wire   atomic.Pointer[wire] // nil while it is a good one
	up     atomic.Bool
	link   atomic.Pointer[link] // nil while the interface does not exist
	since  atomic.Int64         // unix nanoseconds of the last change of link, or of being shut

	sock     *socket     // nil without an interface, and while it does not exist
	suspect  atomic.Bool // the kernel said that the interface is down or gone
	tx       *sender     // nil in memory, and in files
	outbox   *outbox     // nil unless ParallelSend; it has the other senders
	in, out  *capture
	transmit func(uint32, []byte)
}

// injected is a frame on its way from Inject to Poll.
type injected struct {
	port  *port
	frame []byte
}

// Set is the ports of one switch.
type Set struct {
	cfg      Config
	deps     Deps
	ports    []*port
	byNumber []*port // by port number
	start    time.Time

	epoll    int // file descriptor, the owner's
	inject   chan injected
	sleeping atomic.Bool // Poll is about to wait, or waits
	woken    atomic.Bool // Wake was called since Poll last looked
	unknown  atomic.Uint64
	changes  atomic.Uint64 // of the ports' states

	mu   sync.Mutex // guards wake
	wake int        // file descriptor of an eventfd in epoll; -1 while closed

	wiring sync.Mutex // guards changes of the ports' wires

	imp    *impairer
	replay *replay // nil without Files
	links  *linkMonitor

	// tick is how often Poll looks after links and the kernel's drop counts; recoverTick is
	// the same while a port's interface is down or gone.
	tick, recoverTick time.Duration
	ticked            time.Duration
}

// New prepares a Set; Open makes it live.
func New(cfg Config, deps Deps) (*Set, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		return nil, errors.New("ports: no logger")
	}
	s := &Set{
		cfg: cfg, deps: deps, epoll: -1, wake: -1,
		inject: make(chan injected, cfg.QueueLength),
		imp:    newImpairer(cfg.DelayLength), start: time.Now(),
		tick: time.Second, recoverTick: 100 * time.Millisecond,
	}
	for _, c := range cfg.Ports {
		p := &port{Port: c, log: deps.Log}
		switch {
		case c.Interface == "":
			p.transmit = deps.Transmit
			s.setLink(p, &link{admin: true, up: true})
		case cfg.Files != nil:
			s.setLink(p, &link{admin: true, up: true})
		default:
			p.tx = newSender()
		}
		s.ports = append(s.ports, p)
		for int(c.Number) >= len(s.byNumber) {
			s.byNumber = append(s.byNumber, nil)
		}
		s.byNumber[c.Number] = p
	}
	return s, nil
}

// Open binds the ports to their interfaces, all of which must exist, and creates the capture
// files. After an error nothing is open.
func (s *Set) Open() (err error) {
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("ports: epoll: %w", err)
	}
	if err = s.openWake(); err != nil {
		return err
	}
	if s.links, err = openLinkMonitor(); err != nil {
		return err
	}
	if err = s.watch(s.links.events, linkEvent); err != nil {
		return err
	}
	if s.cfg.Files != nil {
		s.replay = &replay{due: time.Since(s.start) + s.cfg.Files.Wait}
	}
	for i, p := range s.ports {
		if err := s.openPort(i, p); err != nil {
			return fmt.Errorf("port %d@%s: %w", p.Number, p.Interface, err)
		}
	}
	return nil
}

func (s *Set) openPort(i int, p *port) error {
	if s.replay != nil && p.Interface != "" {
		return s.openFiles(p)
	}
	if p.tx != nil {
		link, err := s.links.look(p.Interface)
		if err != nil {
			return err
		}
		if err := s.bind(i, link); err != nil {
			return err
		}
	}
	if err := s.openCaptures(p); err != nil {
		return err
	}
	if p.tx != nil && s.cfg.ParallelSend {
		p.outbox = startOutbox(p)
	}
	return nil
}

func (s *Set) openWake() error {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("ports: eventfd: %w", err)
	}
	s.mu.Lock()
	s.wake = fd
	s.mu.Unlock()
	return s.watch(fd, wakeEvent)
}

func (s *Set) openCaptures(p *port) (err error) {
	if s.cfg.PcapDir == "" || s.cfg.Files != nil || p.NoCapture {
		return nil
	}
	if p.in, err = createCapture(s.cfg.PcapDir, p.Name(), "in"); err != nil {
		return err
	}
	p.out, err = createCapture(s.cfg.PcapDir, p.Name(), "out")
	return err
}

// openFiles opens what the port reads before it creates what the port writes.
func (s *Set) openFiles(p *port) (err error) {
	if err = s.replay.open(p); err != nil {
		return err
	}
	p.out, err = createCapture("", p.Interface, "out")
	return err
}

// Close gives everything back. The owner calls it after the last Poll.
func (s *Set) Close() {
	for _, p := range s.ports {
		if p.outbox != nil {
			p.outbox.stop()
			p.outbox = nil
		}
		p.unbind()
		p.in.close()
		p.out.close()
		s.setLink(p, nil)
	}
	if s.replay != nil {
		s.replay.close()
	}
	if s.links != nil {
		s.links.close()
		s.links = nil
	}
	if s.epoll >= 0 {
		unix.Close(s.epoll)
		s.epoll = -1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake >= 0 {
		unix.Close(s.wake)
		s.wake = -1
	}
}

// Transmit sends a frame out of a port. The memory is not kept. Owner only.
func (s *Set) Transmit(number uint32, frame []byte) {
	p := s.find(number)
	if p == nil {
		s.unknown.Add(1)
		return
	}
	if w := p.wire.Load(); w != nil {
		s.overWire(w, p, frame)
		return
	}
	p.send(frame)
}

// UnknownPort counts the frames that were sent to port numbers that no port has.
func (s *Set) UnknownPort() uint64 { return s.unknown.Load() }

// Inject makes a frame arrive at a port, in order with the other injected ones. The memory
// is not kept. It never blocks: ErrQueueFull says that the frame was dropped.
func (s *Set) Inject(number uint32, frame []byte) error {
	p := s.find(number)
	if p == nil {
		return fmt.Errorf("inject at port %d: %w", number, ErrNoPort)
	}
	if len(frame) == 0 || len(frame) > MaxFrame {
		return fmt.Errorf("inject at port %d: %w: %d bytes", number, ErrFrame, len(frame))
	}
	select {
	case s.inject <- injected{p, append([]byte(nil), frame...)}:
	default:
		p.counts.rxQueueFull.Add(1)
		return fmt.Errorf("inject at port %d: %w", number, ErrQueueFull)
	}
	s.signal()
	return nil
}

// Waiting is how many injected frames Poll has not yet taken.
func (s *Set) Waiting() int { return len(s.inject) }

// Wake makes the current or the next Poll return soon.
func (s *Set) Wake() {
	s.woken.Store(true)
	s.signal()
}

// signal interrupts Poll if it waits.
func (s *Set) signal() {
	if s.sleeping.CompareAndSwap(true, false) {
		one := [8]byte{0: 1, 7: 1} // not zero in either byte order
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.wake >= 0 {
			_, _ = unix.Write(s.wake, one[:])
		}
	}
}

// Stats lists the ports' counts, in the configuration's order.
func (s *Set) Stats() []Stats {
	out := make([]Stats, 0, len(s.ports))
	for _, p := range s.ports {
		st := p.counts.snapshot()
		st.Number, st.Interface, st.Up = p.Number, p.Interface, p.usable()
		if w := p.wire.Load(); w != nil {
			st.Impairment, st.Shut = w.Impairment, w.shut
		}
		if l := p.link.Load(); l != nil {
			st.Present, st.Index, st.AdminUp = true, l.index, l.admin && !st.Shut
		}
		st.Since = time.Unix(0, p.since.Load()).UTC()
		out = append(out, st)
	}
	return out
}

func (s *Set) find(number uint32) *port {
	if uint64(number) >= uint64(len(s.byNumber)) {
		return nil
	}
	return s.byNumber[number]
}
