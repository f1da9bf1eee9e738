package p4rt

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// peer is the far end of a session, for what a switch does not do at command: to depose a
// controller, to refuse an update, to hang. Over real gRPC and loopback TCP.
type peer struct {
	p4v1.UnimplementedP4RuntimeServer
	requests chan *p4v1.StreamMessageRequest // what came on the stream, but arbitration

	mu       sync.Mutex // guards the fields below
	stream   p4v1.P4Runtime_StreamChannelServer
	cookie   *p4v1.ForwardingPipelineConfig_Cookie
	pushes   int
	entities []*p4v1.Entity
	refuse   func(*p4v1.Update) *p4v1.Error
	standby  bool
	highest  uint64 // low half of an id that is gone; those below are not primary
	elected  []uint64
	hang     chan struct{} // requests wait for it to close, if not nil
	counters map[int64]*p4v1.CounterData
}

// serve starts the peer and gives a function that kills it as a crash would.
func (p *peer) serve(t *testing.T, address string) (string, func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	p4v1.RegisterP4RuntimeServer(server, p)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	stop := sync.OnceFunc(func() { server.Stop(); <-done })
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func newPeer() *peer {
	return &peer{requests: make(chan *p4v1.StreamMessageRequest, 1000), counters: map[int64]*p4v1.CounterData{}}
}

func (p *peer) wait(ctx context.Context) error {
	p.mu.Lock()
	hang := p.hang
	p.mu.Unlock()
	if hang == nil {
		return nil
	}
	select {
	case <-hang:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *peer) arbitration(standby bool) *p4v1.StreamMessageResponse {
	code := codes.OK
	if standby {
		code = codes.AlreadyExists
	}
	return &p4v1.StreamMessageResponse{Update: &p4v1.StreamMessageResponse_Arbitration{Arbitration: &p4v1.MasterArbitrationUpdate{
		DeviceId: 7, ElectionId: &p4v1.Uint128{High: 99}, Status: &status.Status{Code: int32(code)}}}}
}

// send puts a message on the live stream.
func (p *peer) send(t *testing.T, m *p4v1.StreamMessageResponse) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		t.Fatal("no stream")
	}
	if err := p.stream.Send(m); err != nil {
		t.Fatal(err)
	}
}

func (p *peer) StreamChannel(stream p4v1.P4Runtime_StreamChannelServer) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if m.GetArbitration() == nil {
			p.requests <- m
			continue
		}
		p.mu.Lock()
		p.stream = stream
		id := m.GetArbitration().GetElectionId()
		p.elected = append(p.elected, id.GetLow())
		answer := p.arbitration(p.standby)
		if id.GetLow() < p.highest {
			answer.GetArbitration().ElectionId = &p4v1.Uint128{High: id.GetHigh(), Low: p.highest}
			answer.GetArbitration().Status.Code = int32(codes.NotFound)
		}
		err = stream.Send(answer)
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (p *peer) Capabilities(ctx context.Context, _ *p4v1.CapabilitiesRequest) (*p4v1.CapabilitiesResponse, error) {
	return &p4v1.CapabilitiesResponse{P4RuntimeApiVersion: "1.4.0"}, p.wait(ctx)
}

func (p *peer) GetForwardingPipelineConfig(_ context.Context, r *p4v1.GetForwardingPipelineConfigRequest) (*p4v1.GetForwardingPipelineConfigResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.ResponseType != p4v1.GetForwardingPipelineConfigRequest_COOKIE_ONLY {
		return nil, grpcstatus.Error(codes.InvalidArgument, "the cookie alone is wanted")
	}
	if p.cookie == nil {
		return nil, grpcstatus.Error(codes.FailedPrecondition, "no pipeline")
	}
	return &p4v1.GetForwardingPipelineConfigResponse{Config: &p4v1.ForwardingPipelineConfig{Cookie: p.cookie}}, nil
}

func (p *peer) SetForwardingPipelineConfig(_ context.Context, r *p4v1.SetForwardingPipelineConfigRequest) (*p4v1.SetForwardingPipelineConfigResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pushes++
	p.cookie, p.entities = r.GetConfig().GetCookie(), nil
	return &p4v1.SetForwardingPipelineConfigResponse{}, nil
}

// key is the identity of an entity: all of it but its action and settings.
func key(e *p4v1.Entity) string {
	e = proto.Clone(e).(*p4v1.Entity)
	switch k := e.Entity.(type) {
	case *p4v1.Entity_TableEntry:
		k.TableEntry.Action = nil
	case *p4v1.Entity_DigestEntry:
		k.DigestEntry.Config = nil
	case *p4v1.Entity_PacketReplicationEngineEntry:
		k.PacketReplicationEngineEntry.GetMulticastGroupEntry().Replicas = nil
	}
	return e.String()
}

func (p *peer) Write(ctx context.Context, r *p4v1.WriteRequest) (*p4v1.WriteResponse, error) {
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	details, failed := []*p4v1.Error{}, false
	for _, u := range r.Updates {
		e := p.apply(u)
		failed = failed || e.CanonicalCode != 0
		details = append(details, e)
	}
	if !failed {
		return &p4v1.WriteResponse{}, nil
	}
	st := grpcstatus.New(codes.Unknown, "batch")
	for _, d := range details {
		st, _ = st.WithDetails(d)
	}
	return nil, st.Err()
}

func (p *peer) apply(u *p4v1.Update) *p4v1.Error {
	if p.refuse != nil {
		if e := p.refuse(u); e != nil {
			return e
		}
	}
	i := slices.IndexFunc(p.entities, func(e *p4v1.Entity) bool { return key(e) == key(u.Entity) })
	switch {
	case u.Type == p4v1.Update_INSERT && i >= 0:
		return &p4v1.Error{CanonicalCode: int32(codes.AlreadyExists)}
	case u.Type == p4v1.Update_INSERT:
		p.entities = append(p.entities, u.Entity)
	case i < 0:
		return &p4v1.Error{CanonicalCode: int32(codes.NotFound)}
	case u.Type == p4v1.Update_MODIFY:
		p.entities[i] = u.Entity
	default:
		p.entities = slices.Delete(p.entities, i, i+1)
	}
	return &p4v1.Error{}
}

func (p *peer) Read(r *p4v1.ReadRequest, stream p4v1.P4Runtime_ReadServer) error {
	if err := p.wait(stream.Context()); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, want := range r.Entities {
		// One message an entity, so that the reader has to join a stream.
		for _, e := range p.entities {
			if id := want.GetTableEntry().GetTableId(); id != 0 && e.GetTableEntry().GetTableId() == id {
				if err := stream.Send(&p4v1.ReadResponse{Entities: []*p4v1.Entity{e}}); err != nil {
					return err
				}
			}
		}
		c := want.GetCounterEntry()
		for i := range int64(4) {
			if c == nil || (c.Index != nil && c.Index.Index != i) {
				continue
			}
			e := &p4v1.CounterEntry{CounterId: c.CounterId, Index: &p4v1.Index{Index: i}, Data: p.counters[i]}
			if err := stream.Send(&p4v1.ReadResponse{Entities: []*p4v1.Entity{{Entity: &p4v1.Entity_CounterEntry{CounterEntry: e}}}}); err != nil {
				return err
			}
		}
	}
	return nil
}
