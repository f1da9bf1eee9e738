package main

import (
	"context"
	"errors"
	"io"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// counting is a codec that only counts what comes: decoding would cost the client more than sending costs the server.
type counting struct {
	encoding.CodecV2
	notifications, leaves, duplicates int
}

// Fields of gnmi.proto on the way to a leaf.
const (
	update     = 1 // of SubscribeResponse
	leaf       = 4 // update of Notification
	duplicates = 4 // of Update
)

// Unmarshal implements encoding.CodecV2.
func (c *counting) Unmarshal(data mem.BufferSlice, _ any) error {
	c.notifications++
	return fields(data.Materialize(), update, func(note []byte, _ uint64) error {
		return fields(note, leaf, func(l []byte, _ uint64) error {
			c.leaves++
			return fields(l, duplicates, func(_ []byte, n uint64) error {
				c.duplicates += int(n)
				return nil
			})
		})
	})
}

// fields calls f for each field with a number in a message.
func fields(b []byte, number protowire.Number, f func([]byte, uint64) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var value []byte
		var scalar uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			scalar, size = protowire.ConsumeVarint(b)
		default:
			return errors.New("a field of a kind that gNMI has not")
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		if n != number {
			continue
		}
		if err := f(value, scalar); err != nil {
			return err
		}
	}
	return nil
}

func newCounting() *counting { return &counting{CodecV2: encoding.GetCodecV2(protocodec.Name)} }

// subscribe begins a call whose messages are counted.
func (c *counting) subscribe(ctx context.Context, conn *grpc.ClientConn, mode gpb.SubscriptionList_Mode, p *gpb.Path) (grpc.ClientStream, error) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/gnmi.gNMI/Subscribe", grpc.ForceCodecV2(c))
	if err != nil {
		return nil, err
	}
	return stream, stream.SendMsg(request(mode, p))
}

// countOnce counts the leaves of a ONCE.
func countOnce(ctx context.Context, conn *grpc.ClientConn, p *gpb.Path) (int, error) {
	c := newCounting()
	stream, err := c.subscribe(ctx, conn, gpb.SubscriptionList_ONCE, p)
	for err == nil {
		err = stream.RecvMsg(nil)
	}
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	return c.leaves, nil
}

// flood takes what comes for a time and counts it.
func flood(d dialer, args []string) (result, error) {
	length, err := time.ParseDuration(args[0])
	if err != nil {
		return nil, err
	}
	conn, err := d.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := newCounting()
	stream, err := c.subscribe(ctx, conn, gpb.SubscriptionList_STREAM, path(named("fabric", "switches", "switch", "accounting")...))
	if err != nil {
		return nil, err
	}
	var begun time.Time
	for begun.IsZero() || time.Since(begun) < length {
		if err := stream.RecvMsg(nil); err != nil {
			return nil, err
		}
		if begun.IsZero() && c.leaves > 0 {
			begun, c.leaves, c.notifications, c.duplicates = time.Now(), 0, 0, 0
		}
	}
	return result{"leaves": float64(c.leaves), "notifications": float64(c.notifications), "duplicates": float64(c.duplicates)}, nil
}
