package p4rtserver

import (
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// maxList bounds a digest list whose configuration does not, so that it fits a gRPC message
// of the default size.
const maxList = 4096

// maxUnacked bounds the digests that wait for an acknowledgement, for one digest.
const maxUnacked = 1 << 16

// digestSettings are p4.DigestEntry_Config with times that Go can use.
type digestSettings struct {
	maxTimeout time.Duration
	maxList    int // 1 … maxList
	ackTimeout time.Duration
}

func newDigestSettings(c *p4.DigestEntry_Config) (digestSettings, error) {
	if c == nil {
		return digestSettings{}, fail(codes.InvalidArgument, "digest entry has no config")
	}
	if c.GetMaxTimeoutNs() < 0 || c.GetMaxListSize() < 0 || c.GetAckTimeoutNs() < 0 {
		return digestSettings{}, fail(codes.InvalidArgument, "digest config: a value is negative")
	}
	s := digestSettings{
		maxTimeout: time.Duration(c.GetMaxTimeoutNs()),
		maxList:    int(c.GetMaxListSize()),
		ackTimeout: time.Duration(c.GetAckTimeoutNs()),
	}
	if s.maxList == 0 || s.maxList > maxList {
		s.maxList = maxList
	}
	return s, nil
}

// digestBuffer gathers the messages of one digest into lists (specification, section 9.10):
// a list leaves when it is full or when its first message has waited long enough, and what is
// in it or was sent and not acknowledged is not gathered again. Time is an argument.
type digestBuffer struct {
	settings digestSettings
	first    time.Time // when the oldest message came
	pending  []*p4.P4Data
	inBuffer map[string]struct{}
	lists    []sentList // sent and neither acknowledged nor expired, oldest first
	unacked  map[string]struct{}
	nextList uint64
}

type sentList struct {
	id   uint64
	sent time.Time
	keys []string
}

func newDigestBuffer(s digestSettings) *digestBuffer {
	return &digestBuffer{
		settings: s, inBuffer: map[string]struct{}{}, unacked: map[string]struct{}{}, nextList: 1,
	}
}

// known says whether a message with this key is pending or waits for its acknowledgement.
func (b *digestBuffer) known(key string) bool {
	if _, ok := b.inBuffer[key]; ok {
		return true
	}
	_, ok := b.unacked[key]
	return ok
}

// add takes a message that is not known and returns true when a list is to leave now.
func (b *digestBuffer) add(now time.Time, key string, data *p4.P4Data) bool {
	if len(b.pending) == 0 {
		b.first = now
	}
	b.inBuffer[key] = struct{}{}
	b.pending = append(b.pending, data)
	return b.due(now)
}

// due says whether a list is to leave.
func (b *digestBuffer) due(now time.Time) bool {
	return len(b.pending) >= b.settings.maxList ||
		len(b.pending) > 0 && now.Sub(b.first) >= b.settings.maxTimeout
}

// take empties the buffer into a list.
func (b *digestBuffer) take(now time.Time) (id uint64, data []*p4.P4Data) {
	id, data = b.nextList, b.pending
	b.nextList++
	b.pending = nil
	if b.settings.ackTimeout > 0 {
		list := sentList{id: id, sent: now}
		for key := range b.inBuffer {
			list.keys = append(list.keys, key)
			b.unacked[key] = struct{}{}
		}
		b.lists = append(b.lists, list)
		for len(b.unacked) > maxUnacked {
			b.forget(0)
		}
	}
	clear(b.inBuffer)
	return id, data
}

// ack ends the wait for a list's acknowledgement.
func (b *digestBuffer) ack(id uint64) {
	for i, l := range b.lists {
		if l.id == id {
			b.forget(i)
			return
		}
	}
}

// expire ends the wait for lists that were never acknowledged.
func (b *digestBuffer) expire(now time.Time) {
	for len(b.lists) > 0 && now.Sub(b.lists[0].sent) >= b.settings.ackTimeout {
		b.forget(0)
	}
}

// forget drops the list at position i from the cache.
func (b *digestBuffer) forget(i int) {
	for _, key := range b.lists[i].keys {
		delete(b.unacked, key)
	}
	b.lists = append(b.lists[:i], b.lists[i+1:]...)
}

// deadline is when the buffer next needs a look; ok is false if it does not.
func (b *digestBuffer) deadline() (at time.Time, ok bool) {
	if len(b.pending) > 0 {
		at, ok = b.first.Add(b.settings.maxTimeout), true
	}
	if len(b.lists) > 0 {
		if e := b.lists[0].sent.Add(b.settings.ackTimeout); !ok || e.Before(at) {
			at, ok = e, true
		}
	}
	return at, ok
}
