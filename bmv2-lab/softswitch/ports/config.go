package ports

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// MaxFrame is the length of the longest frame that a port takes, in bytes, tags included and
// without the frame check sequence: as long as the kernel's interfaces have them, with an MTU
// of 65,535 and two tags.
const MaxFrame = 65535 + 14 + 2*tagLen

// maxPort is the largest port number: 9 bits in v1model, more in programs of other widths.
const maxPort = 1<<16 - 1

// maxSlots bounds ReceiveSlots: 2 GiB of memory.
const maxSlots = 1 << 20

// Port describes one port of the switch.
type Port struct {
	Number uint32
	// Interface is the network interface; a port without one is in memory: what it sends
	// goes to Deps.Transmit, what it receives comes from Inject.
	Interface string
	// NoCapture keeps the port out of the capture files: the CPU port is no wire.
	NoCapture bool
}

// Name is the interface's name, or portN for a port in memory. Capture files are named so.
func (p Port) Name() string {
	if p.Interface == "" {
		return fmt.Sprintf("port%d", p.Number)
	}
	return p.Interface
}

// Config says which ports there are.
type Config struct {
	Ports []Port
	// PcapDir, if not empty, is where every port's frames are written, as BMv2 names the
	// files: IFACE_in.pcap and IFACE_out.pcap.
	PcapDir string
	// Files, if not nil, replaces the interfaces by files.
	Files *Files
	// ParallelSend gives every port with an interface a goroutine that sends, so that other
	// processors do so while the owner goes on.
	ParallelSend bool
	// QueueLength bounds the frames that wait between Inject and Poll.
	QueueLength int
	// DelayLength bounds the frames that wait in the delay line of all impaired ports.
	DelayLength int
	// ReceiveSlots is the kernel's queue of one interface, in frames; each takes 2 KiB.
	ReceiveSlots int
	// ReceiveBuffer is its queue of frames that do not fit a slot, in bytes (of its accounting).
	ReceiveBuffer int
}

// Files makes a port with the interface IFACE receive what is in IFACE_in.pcap, and write what
// it sends to IFACE_out.pcap; IFACE may be a path. PcapDir does not count then.
type Files struct {
	// Wait is the time from Open to the first frame, in which a controller can connect.
	Wait time.Duration
}

// DefaultConfig has no port and queues that take a burst of some milliseconds at line rate.
func DefaultConfig() Config {
	return Config{QueueLength: 4096, DelayLength: 65536, ReceiveSlots: 2048, ReceiveBuffer: 32 << 20}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	numbers := make(map[uint32]string, len(c.Ports))
	names := make(map[string]uint32, len(c.Ports))
	for _, p := range c.Ports {
		if p.Number > maxPort {
			return fmt.Errorf("port %d@%s: port numbers end at %d", p.Number, p.Interface, maxPort)
		}
		if other, ok := numbers[p.Number]; ok {
			return fmt.Errorf("port %d@%s: the number is taken by %s", p.Number, p.Interface, other)
		}
		if other, ok := names[p.Name()]; ok {
			return fmt.Errorf("port %d@%s: the interface is port %d already", p.Number, p.Interface, other)
		}
		numbers[p.Number], names[p.Name()] = p.Name(), p.Number
	}
	if c.QueueLength <= 0 || c.DelayLength <= 0 || c.ReceiveSlots <= 0 || c.ReceiveBuffer <= 0 {
		return errors.New("queue length, delay length, receive slots and receive buffer must be positive")
	}
	if c.ReceiveSlots > maxSlots {
		return fmt.Errorf("%d receive slots: at most %d", c.ReceiveSlots, maxSlots)
	}
	if c.Files != nil && c.Files.Wait < 0 {
		return errors.New("the wait before files are read must not be negative")
	}
	return nil
}

// Deps are what a Set needs.
type Deps struct {
	Log *slog.Logger
	// Transmit takes the frames that ports in memory send; the memory is valid during the
	// call only. Nil discards them.
	Transmit func(port uint32, frame []byte)
}

// Errors of Inject and Impair.
var (
	// ErrQueueFull: the frame was dropped, and counted, because Poll does not keep up.
	ErrQueueFull = errors.New("queue is full")
	// ErrNoPort: no port has this number.
	ErrNoPort = errors.New("no such port")
	// ErrFrame: the frame is empty or longer than MaxFrame.
	ErrFrame = errors.New("frame length out of range")
)
