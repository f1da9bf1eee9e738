package p4rt

import (
	"fmt"
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// incoming is a message of the stream: digests, or anything else.
type incoming struct {
	program  *Program
	received time.Time
	digests  *DigestMessage
	other    *p4v1.StreamMessageResponse
}

// unmarshal decodes a StreamMessageResponse.
func (m *incoming) unmarshal(wire []byte) error {
	m.received, m.digests, m.other = time.Now(), nil, nil
	f, rest, err := nextField(wire)
	if err == nil && len(rest) == 0 && f.number == fieldResponseDigest && f.bytes != nil {
		return m.decode(f.bytes)
	}
	m.other = &p4v1.StreamMessageResponse{}
	if err := proto.Unmarshal(wire, m.other); err != nil || m.other.GetDigest() == nil {
		return err
	}
	// A list in several parts, or with something unknown beside it.
	list, err := proto.Marshal(m.other.GetDigest())
	if err != nil {
		return err
	}
	return m.decode(list)
}

func (m *incoming) decode(list []byte) error {
	d, err := m.program.DecodeDigests(list, m.received)
	m.digests = &d
	return err
}

// streamCodec is gRPC's for protobuf, but for incoming.
type streamCodec struct{ encoding.CodecV2 }

func newStreamCodec() streamCodec { return streamCodec{encoding.GetCodecV2("proto")} }

// Unmarshal implements encoding.CodecV2.
func (c streamCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*incoming)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	if err := m.unmarshal(buffer.ReadOnlyData()); err != nil {
		return fmt.Errorf("stream message: %w", err)
	}
	return nil
}
