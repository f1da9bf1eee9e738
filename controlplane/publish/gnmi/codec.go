package gnmi

import (
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// encoded is a message that is in Protobuf's format already. shared says that others send it too, or will; the bytes
// of one that is not are free for other use after the call that sends it.
type encoded struct {
	bytes  []byte
	shared bool
}

// codec is Protobuf's, but that it sends what is encoded as it is, and says when answers were taken.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(protocodec.Name)} }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if w, ok := v.(*untaken); ok {
		return w.marshal()
	}
	m, ok := v.(*encoded)
	switch {
	case !ok:
		return c.CodecV2.Marshal(v)
	case m.shared:
		return mem.BufferSlice{mem.SliceBuffer(m.bytes)}, nil
	}
	return mem.BufferSlice{mem.Copy(m.bytes, mem.DefaultBufferPool())}, nil
}
