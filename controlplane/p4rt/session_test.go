package p4rt

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}

func testConfig(address string) Config {
	cfg := DefaultConfig()
	cfg.Name, cfg.Address, cfg.DeviceID = "leaf1", address, 7
	cfg.BackoffMin, cfg.BackoffMax = time.Millisecond, 20*time.Millisecond
	return cfg
}

// run starts a session with one recorder and ends it with the test.
func run(t *testing.T, cfg Config) (*Session, *recorder, *Metrics) {
	t.Helper()
	r := newRecorder()
	return runWith(t, cfg, r, Subscriber{Name: "test", Handler: r, Digests: true})
}

func runWith(t *testing.T, cfg Config, r *recorder, subs ...Subscriber) (*Session, *recorder, *Metrics) {
	t.Helper()
	metrics, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, Deps{
		Log: slog.New(slog.DiscardHandler), Program: testProgram(t), Sink: r, Metrics: metrics, Subscribers: subs,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	return s, r, metrics
}

func digestMessage(list uint64, who string) *p4v1.StreamMessageResponse {
	bits := func(b ...byte) *p4v1.P4Data { return &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: b}} }
	a := netip.MustParseAddr(who).As16()
	good := &p4v1.P4Data{Data: &p4v1.P4Data_Struct{Struct: &p4v1.P4StructLike{Members: []*p4v1.P4Data{
		bits(0, 3), bits(a[:]...), {Data: &p4v1.P4Data_Bool{Bool: true}}}}}}
	short := &p4v1.P4Data{Data: &p4v1.P4Data_Struct{Struct: &p4v1.P4StructLike{Members: []*p4v1.P4Data{bits(1)}}}}
	return &p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Digest{Digest: &p4v1.DigestList{
		DigestId: 0x17000001, ListId: list, Timestamp: 5e9, Data: []*p4v1.P4Data{good, short}}}}
}

func packetMessage(reason, port byte, payload string) *p4v1.StreamMessageResponse {
	return &p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Packet{Packet: &p4v1.PacketIn{
		Payload: []byte(payload), Metadata: []*p4v1.PacketMetadata{
			{MetadataId: 2, Value: []byte{0, port}}, {MetadataId: 1, Value: []byte{reason}}}}}}
}

func TestPushesThePipelineOnceAndDeliversEvents(t *testing.T) {
	p := newPeer()
	address, stop := p.serve(t, "127.0.0.1:0")
	s, r, m := run(t, testConfig(address))
	r.expect(t, "connected fresh")
	if got := r.lastState(); got != StateReady {
		t.Errorf("state %s", got)
	}
	p.send(t, digestMessage(42, "::ffff:10.0.0.1"))
	r.expect(t, "digests")
	l := r.digests[0]
	who, err := l.Layout.Index("who")
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Digests) != 1 || l.Digests[0][0] != Uint(3) || l.Digests[0][who].Addr16() != netip.MustParseAddr("10.0.0.1") ||
		l.Digests[0][2] != Uint(1) || !l.Sent.Equal(time.Unix(5, 0)) {
		t.Errorf("digest list %+v", l)
	}
	if n := testutil.ToFloat64(m.refused.WithLabelValues("leaf1", "digest")); n != 1 {
		t.Errorf("%v digests of a wrong shape counted, want 1", n)
	}
	if ack := (<-p.requests).GetDigestAck(); ack.GetListId() != 42 {
		t.Errorf("ack %v", ack)
	}
	p.send(t, packetMessage(2, 9, "frame"))
	r.expect(t, "packet")
	if in := r.packets[0]; in.Field("reason") != Uint(2) || in.Field("port").Uint64() != 9 || string(in.Payload) != "frame" || in.Field("none") != Uint(0) {
		t.Errorf("packet-in %+v", in)
	}
	if err := s.SendPacket(PacketOut{Fields: []Param{{"port", Uint(4)}}, Payload: []byte("out")}); err != nil {
		t.Fatal(err)
	}
	out := (<-p.requests).GetPacket()
	if len(out.GetMetadata()) != 2 || string(out.GetMetadata()[1].GetValue()) != "\x04" || string(out.GetPayload()) != "out" {
		t.Errorf("packet-out %v", out)
	}
	if err := s.SendPacket(PacketOut{Fields: []Param{{"ports", Uint(4)}}}); !errors.Is(err, ErrUnknownName) {
		t.Error(err)
	}

	stop()
	r.expect(t, "disconnected")
	if err := s.SendPacket(PacketOut{}); !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
	p.serve(t, address)
	r.expect(t, "connected")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pushes != 1 {
		t.Errorf("%d pushes of the pipeline, want 1", p.pushes)
	}
	if len(p.entities) != 1 || p.entities[0].GetDigestEntry().GetConfig().GetMaxTimeoutNs() != 100e6 || p.entities[0].GetDigestEntry().GetConfig().GetMaxListSize() != 128 {
		t.Errorf("digest settings %v", p.entities)
	}
}

func TestStartsWithoutTheSwitchAndRecovers(t *testing.T) {
	p := newPeer()
	address, stop := p.serve(t, "127.0.0.1:0")
	stop()
	_, r, m := run(t, testConfig(address))
	eventually(t, "unreachable", func() bool {
		return testutil.ToFloat64(m.failures.WithLabelValues("leaf1")) > 2 && r.lastState() == StateUnreachable
	})
	p.serve(t, address)
	r.expect(t, "connected fresh")
	if diff := cmp.Diff([]string{StateConnecting, StateUnreachable, StateReady}, r.states); diff != "" {
		t.Error("states: ", diff)
	}
}

func TestNoticesASwitchThatHangs(t *testing.T) {
	p := newPeer()
	p.hang = make(chan struct{})
	close(p.hang)
	address, _ := p.serve(t, "127.0.0.1:0")
	cfg := testConfig(address)
	cfg.ProbeInterval, cfg.ProbeTimeout = 20*time.Millisecond, 100*time.Millisecond
	_, r, _ := run(t, cfg)
	r.expect(t, "connected fresh")
	hang := make(chan struct{})
	p.mu.Lock()
	p.hang = hang
	p.mu.Unlock()
	r.expect(t, "disconnected")
	close(hang)
	r.expect(t, "connected")
}

func TestStandbyReadsAndDoesNotWrite(t *testing.T) {
	p := newPeer()
	address, _ := p.serve(t, "127.0.0.1:0")
	s, r, _ := run(t, testConfig(address))
	r.expect(t, "connected fresh")
	ctx := t.Context()
	entry := Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(1))}, Action: "C.send",
		Params: []Param{{"port", Uint(1)}, {"mac", Uint(2)}}}
	if err := s.Apply(ctx, []Update{{Insert, entry}}); err != nil {
		t.Fatal(err)
	}
	p.send(t, p.arbitration(true))
	r.expect(t, "deposed")
	eventually(t, "standby", func() bool { return r.lastState() == StateStandby })
	if err := s.Apply(ctx, []Update{{Delete, entry}}); !errors.Is(err, ErrNotPrimary) {
		t.Error(err)
	}
	if got, err := s.Entries(ctx, "C.hop"); err != nil || len(got) != 1 || got[0].Key() != entry.Key() {
		t.Error(got, err)
	}
	p.send(t, p.arbitration(false))
	r.expect(t, "connected")
	if err := s.Apply(ctx, []Update{{Delete, entry}}); err != nil {
		t.Error(err)
	}
}

// TestClockSetBack meets a switch that remembers a higher id of this controller.
func TestClockSetBack(t *testing.T) {
	p := newPeer()
	p.highest = uint64(time.Now().Add(time.Hour).UnixNano())
	address, _ := p.serve(t, "127.0.0.1:0")
	_, r, _ := run(t, testConfig(address))
	r.expect(t, "connected fresh")
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.elected) != 2 || p.elected[1] != p.highest+1 {
		t.Errorf("ids %d, want the last one over %d", p.elected, p.highest)
	}
}

func TestReconcileCountersAndMulticast(t *testing.T) {
	p := newPeer()
	p.counters[2] = &p4v1.CounterData{PacketCount: 3, ByteCount: 180}
	address, _ := p.serve(t, "127.0.0.1:0")
	cfg := testConfig(address)
	cfg.WriteBatch = 2
	s, r, _ := run(t, cfg)
	r.expect(t, "connected fresh")
	ctx := t.Context()
	var want []Entry
	for i := range uint64(5) {
		want = append(want, Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(i))}, Action: "C.send",
			Params: []Param{{"port", Uint(i)}, {"mac", Uint(i)}}})
	}
	for round, updates := range []int{5, 0} {
		got, err := s.Reconcile(ctx, []string{"C.hop"}, want)
		if err != nil || len(got) != updates {
			t.Errorf("round %d: %d updates, %v; want %d", round, len(got), err, updates)
		}
	}
	if got, err := s.Reconcile(ctx, []string{"C.hop"}, want[1:]); err != nil || len(got) != 1 || got[0].Op != Delete {
		t.Error(got, err)
	}
	all, err := s.Counters(ctx, "C.rx")
	if err != nil || len(all) != 4 || all[2] != (Counter{2, 3, 180}) {
		t.Error(all, err)
	}
	if one, err := s.Counters(ctx, "C.rx", 2); err != nil || len(one) != 1 || one[0].Packets != 3 {
		t.Error(one, err)
	}
	if _, err := s.Counters(ctx, "C.tx"); !errors.Is(err, ErrUnknownName) {
		t.Error(err)
	}
	for _, ports := range [][]uint32{{1, 2}, {3}} {
		if err := s.SetMulticast(ctx, 9, ports); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteMulticast(ctx, 9); err != nil {
		t.Fatal(err)
	}
}

func TestWriteErrorNamesWhatWasRefused(t *testing.T) {
	p := newPeer()
	p.refuse = func(u *p4v1.Update) *p4v1.Error {
		if m := u.GetEntity().GetTableEntry().GetMatch(); len(m) > 0 && string(m[0].GetExact().GetValue()) == "\x02" {
			return &p4v1.Error{CanonicalCode: int32(codes.ResourceExhausted), Message: "table full"}
		}
		return nil
	}
	address, _ := p.serve(t, "127.0.0.1:0")
	s, r, _ := run(t, testConfig(address))
	r.expect(t, "connected fresh")
	var updates []Update
	for i := range uint64(3) {
		updates = append(updates, Update{Insert, Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(i))}, Action: "C.send",
			Params: []Param{{"port", Uint(1)}, {"mac", Uint(1)}}}})
	}
	err := s.Apply(t.Context(), updates)
	var refused *WriteError
	if !errors.As(err, &refused) || len(refused.Failed) != 1 || refused.Failed[0].Index != 2 {
		t.Fatal(err)
	}
	for _, part := range []string{"leaf1", "1 of 3", "C.hop[id=0x2]", "table full"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
	if got, _ := s.Entries(t.Context(), "C.hop"); len(got) != 2 {
		t.Errorf("%d entries, want the 2 that were not refused", len(got))
	}
}

func TestSlowSubscriberLosesOnlyItsOwnAndIsCounted(t *testing.T) {
	p := newPeer()
	address, _ := p.serve(t, "127.0.0.1:0")
	cfg := testConfig(address)
	cfg.QueuePackets = 4
	slow, fast := newRecorder(), newRecorder()
	slow.block = make(chan struct{})
	_, _, m := runWith(t, cfg, fast,
		Subscriber{Name: "slow", Handler: slow, Accept: func(p *PacketIn) bool { return p.Field("reason").Uint64() == 1 }},
		Subscriber{Name: "fast", Handler: fast})
	fast.expect(t, "connected fresh")
	slow.expect(t, "connected fresh")
	p.send(t, packetMessage(2, 1, "not for slow"))
	fast.expect(t, "packet")
	const sent = 20
	for range sent {
		p.send(t, packetMessage(1, 1, "x"))
		fast.expect(t, "packet")
	}
	dropped := testutil.ToFloat64(m.drops.WithLabelValues("leaf1", "slow", "packet-in"))
	if dropped == 0 || testutil.ToFloat64(m.drops.WithLabelValues("leaf1", "fast", "packet-in")) != 0 {
		t.Errorf("%v dropped", dropped)
	}
	close(slow.block)
	for range sent - int(dropped) {
		slow.expect(t, "packet")
	}
}

func TestValidateNamesEveryWrongField(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Address, cfg.ElectionID, cfg.QueueOut, cfg.BackoffMax = "nowhere", 0, 0, 0
	err := cfg.Validate()
	for _, field := range []string{"name", "address", "election-id", "queue-out", "backoff-max"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	if _, err := New(testConfig("127.0.0.1:1"), Deps{}); err == nil {
		t.Error("a session without dependencies")
	}
}
