package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// errStopped is what control operations get when the worker has ended.
var errStopped = errors.New("the switch has stopped")

// worker runs all packets of the switch, on one goroutine: that of run.
type worker struct {
	set     *ports.Set
	cpuPort uint32
	dump    *dumper // nil logs no frames
	start   time.Time

	commands chan command
	done     chan struct{} // closed when run has ended

	// The running switch and where its events go; both are changed by run only.
	sw     atomic.Pointer[engine.Switch]
	events p4rtserver.Events
	told   uint64 // which of the ports' changes the switch knows; of run only

	changed func() // is called when a port is otherwise than before; must not block

	batch  engine.Batch // the frames since the last Pause, if there were any
	frames int          // in it

	noProgram    atomic.Uint64 // frames that came before there was a program
	noController atomic.Uint64 // packet-ins and digests of a program without P4Info
}

// command is work for the goroutine of run, between two packets.
type command struct {
	do     func() error
	result chan error // takes one
}

func newWorker(set *ports.Set, cpuPort uint32, dump *dumper) *worker {
	return &worker{
		set: set, cpuPort: cpuPort, dump: dump, start: time.Now(), changed: func() {},
		commands: make(chan command, 1), done: make(chan struct{}),
	}
}

// run polls the ports until ctx ends.
func (w *worker) run(ctx context.Context) error {
	defer close(w.done)
	defer context.AfterFunc(ctx, w.set.Wake)()
	w.tellPorts(w.sw.Load())
	for ctx.Err() == nil {
		if w.set.Changes() != w.told {
			w.tellPorts(w.sw.Load())
			w.changed()
		}
		select {
		case c := <-w.commands:
			c.result <- c.do()
			continue
		default:
		}
		if err := w.set.Poll(w); err != nil {
			return err
		}
	}
	return nil
}

// maxBatch bounds the frames of a batch: who reads a counter waits for its end.
const maxBatch = 256

// Receive is ports.Receiver's. Frames that come together are one batch for the engine.
func (w *worker) Receive(port uint32, frame []byte) {
	if w.dump != nil {
		w.dump.log("Received packet", port, frame)
	}
	if w.frames == 0 {
		sw := w.sw.Load()
		if sw == nil {
			w.noProgram.Add(1)
			return
		}
		w.batch = sw.BeginBatch(w)
	}
	w.batch.Process(w.Micros(), port, frame)
	if w.frames++; w.frames == maxBatch {
		w.Pause()
	}
}

// Pause is ports.Receiver's.
func (w *worker) Pause() {
	if w.frames > 0 {
		w.batch.End()
		w.frames = 0
	}
}

// tellPorts tells a switch, if there is one, which ports are down.
func (w *worker) tellPorts(sw *engine.Switch) {
	w.told = w.set.Changes()
	if sw != nil {
		sw.SetPortsDown(w.set.Down())
	}
}

// Between is p4rtserver.Dataplane's.
func (w *worker) Between(ctx context.Context, do func() error) error { return w.between(ctx, do) }

// HasPort is p4rtserver.Dataplane's. The CPU port need not have an interface, and is never down.
func (w *worker) HasPort(number uint32) bool {
	return w.set.Has(number) || w.cpuPort != 0 && number == w.cpuPort
}

// between runs do between two packets, while none is in progress.
func (w *worker) between(ctx context.Context, do func() error) error {
	c := command{do: do, result: make(chan error, 1)}
	select {
	case w.commands <- c:
	case <-w.done:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	// From here on the command will run, whatever becomes of ctx.
	w.set.Wake()
	select {
	case err := <-c.result:
		return err
	case <-w.done:
		return errStopped
	}
}

// Install is p4rtserver.Dataplane's.
func (w *worker) Install(ctx context.Context, build func(*engine.Switch) (*engine.Switch, error), events p4rtserver.Events) error {
	return w.between(ctx, func() error {
		next, err := build(w.sw.Load())
		if err != nil {
			return err
		}
		w.tellPorts(next)
		w.events = events
		w.sw.Store(next)
		return nil
	})
}

// PacketOut is p4rtserver.Dataplane's.
func (w *worker) PacketOut(frame []byte) error {
	if w.cpuPort == 0 {
		return errors.New("packet-out: the switch was started without --cpu-port")
	}
	if err := w.set.Inject(w.cpuPort, frame); err != nil {
		return fmt.Errorf("packet-out: %w", err)
	}
	return nil
}

// Micros is the time since the switch started, in microseconds.
func (w *worker) Micros() uint64 { return uint64(time.Since(w.start).Microseconds()) }

// programDrops are the packets that the running program has dropped for a reason of its own,
// since it was installed.
func (w *worker) programDrops() engine.Stats {
	if sw := w.sw.Load(); sw != nil {
		return sw.Stats()
	}
	return engine.Stats{}
}

// Transmit is engine.Output's: a frame leaves.
func (w *worker) Transmit(port uint32, frame []byte) {
	packetIn := w.cpuPort != 0 && port == w.cpuPort
	if w.dump != nil {
		w.dump.sent(packetIn, port, frame)
	}
	if !packetIn {
		w.set.Transmit(port, frame)
		return
	}
	if w.events == nil {
		w.noController.Add(1)
		return
	}
	w.events.PacketIn(frame)
}

// Digest is engine.Output's: a packet raised a digest.
func (w *worker) Digest(d engine.Digest) {
	if w.events == nil {
		w.noController.Add(1)
		return
	}
	w.events.Digest(d)
}
