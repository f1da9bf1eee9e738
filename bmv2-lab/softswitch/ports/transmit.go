package ports

import (
	"errors"

	"golang.org/x/sys/unix"
)

// arenaLen is the memory of the frames that wait for one system call, in bytes.
const arenaLen = 128 << 10

// sender gathers the frames that a port sends until they are handed to the kernel at once.
type sender struct {
	sock   *socket // takes them; nil while the interface does not exist
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

// flush sends the queued frames, or hands them to the port's outbox.
func (p *port) flush() {
	if len(p.tx.frames) == 0 {
		return
	}
	p.tx.sock = p.sock
	if p.outbox != nil {
		p.tx = p.outbox.exchange(p.tx)
		return
	}
	p.sendBatch(p.tx)
}

// sendBatch hands frames to the kernel, in order, and empties the batch. A frame that the
// kernel refuses is counted and left out. With an outbox its goroutine alone calls it.
func (p *port) sendBatch(tx *sender) {
	frames := tx.frames
	for i, f := range frames {
		tx.iovs[i].Base = &f[0]
		tx.iovs[i].SetLen(len(f))
		tx.msgs[i].hdr.Iov = &tx.iovs[i]
		tx.msgs[i].hdr.SetIovlen(1)
	}
	waited := false
	for done := 0; done < len(frames); {
		if tx.sock == nil {
			p.counts.txLinkDown.Add(uint64(len(frames) - done))
			break
		}
		n, err := mmsg(unix.SYS_SENDMMSG, tx.sock.fd, tx.msgs[done:len(frames)])
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
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(tx.sock.fd), Events: unix.POLLOUT}}, 5)
		default:
			p.refused(err)
			done++
		}
	}
	tx.reset()
	p.flushCapture(p.out)
}

// refused books a frame that the kernel did not take.
func (p *port) refused(err error) {
	switch {
	case errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.ENXIO):
		p.suspect.Store(true)
		p.counts.txLinkDown.Add(1)
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOBUFS):
		p.counts.txQueueFull.Add(1)
	default: // EMSGSIZE mostly
		p.counts.txRefused.Add(1)
	}
}
