package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/credentials"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// Config is the configuration of one switch.
type Config struct {
	// DeviceID is P4Runtime's name of the switch.
	DeviceID uint64
	// Ports are the switch's ports; those without an interface are in memory.
	Ports []ports.Port
	// Program is a BMv2 JSON document that runs from the start; nil waits for P4Runtime.
	Program []byte
	// CPUPort is the port of packet-ins and packet-outs; 0 is none.
	CPUPort uint32
	// DropPort is the egress_spec that drops a packet.
	DropPort uint32
	// Queues is the number of egress queues of every port: 1 to engine.MaxQueues.
	Queues uint64
	// PcapDir, if not empty, is where the frames of every port are written.
	PcapDir string
	// Files, if not nil, replaces the interfaces by capture files.
	Files *ports.Files
	// DumpBytes is how much of every frame that arrives or leaves is logged, at level info.
	DumpBytes int
	// ParallelSend sends on goroutines of the ports' own, and not on the worker's.
	ParallelSend bool
	// ReceiveSlots is the kernel's queue before each interface, in frames; each takes 2 KiB.
	ReceiveSlots int
	// QueueLength bounds the frames that wait after Inject, and the packet-outs.
	QueueLength int
}

// DefaultConfig has no ports and no program; the drop port is v1model's 511.
func DefaultConfig() Config {
	pc := ports.DefaultConfig()
	return Config{DropPort: 511, Queues: 1, QueueLength: pc.QueueLength, ReceiveSlots: pc.ReceiveSlots}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	for _, p := range c.Ports {
		switch {
		case c.CPUPort != 0 && p.Number == c.CPUPort:
			return fmt.Errorf("port %d@%s: the number is that of the CPU port", p.Number, p.Interface)
		case p.Number == c.DropPort:
			return fmt.Errorf("port %d@%s: the number is that of the drop port", p.Number, p.Interface)
		}
	}
	if c.CPUPort != 0 && c.CPUPort == c.DropPort {
		return fmt.Errorf("CPU port %d: the number is that of the drop port", c.CPUPort)
	}
	if c.Queues < 1 || c.Queues > engine.MaxQueues {
		return fmt.Errorf("%d priority queues a port: there must be from 1 to %d", c.Queues, engine.MaxQueues)
	}
	if c.DumpBytes < 0 {
		return fmt.Errorf("%d bytes of frames to log: must not be negative", c.DumpBytes)
	}
	return c.ports().Validate()
}

// ports is the configuration of the port set, the CPU port included.
func (c Config) ports() ports.Config {
	pc := ports.DefaultConfig()
	pc.Ports = append(pc.Ports, c.Ports...)
	if c.CPUPort != 0 {
		pc.Ports = append(pc.Ports, ports.Port{Number: c.CPUPort, NoCapture: true})
	}
	pc.PcapDir, pc.Files, pc.ParallelSend = c.PcapDir, c.Files, c.ParallelSend
	pc.QueueLength, pc.ReceiveSlots = c.QueueLength, c.ReceiveSlots
	return pc
}

// Deps are what a Switch needs.
type Deps struct {
	Log *slog.Logger
	// Registry takes the metrics and serves them at /metrics; nil stands for a new one.
	Registry *prometheus.Registry
	// Listener serves P4Runtime, Admin the administration over HTTP; nil serves none. Run
	// closes them.
	Listener, Admin net.Listener
	// TLS, if not nil, is required of P4Runtime's clients.
	TLS credentials.TransportCredentials
	// Transmit takes the frames that ports in memory send. It is called by the worker, must
	// not block, and must not keep the memory.
	Transmit func(port uint32, frame []byte)
	// Trace, if not nil, takes a text of what happens to every packet.
	Trace io.Writer
}

func (d *Deps) check() error {
	if d.Log == nil {
		return errors.New("softswitch: no logger")
	}
	if d.Registry == nil {
		d.Registry = prometheus.NewRegistry()
	}
	return nil
}
