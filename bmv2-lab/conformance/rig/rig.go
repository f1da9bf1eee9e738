package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// Frame is a frame that left the switch.
type Frame struct {
	Port uint32
	Data []byte
}

// Options say how a switch is started.
type Options struct {
	// Device is the switch's P4Runtime device id. Its veths and its server's port are named
	// after it, so it is unique in a namespace: 1..99.
	Device uint64
	Ports  []uint32
	// LogFile, if not empty, gets the switch's log. simple_switch_grpc adds ".txt" to it.
	LogFile string
	// Queues are the priority queues of every port; 0 stands for the default, 1.
	Queues uint64
	// Extra are more options of softswitch.
	Extra []string
}

// Rig is one running switch. One goroutine uses it.
type Rig struct {
	*Client
	Model Model

	cmd    *exec.Cmd
	output *lockedBuffer
	ended  chan struct{} // closed when the process has ended
	wires  []wire
	buf    []byte
}

// startPatience is how long a switch may take to start or to come to rest.
const startPatience = 30 * time.Second

// Start cables and starts a switch and becomes its primary controller. The caller closes it,
// also after ctx has ended.
func Start(ctx context.Context, m Model, o Options) (*Rig, error) {
	prefix := fmt.Sprintf("d%d", o.Device)
	r := &Rig{Model: m, output: &lockedBuffer{}, ended: make(chan struct{}), buf: make([]byte, 1<<16)}
	var err error
	if err = ip("link set lo up"); err != nil {
		return nil, err
	}
	if r.wires, err = cable(prefix, o.Ports); err != nil {
		r.Close()
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", 20000+o.Device)
	r.cmd = exec.Command(m.Command, m.arguments(o, prefix, address)...)
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		r.Close()
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.ended)
	}()
	limited, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if r.Client, err = Dial(limited, address, o.Device); err != nil {
		err = fmt.Errorf("%s: %w: %s", m.Name, err, r.Output())
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close ends the switch and takes its wires away.
func (r *Rig) Close() {
	if r.Client != nil {
		r.Client.Close()
	}
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		<-r.ended
	}
	for _, w := range r.wires {
		w.close()
	}
}

// Output is what the process has printed.
func (r *Rig) Output() string { return r.output.String() }

// Ended says whether the process has ended by itself.
func (r *Rig) Ended() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// ErrEnded: the switch's process has ended.
var ErrEnded = errors.New("the process has ended")

// Send lets a frame arrive at a port. At the CPU port it is a packet-out.
func (r *Rig) Send(port uint32, frame []byte) error {
	for _, w := range r.wires {
		if w.port == port {
			return w.send(frame)
		}
	}
	return fmt.Errorf("no port %d", port)
}

// Settle waits until all that was sent has been processed and what it caused has come out.
func (r *Rig) Settle(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	err := process.AtRest(limited, r.cmd.Process.Pid)
	if errors.Is(err, fs.ErrNotExist) {
		<-r.ended // it has no threads any more
	}
	if r.Ended() {
		return fmt.Errorf("%s: %w (%s): %s", r.Model.Name, ErrEnded, r.cmd.ProcessState, r.Output())
	}
	return err
}

// Receive takes the frames that have come out, in the order of the wires' ports and in each
// port's own order.
func (r *Rig) Receive() ([]Frame, error) {
	var out []Frame
	for _, w := range r.wires {
		f, err := w.receive(r.buf)
		if err != nil {
			return out, err
		}
		out = append(out, f...)
	}
	return out, nil
}

// lockedBuffer is written by the process's copier and read by the rig's user. It keeps the end
// of what was written.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

const keptOutput = 64 << 10

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Write(p)
	if n := b.buf.Len() - keptOutput; n > 0 {
		b.buf.Next(n)
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
