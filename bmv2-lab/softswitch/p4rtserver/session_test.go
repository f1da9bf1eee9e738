package p4rtserver_test

import (
	"context"
	"io"
	"testing"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

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
