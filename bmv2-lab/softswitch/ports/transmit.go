package ports

import (
	"errors"

	"golang.org/x/sys/unix"
)

// arenaLen is the memory of the frames that wait for one system call, in bytes.
const arenaLen = 128 << 10

// sender gathers the frames that a port sends until flush hands them to the kernel.
type sender struct {
	arena  []byte
	frames [][]byte
	msgs   []mmsghdr
	iovs   []unix.Iovec
}

func newSender() *sender {
	return &sender{
		arena:  make([]byte, 0, arenaLen),
		frames: make([][]byte, 0, batch),
		msgs:   make([]mmsghdr, batch),
		iovs:   make([]unix.Iovec, batch),
	}
}

// fits says whether a frame can be added before the next flush.
func (s *sender) fits(frame []byte) bool {
	return len(s.frames) < batch && len(frame) <= cap(s.arena)-len(s.arena)
}

// add copies a frame that fits.
func (s *sender) add(frame []byte) {
	at := len(s.arena)
	s.arena = append(s.arena, frame...)
	s.frames = append(s.frames, s.arena[at:])
}

func (s *sender) reset() {
	s.arena = s.arena[:0]
	s.frames = s.frames[:0]
}

// send queues a frame on the port; what does not fit behind what waits goes after it.
func (p *port) send(frame []byte) {
	if len(frame) == 0 { // no interface takes that
		p.counts.txRefused.Add(1)
		return
	}
	if p.tx == nil {
		p.count(frame)
		if p.transmit != nil {
			p.transmit(p.Number, frame)
		}
		return
	}
	if !p.tx.fits(frame) {
		p.flush()
		if !p.tx.fits(frame) { // longer than the whole arena
			p.counts.txRefused.Add(1)
			return
		}
	}
	p.tx.add(frame)
}

// count books a frame that has left.
func (p *port) count(frame []byte) {
	p.counts.txFrames.Add(1)
	p.counts.txBytes.Add(uint64(len(frame)))
	p.out.write(frame)
}

// flush hands the queued frames to the kernel, in order. A frame that the kernel refuses is
// counted and left out.
func (p *port) flush() {
	frames := p.tx.frames
	if len(frames) == 0 {
		return
	}
	for i, f := range frames {
		p.tx.iovs[i].Base = &f[0]
		p.tx.iovs[i].SetLen(len(f))
		p.tx.msgs[i].hdr.Iov = &p.tx.iovs[i]
		p.tx.msgs[i].hdr.SetIovlen(1)
	}
	waited := false
	for done := 0; done < len(frames); {
		if p.sock == nil {
			p.counts.txLinkDown.Add(uint64(len(frames) - done))
			break
		}
		n, err := mmsg(unix.SYS_SENDMMSG, p.sock.fd, p.tx.msgs[done:len(frames)])
		switch {
		case err == nil:
			for _, f := range frames[done : done+n] {
				p.count(f)
			}
			done += n
		case errors.Is(err, unix.EINTR):
		case (errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS)) && !waited:
			// Once a batch the kernel gets a moment to drain.
			waited = true
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(p.sock.fd), Events: unix.POLLOUT}}, 5)
		default:
			p.refused(err)
			done++
		}
	}
	p.tx.reset()
}

// refused books a frame that the kernel did not take.
func (p *port) refused(err error) {
	switch {
	case errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO):
		p.suspect = true
		p.counts.txLinkDown.Add(1)
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS):
		p.counts.txQueueFull.Add(1)
	default: // EMSGSIZE mostly
		p.counts.txRefused.Add(1)
	}
}
