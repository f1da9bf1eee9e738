package ports

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openSet(t *testing.T, cfg Config, deps Deps) *Set {
	t.Helper()
	deps.Log = slog.New(slog.DiscardHandler)
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func memory(numbers ...uint32) Config {
	cfg := DefaultConfig()
	for _, n := range numbers {
		cfg.Ports = append(cfg.Ports, Port{Number: n})
	}
	return cfg
}

func TestValidate(t *testing.T) {
	for name, ports := range map[string][]Port{
		"number twice":    {{Number: 1, Interface: "a"}, {Number: 1, Interface: "b"}},
		"interface twice": {{Number: 1, Interface: "a"}, {Number: 2, Interface: "a"}},
		"number too big":  {{Number: 1 << 16, Interface: "a"}},
	} {
		cfg := DefaultConfig()
		cfg.Ports = ports
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	cfg := memory(0, 1, 510)
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	cfg.Ports[0].Interface = "not-there0"
	s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(); err == nil {
		t.Error("opened an interface that does not exist")
	}
}

// Frames that several goroutines inject arrive once each, and Poll, which waits meanwhile,
// wakes up for them.
func TestInject(t *testing.T) {
	s := openSet(t, memory(1, 2, 3), Deps{})
	const each = 1000
	var wg sync.WaitGroup
	for n := uint32(1); n <= 3; n++ {
		wg.Go(func() {
			for range each {
				if err := s.Inject(n, []byte{byte(n), 1, 2}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	got := map[uint32]int{}
	deadline := time.Now().Add(10 * time.Second)
	for got[1]+got[2]+got[3] < 3*each && time.Now().Before(deadline) {
		if err := s.Poll(ReceiverFunc(func(port uint32, frame []byte) {
			if frame[0] != byte(port) {
				t.Errorf("a frame of port %d arrived at %d", frame[0], port)
			}
			got[port]++
		})); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for n := uint32(1); n <= 3; n++ {
		if got[n] != each {
			t.Errorf("port %d: %d of %d frames", n, got[n], each)
		}
	}
	if err := s.Inject(4, []byte{1}); !errors.Is(err, ErrNoPort) {
		t.Errorf("unknown port: %v", err)
	}
	if err := s.Inject(1, make([]byte, MaxFrame+1)); !errors.Is(err, ErrFrame) {
		t.Errorf("long frame: %v", err)
	}
}

func TestInjectCountsWhatDoesNotFit(t *testing.T) {
	cfg := memory(1)
	cfg.QueueLength = 10
	s := openSet(t, cfg, Deps{})
	var full uint64
	for range 25 {
		if errors.Is(s.Inject(1, []byte{1}), ErrQueueFull) {
			full++
		}
	}
	n := 0
	if err := s.Poll(ReceiverFunc(func(uint32, []byte) { n++ })); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()[0]
	if n != 10 || full != 15 || st.RxQueueFull != 15 || st.RxFrames != 10 {
		t.Errorf("%d arrived, %d refused, stats %+v", n, full, st)
	}
}

// batches is a Receiver that counts the frames of each batch.
type batches struct{ frames []int }

func (b *batches) Receive(uint32, []byte) { b.frames[len(b.frames)-1]++ }
func (b *batches) Pause()                 { b.frames = append(b.frames, 0) }

func TestPauseBehindEachBatch(t *testing.T) {
	s := openSet(t, memory(1), Deps{})
	for range batch + 3 {
		if err := s.Inject(1, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	got := &batches{frames: []int{0}}
	for range 3 {
		s.Wake()
		if err := s.Poll(got); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got.frames, []int{batch, 3, 0, 0}) {
		t.Errorf("frames between pauses: %v", got.frames)
	}
}

func TestWakeEndsPoll(t *testing.T) {
	s := openSet(t, memory(1), Deps{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			if err := s.Poll(ReceiverFunc(func(uint32, []byte) {})); err != nil {
				t.Error(err)
			}
		}
	}()
	start := time.Now()
	for {
		s.Wake()
		select {
		case <-done:
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("100 polls took %s: they waited for the tick", d)
			}
			s.Close()
			s.Wake() // after Close it does nothing
			return
		default:
		}
	}
}

func TestTransmitInMemory(t *testing.T) {
	var got []uint32
	s := openSet(t, memory(1, 7), Deps{Transmit: func(port uint32, frame []byte) { got = append(got, port) }})
	for _, n := range []uint32{7, 1, 2, 1 << 20, 7} {
		s.Transmit(n, []byte{1, 2, 3})
	}
	if len(got) != 3 || got[0] != 7 || got[1] != 1 || got[2] != 7 {
		t.Errorf("transmitted %v", got)
	}
	if s.UnknownPort() != 2 {
		t.Errorf("unknown port: %d", s.UnknownPort())
	}
	if st := s.Stats()[1]; st.TxFrames != 2 || st.TxBytes != 6 {
		t.Errorf("stats %+v", st)
	}
}

func TestCapture(t *testing.T) {
	cfg := memory(3)
	cfg.PcapDir = t.TempDir()
	s := openSet(t, cfg, Deps{})
	in, out := bytes.Repeat([]byte{0xab}, 60), bytes.Repeat([]byte{0xcd}, 9000)
	if err := s.Inject(3, in); err != nil {
		t.Fatal(err)
	}
	if err := s.Poll(ReceiverFunc(func(port uint32, frame []byte) { s.Transmit(port, out) })); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]byte{"port3_in.pcap": in, "port3_out.pcap": out} {
		f, err := os.Open(filepath.Join(cfg.PcapDir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := pcapgo.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, info, err := r.ReadPacketData()
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s: %v, %d bytes", name, err, len(data))
		}
		if d := time.Since(info.Timestamp); d < 0 || d > time.Minute {
			t.Errorf("%s: written %s ago", name, d)
		}
	}
}
