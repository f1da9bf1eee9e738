package conformance

import (
	"context"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// Device is a switch that a controller and wires are connected to. One goroutine uses it.
type Device interface {
	Load(ctx context.Context, config *p4.ForwardingPipelineConfig) error
	Write(ctx context.Context, kind p4.Update_Type, e *p4.Entity) error
	Read(ctx context.Context, pattern *p4.Entity) ([]*p4.Entity, error)
	// Events takes what the switch has sent to the controller.
	Events(ctx context.Context) ([]*p4.StreamMessageResponse, error)
	SendPacket(p *p4.PacketOut) error

	// Send lets a frame arrive at a port.
	Send(port uint32, frame []byte) error
	// Settle waits until all that was sent has been processed.
	Settle(ctx context.Context) error
	// Receive takes the frames that have come out, each port's in their order.
	Receive() ([]rig.Frame, error)
}

// Ports are the ports that a Device of the cases has.
func Ports() []uint32 { return []uint32{0, 1, 2, 3, 4} }
