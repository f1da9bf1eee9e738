package ports

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// linkMonitor asks the kernel about interfaces (netdevice(7)), and is told when one of any
// changes (rtnetlink(7)).
type linkMonitor struct {
	fd     int
	events int  // file descriptor; what it says does not matter
	told   bool // something that nobody has looked after
}

// link is an interface that exists.
type link struct {
	index int
	admin bool // set up
	up    bool // and with a carrier
}

func openLinkMonitor() (*linkMonitor, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("ports: control socket: %w", err)
	}
	m := &linkMonitor{fd: fd}
	if m.events, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE); err == nil {
		if err = unix.Bind(m.events, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
			unix.Close(m.events)
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("ports: netlink socket: %w", err)
	}
	return m, nil
}

func (m *linkMonitor) close() {
	unix.Close(m.fd)
	unix.Close(m.events)
}

// drain takes what the kernel has said.
func (m *linkMonitor) drain() {
	m.told = true
	var b [4096]byte
	for {
		switch _, _, err := unix.Recvfrom(m.events, b[:], 0); err {
		case nil, unix.EINTR, unix.ENOBUFS: // the last says that some is lost
		default:
			return
		}
	}
}

func (m *linkMonitor) look(name string) (link, error) {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return link{}, fmt.Errorf("interface name %q: %w", name, err)
	}
	if err := unix.IoctlIfreq(m.fd, unix.SIOCGIFINDEX, req); err != nil {
		return link{}, fmt.Errorf("interface %q: %w", name, err)
	}
	l := link{index: int(req.Uint32())}
	if err := unix.IoctlIfreq(m.fd, unix.SIOCGIFFLAGS, req); err != nil {
		return link{}, fmt.Errorf("interface %q: %w", name, err)
	}
	l.admin = req.Uint16()&unix.IFF_UP != 0
	l.up = l.admin && req.Uint16()&unix.IFF_RUNNING != 0
	return l, nil
}

// bind gives a port a new socket on its interface.
func (s *Set) bind(i int, l link) error {
	p := s.ports[i]
	p.unbind()
	sock, err := openSocket(p.Interface, l.index, s.cfg.ReceiveBuffer, s.cfg.ReceiveSlots)
	if err != nil {
		return err
	}
	if err := s.watch(sock.fd, i); err != nil {
		sock.close()
		return err
	}
	p.sock = sock
	p.suspect.Store(false)
	s.setLink(p, &l)
	return nil
}

// unbind closes the port's socket, if it has one and when nothing is being sent any more.
func (p *port) unbind() {
	if p.sock == nil {
		return
	}
	if p.outbox != nil {
		p.outbox.settle()
	}
	p.sock.close() // and leaves epoll with it
	p.sock = nil
}

// lookAfter follows the interfaces through going down, up, away and coming back, and takes
// the kernel's drop counts, once a tick or when the kernel says that an interface has changed.
func (s *Set) lookAfter(now time.Duration) {
	if now-s.ticked < s.period() {
		return
	}
	s.ticked, s.links.told = now, false
	for i, p := range s.ports {
		if p.tx == nil {
			continue
		}
		if p.sock != nil {
			p.counts.rxQueueFull.Add(p.sock.drops())
		}
		s.follow(i, p)
	}
}

// follow brings a port in line with its interface. A socket survives its interface's being
// down; one that was deleted and made again has another index and needs another socket.
func (s *Set) follow(i int, p *port) {
	l, err := s.links.look(p.Interface)
	switch {
	case err != nil:
		if p.sock != nil {
			p.unbind()
			s.setLink(p, nil)
			s.deps.Log.Warn("interface is gone", "port", p.Number, "interface", p.Interface, "error", err)
		}
	case p.sock == nil || p.sock.index != l.index:
		if err := s.bind(i, l); err != nil {
			s.deps.Log.Warn("interface is back and cannot be opened", "port", p.Number, "error", err)
			return
		}
		s.deps.Log.Info("interface is back", "port", p.Number, "interface", p.Interface, "up", l.up)
	default:
		if s.setLink(p, &l) {
			s.deps.Log.Info("link changed", "port", p.Number, "interface", p.Interface, "up", l.up, "set-up", l.admin)
		}
		p.suspect.Store(!l.up)
	}
}

// setLink tells a port the state of its interface, nil for none, and says whether it is another one.
func (s *Set) setLink(p *port, l *link) bool {
	before := p.link.Swap(l)
	if before == l || before != nil && l != nil && *before == *l {
		return false
	}
	p.up.Store(l != nil && l.up)
	p.since.Store(time.Now().UnixNano())
	s.changes.Add(1)
	return true
}

// usable says whether frames can pass: the interface is up and the port is not shut.
func (p *port) usable() bool {
	w := p.wire.Load()
	return p.up.Load() && (w == nil || !w.shut)
}

// Changes counts how often ports became up, down or otherwise than they were.
func (s *Set) Changes() uint64 { return s.changes.Load() }

// Down lists the ports that are down or shut.
func (s *Set) Down() map[uint32]bool {
	down := map[uint32]bool{}
	for _, p := range s.ports {
		if !p.usable() {
			down[p.Number] = true
		}
	}
	return down
}

// Has says whether there is a port of this number.
func (s *Set) Has(number uint32) bool { return s.find(number) != nil }
