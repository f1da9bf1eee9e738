package p4rtserver

import (
	"sync"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// readChunk bounds one response of a Read, in bytes; gRPC clients take 4 MiB by default.
const readChunk = 512 << 10

// room is the memory that answers of all Reads may take together while they wait for their
// clients.
type room struct {
	limit int

	mu    sync.Mutex // guards used
	used  int        // bytes
	gauge func(int)  // is told used
}

// take says whether there was room for n bytes more; negative ones give them back.
func (r *room) take(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > 0 && r.used+n > r.limit {
		return false
	}
	r.used += n
	r.gauge(r.used)
	return true
}

// answer is what a Read found, encoded as it will be sent: that takes a tenth of the memory of
// the entities.
type answer struct {
	room   *room
	chunks [][]byte // encoded ReadResponses
	open   []byte   // the one that is being put together
	held   int      // bytes taken of room
	err    error    // why the answer is not complete
}

// add adds an entity to the message that is being put together.
func (a *answer) add(x *p4.Entity) {
	if a.err != nil {
		return
	}
	before := len(a.open)
	const entitiesField = 1 // of ReadResponse
	b := protowire.AppendTag(a.open, entitiesField, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(proto.Size(x)))
	if a.open, a.err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(b, x); a.err != nil {
		return
	}
	if n := len(a.open) - before; !a.room.take(n) {
		a.err = fail(codes.ResourceExhausted, "read: the answers that wait for their clients, this one included, take more than %d bytes", a.room.limit)
	} else {
		a.held += n
	}
	if len(a.open) >= readChunk {
		a.chunks, a.open = append(a.chunks, a.open), nil
	}
}

// finish ends the last message.
func (a *answer) finish() error {
	if a.err == nil && len(a.open) > 0 {
		a.chunks, a.open = append(a.chunks, a.open), nil
	}
	return a.err
}

// next takes the next message out; ok is false behind the last one. Its memory is given back
// by sent.
func (a *answer) next() (m *p4.ReadResponse, n int, ok bool) {
	if len(a.chunks) == 0 {
		return nil, 0, false
	}
	b := a.chunks[0]
	a.chunks[0], a.chunks = nil, a.chunks[1:]
	m = &p4.ReadResponse{}
	m.ProtoReflect().SetUnknown(b) // which is sent as it is
	return m, len(b), true
}

func (a *answer) sent(n int) {
	a.room.take(-n)
	a.held -= n
}

// giveUp gives back what was not sent.
func (a *answer) giveUp() {
	a.sent(a.held)
	a.chunks, a.open = nil, nil
}

// deliver sends an answer to a client, which has to take each message in time. A second
// goroutine sends; it ends when the handler returns, because gRPC then ends its Send, and Run
// waits for it.
func (s *Server) deliver(stream p4.P4Runtime_ReadServer, a *answer) error {
	if len(a.chunks) == 0 {
		return nil
	}
	if !s.enter(1) {
		return errStopping
	}
	messages, results := make(chan *p4.ReadResponse), make(chan error, 1)
	defer close(messages)
	go func() {
		defer s.background.Done()
		for m := range messages {
			results <- stream.Send(m)
		}
	}()
	timer := time.NewTimer(s.cfg.Patience)
	defer timer.Stop()
	for {
		m, n, ok := a.next()
		if !ok {
			return nil
		}
		messages <- m
		timer.Reset(s.cfg.Patience)
		select {
		case err := <-results:
			a.sent(n)
			if err != nil {
				return err
			}
		case <-timer.C:
			s.metrics.readsRefused.WithLabelValues("stalled").Inc()
			return fail(codes.DeadlineExceeded, "read: the client has taken nothing for %s", s.cfg.Patience)
		}
	}
}
