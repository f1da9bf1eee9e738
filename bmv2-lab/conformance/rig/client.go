package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Client is the primary controller of one switch. One goroutine uses it.
type Client struct {
	device uint64
	conn   *grpc.ClientConn
	client p4.P4RuntimeClient
	stream p4.P4Runtime_StreamChannelClient
	cancel context.CancelFunc
	// messages has what the switch sent on the stream; closed when the stream ends.
	messages chan *p4.StreamMessageResponse
	election uint64
	waiting  []*p4.StreamMessageResponse
}

// maxWaiting bounds the stream messages between two calls of Events.
const maxWaiting = 1 << 16

func (c *Client) electionID() *p4.Uint128 { return &p4.Uint128{Low: c.election} }

// Dial connects to a server, which may not be there yet, and becomes primary.
func Dial(ctx context.Context, address string, device uint64) (*Client, error) {
	often := grpc.ConnectParams{MinConnectTimeout: time.Second,
		Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(often),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(128<<20)))
	if err != nil {
		return nil, err
	}
	c := &Client{device: device, conn: conn, client: p4.NewP4RuntimeClient(conn), messages: make(chan *p4.StreamMessageResponse, maxWaiting)}
	var streaming context.Context
	streaming, c.cancel = context.WithCancel(context.Background())
	defer context.AfterFunc(ctx, c.cancel)()
	if c.stream, err = c.client.StreamChannel(streaming, grpc.WaitForReady(true)); err != nil {
		c.cancel()
		conn.Close()
		return nil, fmt.Errorf("stream: %w", err)
	}
	go func() {
		defer close(c.messages)
		for {
			m, err := c.stream.Recv()
			if err != nil {
				return
			}
			c.messages <- m
		}
	}()
	if err := c.Barrier(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the stream and the connection.
func (c *Client) Close() {
	c.cancel()
	for range c.messages {
	}
	c.conn.Close()
}

// Barrier announces an election id and waits for the answer: what the switch has sent before
// has arrived then. It is a new id each time, because simple_switch_grpc answers changes only.
func (c *Client) Barrier(ctx context.Context) error {
	c.election++
	err := c.stream.Send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{
		Arbitration: &p4.MasterArbitrationUpdate{DeviceId: c.device, ElectionId: c.electionID()}}})
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("arbitration: %w", err)
	}
	for {
		select {
		case m, ok := <-c.messages:
			switch {
			case !ok:
				return errors.New("arbitration: the stream has ended")
			case m.GetArbitration() != nil:
				return status.ErrorProto(m.GetArbitration().GetStatus())
			}
			c.waiting = append(c.waiting, m)
		case <-ctx.Done():
			return fmt.Errorf("arbitration: %w", ctx.Err())
		}
	}
}

// Events takes the digests, packet-ins and notifications that have come.
func (c *Client) Events(ctx context.Context) ([]*p4.StreamMessageResponse, error) {
	if err := c.Barrier(ctx); err != nil {
		return nil, err
	}
	out := c.waiting
	c.waiting = nil
	return out, nil
}

// SendPacket sends a packet-out.
func (c *Client) SendPacket(p *p4.PacketOut) error {
	return c.stream.Send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Packet{Packet: p}})
}

// Load makes the switch run a pipeline, with nothing but what the program declares.
func (c *Client) Load(ctx context.Context, config *p4.ForwardingPipelineConfig) error {
	_, err := c.client.SetForwardingPipelineConfig(ctx, &p4.SetForwardingPipelineConfigRequest{
		DeviceId: c.device, ElectionId: c.electionID(), Config: config,
		Action: p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
	})
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	return nil
}

// Write writes one entity.
func (c *Client) Write(ctx context.Context, kind p4.Update_Type, e *p4.Entity) error {
	_, err := c.client.Write(ctx, &p4.WriteRequest{DeviceId: c.device, ElectionId: c.electionID(),
		Updates: []*p4.Update{{Type: kind, Entity: e}}})
	if err != nil {
		return explain(err)
	}
	return nil
}

// explain takes the error of the one update out of a batch's.
func explain(err error) error {
	for _, d := range status.Convert(err).Details() {
		if e, ok := d.(*p4.Error); ok && e.GetCanonicalCode() != 0 {
			return status.Errorf(codes.Code(e.GetCanonicalCode()), "%s", e.GetMessage())
		}
	}
	return err
}

// Read reads all entities that a pattern names.
func (c *Client) Read(ctx context.Context, pattern *p4.Entity) ([]*p4.Entity, error) {
	stream, err := c.client.Read(ctx, &p4.ReadRequest{DeviceId: c.device, Entities: []*p4.Entity{proto.CloneOf(pattern)}})
	if err != nil {
		return nil, err
	}
	var out []*p4.Entity
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		out = append(out, m.GetEntities()...)
	}
}
