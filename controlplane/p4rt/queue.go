package p4rt

import "sync"

// queue holds what waits for one subscriber, in the order it came. Digests and packets have
// limits of their own, so that a burst of one does not push out the other.
type queue struct {
	maxDigests, maxPackets int
	wake                   chan struct{} // holds one token while there may be something to take

	mu      sync.Mutex // guards the fields below
	events  []event
	digests int
	packets int
	closed  bool
}

// event is a digest list or a packet-in.
type event struct {
	digests *DigestList
	packet  *PacketIn
}

// size is how many digests or packets it is.
func (e event) size() int {
	if e.digests != nil {
		return len(e.digests.Digests)
	}
	return 1
}

func newQueue(maxDigests, maxPackets int) *queue {
	return &queue{maxDigests: maxDigests, maxPackets: maxPackets, wake: make(chan struct{}, 1)}
}

// put says whether there was room. A list is never split: it fits whenever there is room
// for one digest.
func (q *queue) put(e event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return false
	case e.digests != nil:
		if q.digests >= q.maxDigests {
			return false
		}
		q.digests += len(e.digests.Digests)
	default:
		if q.packets >= q.maxPackets {
			return false
		}
		q.packets++
	}
	q.events = append(q.events, e)
	q.signal()
	return true
}

// take gives everything that waits, and whether more can come. It blocks while nothing
// waits and more can come.
func (q *queue) take() (events []event, open bool) {
	for {
		q.mu.Lock()
		events, open = q.events, !q.closed
		q.events, q.digests, q.packets = nil, 0, 0
		q.mu.Unlock()
		if len(events) > 0 || !open {
			return events, open
		}
		<-q.wake
	}
}

// close ends the queue; what is in it can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.signal()
	q.mu.Unlock()
}

// signal leaves a token for take.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
