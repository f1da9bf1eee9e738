package restarts

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

// target is the switch under test.
type target interface {
	// start starts it with nothing in it.
	start(t *testing.T)
	// stop ends it at once, with all that it holds.
	stop()
	// send lets a frame arrive. It gives false when the switch did not take it.
	send(port uint32, frame []byte) bool
	address() string
}

// deviceID and ports of the switch.
const deviceID = 7

func ports() []uint32 { return []uint32{1, 2, 3} }

// inProcess is a softswitch whose frames are function calls.
type inProcess struct {
	addr     string
	shutdown func()

	inprocess.Plane // its Mu guards the fields below too
	started         time.Time
	deaf            int // digests that get lost before anybody hears of them
	evicted         int // digests with the last report of a flow
}

// smallQueue is how many digests wait, and how many messages for a client: few enough to lose some.
const smallQueue = 1 << 12

func (s *inProcess) start(t *testing.T) {
	t.Helper()
	address := s.addr
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	cfg := p4rtserver.DefaultConfig()
	cfg.DeviceID, cfg.DigestQueue = deviceID, smallQueue
	server, err := p4rtserver.New(cfg, p4rtserver.Deps{Log: slog.New(slog.DiscardHandler), Dataplane: s,
		Registry: prometheus.NewRegistry(), Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	s.Mu.Lock()
	s.started, s.Switch = time.Now(), nil
	s.Mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	s.shutdown = sync.OnceFunc(func() {
		s.Mu.Lock()
		s.Switch = nil // a switch without power sends no last words
		s.Mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("switch: %v", err)
		}
	})
}

func (s *inProcess) stop() { s.shutdown() }

func (s *inProcess) address() string { return s.addr }

func (s *inProcess) send(port uint32, frame []byte) bool {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if s.Switch == nil {
		return false
	}
	s.Switch.Process(s.micros(), port, frame, s)
	return true
}

func (s *inProcess) micros() uint64 { return uint64(time.Since(s.started).Microseconds()) }

// PacketOut implements p4rtserver.Dataplane, with what Plane has and Micros.
func (s *inProcess) PacketOut(frame []byte) error {
	if !s.send(p4src.CPUPort, slices.Clone(frame)) {
		return errors.New("no pipeline")
	}
	return nil
}

func (s *inProcess) Micros() uint64 {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	return s.micros()
}

// Transmit implements engine.Output, under mu.
func (s *inProcess) Transmit(port uint32, frame []byte) {
	if port == p4src.CPUPort {
		s.Events.PacketIn(frame)
	}
}

// Digest implements engine.Output, under mu.
func (s *inProcess) Digest(d engine.Digest) {
	const evict = 2
	if cause := d.Values[0]; len(cause) == 1 && cause[0] == evict {
		s.evicted++
	}
	if s.deaf > 0 {
		s.deaf--
		return
	}
	s.Events.Digest(d)
}
