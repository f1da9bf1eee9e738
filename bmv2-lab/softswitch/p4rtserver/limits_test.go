package p4rtserver

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// serve serves P4Runtime with other limits than the usual ones, and without packets.
func serve(t *testing.T, change func(*Config)) (*Server, p4.P4RuntimeClient) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	change(&cfg)
	s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Dataplane: &still{}, Registry: prometheus.NewRegistry(), Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	// A window of its own size does not grow when nobody reads.
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(1<<16))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		wg.Wait()
	})
	return s, p4.NewP4RuntimeClient(conn)
}

// stream opens a stream, with an election id unless that is 0, and returns it with what it is
// told or how it ended.
func stream(t *testing.T, c p4.P4RuntimeClient, id uint64) (p4.P4Runtime_StreamChannelClient, error) {
	t.Helper()
	s, err := c.StreamChannel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if id == 0 {
		return s, nil
	}
	_ = s.Send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: &p4.MasterArbitrationUpdate{ElectionId: &p4.Uint128{Low: id}}}})
	_, err = s.Recv()
	return s, err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so in the end: %s", what)
		}
	}
}

func TestStreamsAreLimited(t *testing.T) {
	s, c := serve(t, func(cfg *Config) { cfg.MaxStreams = 3 })
	var last p4.P4Runtime_StreamChannelClient
	for id := range uint64(3) {
		var err error
		if last, err = stream(t, c, id+1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := stream(t, c, 4); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the fourth stream: %v", err)
	}
	if n := testutil.ToFloat64(s.metrics.sessions); n != 3 {
		t.Errorf("%v sessions", n)
	}
	if err := last.CloseSend(); err != nil { // half of it is enough
		t.Fatal(err)
	}
	eventually(t, "a stream that has ended makes room", func() bool { _, err := stream(t, c, 4); return err == nil })
}

// A stream on which nothing is said ends, and one with a session does not.
func TestSilentStreamsEnd(t *testing.T) {
	s, c := serve(t, func(cfg *Config) { cfg.Patience = 10 * time.Millisecond })
	session, err := stream(t, c, 1)
	if err != nil {
		t.Fatal(err)
	}
	silent, _ := stream(t, c, 0)
	if _, err := silent.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a silent stream ends with %v", err)
	}
	if err := session.Send(&p4.StreamMessageRequest{}); err != nil {
		t.Error(err)
	}
	if m, err := session.Recv(); err != nil || m.GetError() == nil {
		t.Errorf("the session: %v, %v", m, err)
	}
	eventually(t, "one stream is left", func() bool { return testutil.ToFloat64(s.metrics.sessions) == 1 })
}

const answerEntries = 8

// readable is a server with an answer that no connection takes at once: entries with much
// metadata. The functions begin a Read of them all, and take all of its answer.
func readable(t *testing.T, change func(*Config)) (s *Server, begin func(context.Context) p4.P4Runtime_ReadClient, read func() (int, error)) {
	t.Helper()
	s, c := serve(t, change)
	_, config := fuzzServer(t, "bridge")
	if _, err := stream(t, c, 1); err != nil {
		t.Fatal(err)
	}
	push(t, s, p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, config)
	table := config.GetP4Info().GetTables()[0]
	for i := range byte(answerEntries) {
		e := &p4.TableEntry{TableId: table.GetPreamble().GetId(), Metadata: make([]byte, 1<<20),
			Match:  []*p4.FieldMatch{{FieldId: 1, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: []byte{i}}}}},
			Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{ActionId: table.GetActionRefs()[0].GetId(), Params: []*p4.Action_Param{{ParamId: 1, Value: []byte{1}}}}}}}
		if _, err := c.Write(t.Context(), &p4.WriteRequest{ElectionId: &p4.Uint128{Low: 1}, Updates: []*p4.Update{
			{Type: p4.Update_INSERT, Entity: &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}}}}}); err != nil {
			t.Fatal(err)
		}
	}
	begin = func(ctx context.Context) p4.P4Runtime_ReadClient {
		r, err := c.Read(ctx, &p4.ReadRequest{Entities: []*p4.Entity{{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{TableId: table.GetPreamble().GetId()}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	read = func() (n int, err error) {
		for r := begin(t.Context()); ; {
			m, err := r.Recv()
			if err == io.EOF {
				return n, nil
			}
			if err != nil {
				return n, err
			}
			n += len(m.GetEntities())
		}
	}
	return s, begin, read
}

// An answer that nobody takes leaves no memory for a second one, until its client leaves.
func TestMemoryForAnswersIsLimited(t *testing.T) {
	s, begin, read := readable(t, func(cfg *Config) { cfg.ReadMemory, cfg.Patience = (answerEntries+1)<<20, time.Hour })
	if n, err := read(); n != answerEntries || err != nil {
		t.Fatalf("read %d entries, %v", n, err)
	}
	ctx, leave := context.WithCancel(t.Context())
	if _, err := begin(ctx).Recv(); err != nil { // the first part; the others wait
		t.Fatal(err)
	}
	held := func() float64 { return testutil.ToFloat64(s.metrics.readBytes) }
	if _, err := read(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("another read: %v", err)
	}
	if n := testutil.ToFloat64(s.metrics.readsRefused.WithLabelValues("memory")); n != 1 {
		t.Errorf("%v reads were refused", n)
	}
	leave()
	eventually(t, "nothing is held", func() bool { return held() == 0 })
	if n, err := read(); n != answerEntries || err != nil {
		t.Errorf("read %d entries, %v", n, err)
	}
}

func TestAnswersThatNobodyTakes(t *testing.T) {
	s, begin, _ := readable(t, func(cfg *Config) { cfg.Patience = 10 * time.Millisecond })
	lazy := begin(t.Context())
	eventually(t, "the answer was given up", func() bool { return testutil.ToFloat64(s.metrics.readsRefused.WithLabelValues("stalled")) == 1 })
	eventually(t, "nothing is held", func() bool { return testutil.ToFloat64(s.metrics.readBytes) == 0 })
	var err error
	for err == nil {
		_, err = lazy.Recv()
	}
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the answer that nobody took ended with %v", err)
	}
}

// What clients keep at entries and groups has an end, and what they delete makes room.
func TestMetadataIsLimited(t *testing.T) {
	s, config := fuzzServer(t, "bridge")
	s.current.metadata = maxMetadata - 100
	table := config.GetP4Info().GetTables()[0]
	entry := func(key byte, n int) *p4.Entity {
		return &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: &p4.TableEntry{TableId: table.GetPreamble().GetId(), Metadata: make([]byte, n),
			Match:  []*p4.FieldMatch{{FieldId: 1, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: []byte{key}}}}},
			Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{ActionId: table.GetActionRefs()[0].GetId(), Params: []*p4.Action_Param{{ParamId: 1, Value: []byte{1}}}}}}}}}
	}
	group := func(n int) *p4.Entity {
		return &p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: &p4.PacketReplicationEngineEntry{
			Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: &p4.MulticastGroupEntry{MulticastGroupId: 1, Metadata: make([]byte, n)}}}}}
	}
	for i, c := range []struct {
		op   p4.Update_Type
		e    *p4.Entity
		want codes.Code
	}{
		{p4.Update_INSERT, entry(1, 60), codes.OK}, {p4.Update_INSERT, entry(2, 60), codes.ResourceExhausted},
		{p4.Update_MODIFY, entry(2, 0), codes.NotFound}, // and it was not inserted all the same
		{p4.Update_INSERT, group(60), codes.ResourceExhausted}, {p4.Update_INSERT, group(40), codes.OK},
		{p4.Update_MODIFY, entry(1, 61), codes.ResourceExhausted}, {p4.Update_MODIFY, entry(1, 10), codes.OK},
		{p4.Update_MODIFY, group(90), codes.OK}, {p4.Update_DELETE, group(0), codes.OK}, {p4.Update_MODIFY, entry(1, 100), codes.OK},
		{p4.Update_DELETE, entry(1, 0), codes.OK},
	} {
		errs := s.eachAlone(nil, []*p4.Update{{Type: c.op, Entity: c.e}})
		if codeOf(errs[0]) != c.want {
			t.Errorf("update %d: %v, want %s", i, errs[0], c.want)
		}
	}
	if s.current.metadata != maxMetadata-100 {
		t.Errorf("%d bytes are kept", s.current.metadata)
	}
}
