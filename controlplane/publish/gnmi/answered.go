package gnmi

import (
	"context"
	"sync"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// gRPC takes an answer of any size from a handler, tells everybody that the call ended, and keeps the bytes until the
// client takes them, which it may never. So answers to Get are counted by their bytes, from when they are made until gRPC
// needs them no more.

// shareStep is how many bytes a share grows by at least.
const shareStep = 64 << 10

// mostCompressed is how many bytes an answer that is compressed may have. gRPC compresses into memory of its own, of which
// nobody is told when it is free again.
const mostCompressed = 64 << 10

// share is what one answer takes of the bytes of all.
type share struct {
	quota *quota

	mu    sync.Mutex
	owner string // guarded by mu
	bytes int    // guarded by mu
}

// shareKey is the context's key of a call's share.
type shareKey struct{}

// shareOf gives the share of a call, which is an owner's from now on.
func (s *Server) shareOf(ctx context.Context, owner string) *share {
	h, ok := ctx.Value(shareKey{}).(*share)
	if !ok { // not a call of gRPC
		h = &share{quota: s.answers}
		context.AfterFunc(ctx, h.end)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.owner = owner
	return h
}

// grow makes room for n bytes in all. The error is RESOURCE_EXHAUSTED and names the limit.
func (h *share) grow(n int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n <= h.bytes {
		return nil
	}
	more := max(n-h.bytes, shareStep)
	if err := h.quota.add(h.owner, more); err != nil {
		return err
	}
	h.bytes += more
	return nil
}

// end gives everything back.
func (h *share) end() { h.shrink(0) }

// shrink gives back what is more than n bytes.
func (h *share) shrink(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bytes > n {
		h.quota.drop(h.owner, h.bytes-n)
		h.bytes = n
	}
}

// untaken is an answer that gRPC keeps until it is taken.
type untaken struct {
	answer *gpb.GetResponse
	taken  func()
}

// keep gives what an answer is sent as. Its share ends when gRPC frees the bytes, or with the connection, whose answers
// gRPC forgets.
func (s *Server) keep(ctx context.Context, answer *gpb.GetResponse, h *share) *untaken {
	n := proto.Size(answer)
	h.shrink(n)
	if n > mostCompressed {
		_ = grpc.SetSendCompressor(ctx, encoding.Identity) // the name is known, and nothing was sent yet
	}
	taken := h.end
	if p, ok := peer.FromContext(ctx); ok {
		if connection, ok := s.open.Load(endsOf(p.LocalAddr, p.Addr)); ok {
			forget := context.AfterFunc(connection.(context.Context), h.end)
			taken = func() { forget(); h.end() }
		}
	}
	return &untaken{answer, taken}
}

// marshal gives the bytes of an answer.
func (w *untaken) marshal() (mem.BufferSlice, error) {
	b, err := proto.Marshal(w.answer)
	if err != nil || mem.IsBelowBufferPoolingThreshold(cap(b)) { // of which nobody is told
		w.taken()
	}
	return mem.BufferSlice{mem.NewBuffer(&b, takenBack(w.taken))}, err
}

// takenBack is what takes the bytes of one answer back; nobody gets any.
type takenBack func()

// Get implements mem.BufferPool.
func (takenBack) Get(n int) *[]byte {
	b := make([]byte, n)
	return &b
}

// Put implements mem.BufferPool.
func (taken takenBack) Put(*[]byte) { taken() }
