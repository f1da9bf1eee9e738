package conformance

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/app"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// InProcess is softswitch in this process: its ports are in memory, and its P4Runtime server is
// on loopback.
type InProcess struct {
	*rig.Client
	sw     *app.Switch
	stop   context.CancelFunc
	result chan error // takes what Run returns

	mu     sync.Mutex // guards frames
	frames []rig.Frame
}

// StartInProcess starts a switch with this many priority queues a port; the caller closes it.
func StartInProcess(ctx context.Context, queues uint64) (*InProcess, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &InProcess{result: make(chan error, 1)}
	cfg := app.DefaultConfig()
	cfg.DeviceID, cfg.CPUPort, cfg.Queues = 1, rig.CPUPort, queues
	for _, p := range Ports() {
		cfg.Ports = append(cfg.Ports, ports.Port{Number: p})
	}
	d.sw, err = app.New(cfg, app.Deps{Log: slog.New(slog.DiscardHandler), Listener: l, Transmit: d.transmit})
	if err != nil {
		l.Close()
		return nil, err
	}
	var running context.Context
	running, d.stop = context.WithCancel(context.Background())
	go func() { d.result <- d.sw.Run(running) }()
	if d.Client, err = rig.Dial(ctx, l.Addr().String(), cfg.DeviceID); err != nil {
		d.stop()
		<-d.result
		return nil, err
	}
	return d, nil
}

// Close ends the switch and says what ended it otherwise.
func (d *InProcess) Close() error {
	d.Client.Close()
	d.stop()
	return <-d.result
}

func (d *InProcess) transmit(port uint32, frame []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frames = append(d.frames, rig.Frame{Port: port, Data: bytes.Clone(frame)})
}

// Send is Device's.
func (d *InProcess) Send(port uint32, frame []byte) error { return d.sw.Inject(port, frame) }

// Settle is Device's.
func (d *InProcess) Settle(ctx context.Context) error { return d.sw.Settle(ctx) }

// Receive is Device's.
func (d *InProcess) Receive() ([]rig.Frame, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.frames
	d.frames = nil
	return out, nil
}
