package p4rt

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/p4rtserver"
	"github.com/fabricscope/fabricscope/p4src"
)

// idleDataplane is a switch without packets.
type idleDataplane struct{ sw *engine.Switch }

func (d *idleDataplane) Install(_ context.Context, build func(*engine.Switch) (*engine.Switch, error), _ p4rtserver.Events) error {
	sw, err := build(d.sw)
	if err == nil {
		d.sw = sw
	}
	return err
}

func (d *idleDataplane) Between(_ context.Context, do func() error) error { return do() }
func (d *idleDataplane) HasPort(uint32) bool                              { return true }
func (d *idleDataplane) PacketOut([]byte) error                           { return nil }
func (d *idleDataplane) Micros() uint64                                   { return 0 }

// startSoftswitch gives the address of a softswitch that has no pipeline yet.
func startSoftswitch(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := p4rtserver.DefaultConfig()
	cfg.DeviceID = 7
	server, err := p4rtserver.New(cfg, p4rtserver.Deps{
		Log: slog.New(slog.DiscardHandler), Dataplane: &idleDataplane{}, Registry: prometheus.NewRegistry(), Listener: listener,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := server.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return listener.Addr().String()
}

// startSession runs a session with the real program; stop ends it before the test does.
func startSession(t *testing.T, address string, election uint64) (s *Session, r *recorder, stop func()) {
	t.Helper()
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	program, err := NewProgram(info, p4src.DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(address)
	cfg.ElectionID = election
	r = newRecorder()
	s, err = New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Program: program, Sink: r,
		Subscribers: []Subscriber{{Name: "test", Handler: r, Digests: true}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = s.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return s, r, stop
}

func nexthop(id, port uint64) Entry {
	return Entry{Table: p4src.TableNexthop, Action: p4src.ActionForward,
		Match:  []Match{Exact(p4src.FieldNexthop, Uint(id))},
		Params: []Param{{p4src.ParamPort, Uint(port)}, {p4src.ParamSrcMAC, Uint(0x02fab5000001)}, {p4src.ParamDstMAC, Uint(5)}}}
}

func TestMastershipOfASoftswitch(t *testing.T) {
	address := startSoftswitch(t)
	low, lowEvents, _ := startSession(t, address, 1)
	lowEvents.expect(t, "connected fresh")
	high, highEvents, stopHigh := startSession(t, address, 2)
	highEvents.expect(t, "connected")
	lowEvents.expect(t, "deposed")
	if err := high.Apply(t.Context(), []Update{{Insert, nexthop(1, 1)}}); err != nil {
		t.Error(err)
	}
	if err := low.Apply(t.Context(), []Update{{Delete, nexthop(1, 1)}}); !errors.Is(err, ErrNotPrimary) {
		t.Error(err)
	}
	if got, err := low.Entries(t.Context(), p4src.TableNexthop); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
	// The twin that starts later has the higher id.
	_, twinEvents, stopTwin := startSession(t, address, 2)
	twinEvents.expect(t, "connected")
	highEvents.expect(t, "deposed")
	stopTwin()
	stopHigh()
}

// A backup takes over when the primary ends, and the preferred controller when it comes back. Of
// two backups the preferred one wins.
func TestBackupsOfASoftswitch(t *testing.T) {
	address := startSoftswitch(t)
	_, lowEvents, _ := startSession(t, address, 1)
	lowEvents.expect(t, "connected fresh")
	_, middleEvents, stopMiddle := startSession(t, address, 2)
	middleEvents.expect(t, "connected")
	lowEvents.expect(t, "deposed")
	primary := func(r *recorder) func() bool { return func() bool { return r.lastState() == StateReady } }
	for range 2 {
		_, highEvents, stopHigh := startSession(t, address, 3)
		highEvents.expect(t, "connected")
		eventually(t, "the other to be a backup", func() bool { return middleEvents.lastState() == StateStandby })
		stopHigh()
		// The third one may be primary for a moment.
		eventually(t, "the preferred backup to be primary", primary(middleEvents))
	}
	stopMiddle()
	eventually(t, "the last one to be primary", primary(lowEvents))
}

func TestRequestsToASoftswitch(t *testing.T) {
	s, r, _ := startSession(t, startSoftswitch(t), 1)
	r.expect(t, "connected fresh")
	ctx := t.Context()
	if err := s.Apply(ctx, []Update{{Insert, nexthop(1, 1)}, {Insert, nexthop(2, 2)}}); err != nil {
		t.Fatal(err)
	}
	err := s.Apply(ctx, []Update{{Insert, nexthop(3, 3)}, {Insert, nexthop(2, 9)}, {Insert, nexthop(4, 4)}})
	var refused *WriteError
	if !errors.As(err, &refused) || len(refused.Failed) != 1 || refused.Failed[0].Index != 1 || !refused.OnlyCode(codes.AlreadyExists) {
		t.Errorf("an entry that is there: %v", err)
	}
	updates, err := s.Reconcile(ctx, []string{p4src.TableNexthop}, []Entry{nexthop(1, 1), nexthop(2, 9), nexthop(5, 5)})
	if err != nil || len(updates) != 4 {
		t.Errorf("%d updates, %v; want one changed, one new, two gone", len(updates), err)
	}
	cells, err := s.Counters(ctx, p4src.CounterPort)
	if err != nil || len(cells) != 512 || cells[511].Index != 511 {
		t.Errorf("%d cells, %v", len(cells), err)
	}
	for _, ports := range [][]uint32{{1, 2}, {3}} {
		if err := s.SetMulticast(ctx, 9, ports); err != nil {
			t.Error(err)
		}
	}
	if err := s.DeleteMulticast(ctx, 9); err != nil {
		t.Error(err)
	}
}
