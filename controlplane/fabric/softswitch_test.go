package fabric

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver/inprocess"
	"github.com/fabricscope/fabricscope/p4src"
)

// softSwitch is a softswitch whose ports are functions of the test. It serves P4Runtime on
// loopback.
type softSwitch struct {
	start   time.Time
	frames  chan portFrame // on their way in
	address string
	stop    func()

	inprocess.Plane // its Mu guards wires too
	wires           map[uint32]func(frame []byte)
}

type portFrame struct {
	port  uint32
	frame []byte
}

func newSoftSwitch(t *testing.T, device uint64, address string) *softSwitch {
	t.Helper()
	s := &softSwitch{start: time.Now(), frames: make(chan portFrame, 4096), wires: map[uint32]func([]byte){}}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	cfg := p4rtserver.DefaultConfig()
	cfg.DeviceID = device
	server, err := p4rtserver.New(cfg, p4rtserver.Deps{
		Log: slog.New(slog.DiscardHandler), Dataplane: s, Registry: prometheus.NewRegistry(), Listener: listener,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Run(ctx); err != nil {
			t.Errorf("device %d: %v", device, err)
		}
	})
	wg.Go(func() { s.run(ctx) })
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(s.stop)
	return s
}

// run takes frames through the pipeline.
func (s *softSwitch) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-s.frames:
			s.Mu.Lock()
			if s.Switch != nil {
				s.Switch.Process(s.Micros(), f.port, f.frame, s)
			}
			s.Mu.Unlock()
		}
	}
}

// receive puts a frame in at a port; with the queue full it is lost.
func (s *softSwitch) receive(port uint32, frame []byte) {
	select {
	case s.frames <- portFrame{port, slices.Clone(frame)}:
	default:
	}
}

// PacketOut implements p4rtserver.Dataplane, with what Plane has and Micros.
func (s *softSwitch) PacketOut(frame []byte) error {
	select {
	case s.frames <- portFrame{p4src.CPUPort, slices.Clone(frame)}:
		return nil
	default:
		return errors.New("full")
	}
}

func (s *softSwitch) Micros() uint64 { return uint64(time.Since(s.start).Microseconds()) }

// Transmit implements engine.Output, under mu.
func (s *softSwitch) Transmit(port uint32, frame []byte) {
	if port == p4src.CPUPort {
		s.Events.PacketIn(frame)
	} else if wire := s.wires[port]; wire != nil {
		wire(frame)
	}
}

// Digest implements engine.Output.
func (s *softSwitch) Digest(d engine.Digest) { s.Events.Digest(d) }

// plug puts a wire into a port.
func (s *softSwitch) plug(port uint32, wire func(frame []byte)) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.wires[port] = wire
}

// cable joins a port of a with a port of b.
func cable(a *softSwitch, portA uint32, b *softSwitch, portB uint32) {
	a.plug(portA, func(frame []byte) { b.receive(portB, frame) })
	b.plug(portB, func(frame []byte) { a.receive(portA, frame) })
}
