package p4rtserver_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/app"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	device  = 3
	cpuPort = 510
	patient = 10 * time.Second
)

// sent is a frame that left the switch.
type sent struct {
	port  uint32
	frame []byte
}

// bench is a switch with ports 1 to 4 in memory and a connection to it over loopback.
type bench struct {
	t    *testing.T
	sw   *app.Switch
	out  chan sent
	conn *grpc.ClientConn
	p4.P4RuntimeClient
	info   *p4config.P4Info
	config *p4.ForwardingPipelineConfig
}

func newBench(t *testing.T) *bench { return newBenchOf(t, "bridge") }

// newBenchOf is a bench whose primary runs a program of testdata.
func newBenchOf(t *testing.T, program string) *bench {
	t.Helper()
	b := &bench{t: t, out: make(chan sent, 10000)}
	b.config = pipelineOf(t, program)
	b.info = b.config.GetP4Info()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.DefaultConfig()
	cfg.DeviceID, cfg.CPUPort = device, cpuPort
	cfg.Ports = []ports.Port{{Number: 1}, {Number: 2}, {Number: 3}, {Number: 4}}
	b.sw, err = app.New(cfg, app.Deps{
		Log: slog.New(slog.DiscardHandler), Listener: l,
		Transmit: func(port uint32, frame []byte) {
			select {
			case b.out <- sent{port, bytes.Clone(frame)}:
			default:
				t.Error("too many frames")
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.sw.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	b.conn, err = grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.conn.Close() })
	b.P4RuntimeClient = p4.NewP4RuntimeClient(b.conn)
	return b
}

// pipelineOf is the pipeline of a program of testdata.
func pipelineOf(t *testing.T, name string) *p4.ForwardingPipelineConfig {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".p4info.txtpb")
	if err != nil {
		t.Fatal(err)
	}
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal(text, info); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return &p4.ForwardingPipelineConfig{P4Info: info, P4DeviceConfig: program, Cookie: &p4.ForwardingPipelineConfig_Cookie{Cookie: 42}}
}

// session is a client's stream.
type session struct {
	*bench
	id      *p4.Uint128
	role    string
	stream  p4.P4Runtime_StreamChannelClient
	cancel  context.CancelFunc
	updates chan *p4.StreamMessageResponse
	ended   chan error
	sorted  map[string][]*p4.StreamMessageResponse // waiting, by kind
}

func (b *bench) open() *session {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := b.StreamChannel(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	s := &session{bench: b, stream: stream, cancel: cancel, updates: make(chan *p4.StreamMessageResponse, 100000),
		ended: make(chan error, 1), sorted: map[string][]*p4.StreamMessageResponse{}}
	go func() {
		defer close(s.updates)
		for {
			m, err := stream.Recv()
			if err != nil {
				s.ended <- err
				return
			}
			s.updates <- m
		}
	}()
	b.t.Cleanup(s.close)
	return s
}

// close ends the session and waits until its receiver has ended.
func (s *session) close() {
	s.cancel()
	for range s.updates {
	}
}

func (s *session) send(m *p4.StreamMessageRequest) {
	s.t.Helper()
	if err := s.stream.Send(m); err != nil && err != io.EOF {
		s.t.Fatal(err)
	}
}

func (s *session) arbitrate(deviceID uint64, role string, id *p4.Uint128) {
	s.t.Helper()
	u := &p4.MasterArbitrationUpdate{DeviceId: deviceID, ElectionId: id}
	if role != "" {
		u.Role = &p4.Role{Name: role}
	}
	s.id, s.role = id, role
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: u}})
}

// kind says which field of a stream message is set.
func kind(m *p4.StreamMessageResponse) string {
	switch m.GetUpdate().(type) {
	case *p4.StreamMessageResponse_Arbitration:
		return "arbitration"
	case *p4.StreamMessageResponse_Packet:
		return "packet"
	case *p4.StreamMessageResponse_Digest:
		return "digest"
	case *p4.StreamMessageResponse_IdleTimeoutNotification:
		return "idle"
	case *p4.StreamMessageResponse_Error:
		return "error"
	}
	return "other"
}

// next is the session's next message of a kind.
func (s *session) next(want string) *p4.StreamMessageResponse {
	s.t.Helper()
	timeout := time.After(patient)
	for {
		if q := s.sorted[want]; len(q) > 0 {
			s.sorted[want] = q[1:]
			return q[0]
		}
		select {
		case m, ok := <-s.updates:
			if !ok {
				s.t.Fatalf("the stream ended while waiting for %s: %v", want, <-s.ended)
			}
			s.sorted[kind(m)] = append(s.sorted[kind(m)], m)
		case <-timeout:
			s.t.Fatalf("no %s", want)
		}
	}
}

// told expects an arbitration message.
func (s *session) told(want codes.Code, highest *p4.Uint128) {
	s.t.Helper()
	a := s.next("arbitration").GetArbitration()
	if codes.Code(a.GetStatus().GetCode()) != want || a.GetDeviceId() != device || a.GetRole().GetName() != s.role ||
		a.GetElectionId().GetHigh() != highest.GetHigh() || a.GetElectionId().GetLow() != highest.GetLow() ||
		(a.GetElectionId() == nil) != (highest == nil) {
		s.t.Fatalf("told %v, want %s with election id %v", a, want, highest)
	}
}

// endsWith expects the server to end the stream.
func (s *session) endsWith(want codes.Code) error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		if status.Code(err) != want {
			s.t.Fatalf("the stream ended with %v, want %s", err, want)
		}
		return err
	case <-time.After(patient):
		s.t.Fatalf("the stream goes on, want %s", want)
	}
	return nil
}

func election(n uint64) *p4.Uint128 { return &p4.Uint128{Low: n} }

// primary is a session that is the primary, with the bench's program running.
func (b *bench) primary() *session {
	b.t.Helper()
	s := b.open()
	s.arbitrate(device, "", election(1))
	s.told(codes.OK, election(1))
	if err := s.set(p4.SetForwardingPipelineConfigRequest_VERIFY_AND_COMMIT, b.config); err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (s *session) set(action p4.SetForwardingPipelineConfigRequest_Action, c *p4.ForwardingPipelineConfig) error {
	_, err := s.SetForwardingPipelineConfig(s.ctx(), &p4.SetForwardingPipelineConfigRequest{
		DeviceId: device, Role: s.role, ElectionId: s.id, Action: action, Config: c,
	})
	return err
}

// ctx is a context with a deadline for one request.
func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	b.t.Cleanup(cancel)
	return ctx
}

func (s *session) write(updates ...*p4.Update) error {
	_, err := s.Write(s.ctx(), &p4.WriteRequest{DeviceId: device, Role: s.role, ElectionId: s.id, Updates: updates})
	return err
}

func (s *session) mustWrite(updates ...*p4.Update) {
	s.t.Helper()
	if err := s.write(updates...); err != nil {
		s.t.Fatal(err)
	}
}

// code is the canonical code of a request with one update.
func (s *session) code(u *p4.Update) codes.Code {
	s.t.Helper()
	err := s.write(u)
	if err == nil {
		return codes.OK
	}
	d := details(s.t, err)
	if len(d) != 1 {
		s.t.Fatalf("%d details of one update: %v", len(d), err)
	}
	return codes.Code(d[0].GetCanonicalCode())
}

func details(t *testing.T, err error) []*p4.Error {
	t.Helper()
	st, _ := status.FromError(err)
	if st.Code() != codes.Unknown {
		t.Fatalf("%v, want UNKNOWN with details", err)
	}
	var out []*p4.Error
	for _, d := range st.Details() {
		out = append(out, d.(*p4.Error))
	}
	return out
}

// read returns what the requests select, and in how many messages.
func (b *bench) read(requests ...*p4.Entity) ([]*p4.Entity, int, error) {
	b.t.Helper()
	r, err := b.Read(b.ctx(), &p4.ReadRequest{DeviceId: device, Entities: requests})
	if err != nil {
		b.t.Fatal(err)
	}
	return drain(r)
}

// drain is what a Read answers, and in how many messages.
func drain(r p4.P4Runtime_ReadClient) ([]*p4.Entity, int, error) {
	var out []*p4.Entity
	for n := 0; ; n++ {
		m, err := r.Recv()
		if err == io.EOF {
			return out, n, nil
		}
		if err != nil {
			return out, n, err
		}
		out = append(out, m.GetEntities()...)
	}
}

func (b *bench) mustRead(requests ...*p4.Entity) []*p4.Entity {
	b.t.Helper()
	out, _, err := b.read(requests...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// id finds an object of the P4Info by its name or alias.
func (b *bench) id(name string) uint32 {
	b.t.Helper()
	var all []*p4config.Preamble
	for _, x := range b.info.GetTables() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetActions() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetCounters() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetRegisters() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetDigests() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetActionProfiles() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetMeters() {
		all = append(all, x.GetPreamble())
	}
	for _, x := range b.info.GetValueSets() {
		all = append(all, x.GetPreamble())
	}
	for _, p := range all {
		if p.GetAlias() == name || p.GetName() == name || strings.HasSuffix(p.GetName(), "."+name) {
			return p.GetId()
		}
	}
	b.t.Fatalf("the P4Info has no %q", name)
	return 0
}

// act is a table action with parameters numbered from 1.
func (b *bench) act(name string, params ...[]byte) *p4.TableAction {
	a := &p4.Action{ActionId: b.id(name)}
	for i, v := range params {
		a.Params = append(a.Params, &p4.Action_Param{ParamId: uint32(i + 1), Value: v})
	}
	return &p4.TableAction{Type: &p4.TableAction_Action{Action: a}}
}

func exact(field uint32, value ...byte) *p4.FieldMatch {
	return &p4.FieldMatch{FieldId: field, FieldMatchType: &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: value}}}
}

// entry is an entry of a table with an exact match on its first field.
func (b *bench) entry(table string, key byte, a *p4.TableAction) *p4.TableEntry {
	return &p4.TableEntry{TableId: b.id(table), Match: []*p4.FieldMatch{exact(1, key)}, Action: a}
}

func tableEntity(e *p4.TableEntry) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}}
}

func insert(e *p4.Entity) *p4.Update   { return &p4.Update{Type: p4.Update_INSERT, Entity: e} }
func modify(e *p4.Entity) *p4.Update   { return &p4.Update{Type: p4.Update_MODIFY, Entity: e} }
func deleteOf(e *p4.Entity) *p4.Update { return &p4.Update{Type: p4.Update_DELETE, Entity: e} }
func (b *bench) dmac(dst byte, a *p4.TableAction) *p4.TableEntry {
	return b.entry("dmac", dst, a)
}

// frame is an Ethernet frame between addresses of which only the last byte is not zero.
func frame(dst, src byte, etherType uint16) []byte {
	f := make([]byte, 60)
	f[5], f[11], f[12], f[13] = dst, src, byte(etherType>>8), byte(etherType)
	return f
}

func (b *bench) inject(port uint32, f []byte) {
	b.t.Helper()
	if err := b.sw.Inject(port, f); err != nil {
		b.t.Fatal(err)
	}
}

// leaves expects the next frame to leave at a port.
func (b *bench) leaves(port uint32, f []byte) {
	b.t.Helper()
	if got := b.leaving(); got.port != port || !bytes.Equal(got.frame, f) {
		b.t.Fatalf("port %d sent %x, want port %d and %x", got.port, got.frame, port, f)
	}
}

// leaving is the next frame that leaves.
func (b *bench) leaving() sent {
	b.t.Helper()
	select {
	case got := <-b.out:
		return got
	case <-time.After(patient):
		b.t.Fatal("no frame left")
		return sent{}
	}
}

// until polls until ok.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patient); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("not after %s: %s", patient, what)
		}
	}
}
