package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/fabricscope/fabricscope/p4src"
)

// controller is a P4Runtime client: just what it takes to make a switch forward.
type controller struct {
	conn   *grpc.ClientConn
	client p4.P4RuntimeClient
	info   *p4config.P4Info
}

// program is what a switch runs, and the entries that make it forward.
type program struct {
	info    *p4config.P4Info
	config  []byte
	entries func(c *controller) []*p4.TableEntry
}

const deviceID = 1

var electionID = &p4.Uint128{Low: 1}

// control becomes primary and installs a program and its entries.
func control(ctx context.Context, addr string, p *program) (*controller, error) {
	// The server is not there yet: try again at once, and not after gRPC's second.
	often := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond},
		MinConnectTimeout: time.Second}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(often))
	if err != nil {
		return nil, err
	}
	c := &controller{conn: conn, client: p4.NewP4RuntimeClient(conn), info: p.info}
	if err := c.start(ctx, p); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *controller) start(ctx context.Context, p *program) error {
	stream, err := c.client.StreamChannel(ctx, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	err = stream.Send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{
		Arbitration: &p4.MasterArbitrationUpdate{DeviceId: deviceID, ElectionId: electionID}}})
	if err != nil {
		return err
	}
	if _, err := stream.Recv(); err != nil {
		return fmt.Errorf("arbitration: %w", err)
	}
	go func() { // digests and packet-ins are not looked at
		for _, err := stream.Recv(); err == nil; _, err = stream.Recv() {
		}
	}()
	_, err = c.client.SetForwardingPipelineConfig(ctx, &p4.SetForwardingPipelineConfigRequest{
		DeviceId: deviceID, ElectionId: electionID,
		Action: p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT,
		Config: &p4.ForwardingPipelineConfig{P4Info: p.info, P4DeviceConfig: p.config},
	})
	if err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	for some := range slices.Chunk(p.entries(c), writeChunk) {
		if err := c.write(ctx, p4.Update_INSERT, some...); err != nil {
			return err
		}
	}
	return nil
}

// ourProgram is ours, forwarding the VXLAN frames.
func ourProgram() (*program, error) {
	info, err := p4src.P4Info()
	return &program{info, p4src.DeviceConfig(), (*controller).forwarding}, err
}

// forwarding are the entries that send the frames from port 1 to port 2.
func (c *controller) forwarding() []*p4.TableEntry {
	return []*p4.TableEntry{
		c.entry(p4src.TableTunnelPort, exact(vxlanPort>>8, vxlanPort&0xff), p4src.ActionVXLAN),
		c.entry(p4src.TableMyMAC, exact(switchMAC...), p4src.ActionRoutePacket),
		c.entry(p4src.TableIPv4Route, prefix(24, 172, 16, 0, 0), p4src.ActionSetNexthop, []byte{5}),
		c.entry(p4src.TableNexthop, exact(5), p4src.ActionForward, []byte{2}, switchMAC, nextMAC),
	}
}

func exact(b ...byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: 1, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: b}}}
}

func prefix(bits int32, b ...byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: 1, FieldMatchType: &p4.FieldMatch_Lpm{Lpm: &p4.FieldMatch_LPM{Value: b, PrefixLen: bits}}}
}

// entry makes an entry of a table with one key.
func (c *controller) entry(table string, match *p4.FieldMatch, action string, params ...[]byte) *p4.TableEntry {
	a := &p4.Action{}
	for _, x := range c.info.Actions {
		if x.Preamble.Name == action {
			a.ActionId = x.Preamble.Id
		}
	}
	for i, v := range params {
		a.Params = append(a.Params, &p4.Action_Param{ParamId: uint32(i + 1), Value: v})
	}
	e := &p4.TableEntry{Match: []*p4.FieldMatch{match}, Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: a}}}
	for _, t := range c.info.Tables {
		if t.Preamble.Name == table {
			e.TableId = t.Preamble.Id
		}
	}
	return e
}

// write writes entries in one request.
func (c *controller) write(ctx context.Context, kind p4.Update_Type, entries ...*p4.TableEntry) error {
	req := &p4.WriteRequest{DeviceId: deviceID, ElectionId: electionID}
	for _, e := range entries {
		req.Updates = append(req.Updates, &p4.Update{Type: kind,
			Entity: &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}}})
	}
	_, err := c.client.Write(ctx, req)
	if err != nil {
		return fmt.Errorf("write of %d entries: %w", len(entries), err)
	}
	return nil
}
