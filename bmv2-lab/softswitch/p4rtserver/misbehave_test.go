package p4rtserver_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// Clients that do what they should not: the others are to notice nothing, and nothing is to be
// left of them; TestMain looks for their goroutines.

// works checks that a client is served: it becomes the primary, sets a pipeline, writes, reads,
// and a packet is forwarded. n is its election id and larger than all before.
func (b *bench) works(n uint64) {
	b.t.Helper()
	var s *session
	b.until("a client is admitted", func() bool { // those that have left may still count
		s = b.open()
		s.arbitrate(device, "", election(n))
		m, ok := <-s.updates
		s.sorted["arbitration"] = append(s.sorted["arbitration"], m)
		return ok
	})
	defer s.close()
	s.told(codes.OK, election(n))
	if err := s.set(atOnce, b.config); err != nil {
		b.t.Fatal(err)
	}
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
	if got := b.mustRead(tableEntity(&p4.TableEntry{TableId: b.id("dmac")})); len(got) != 1 {
		b.t.Errorf("read %v", got)
	}
	want := frame(1, 9, 0x800)
	b.inject(1, want)
	for timeout := time.After(patient); ; {
		select {
		case got := <-b.out: // what clients sent that have left meanwhile may come first
			if got.port == 2 && bytes.Equal(got.frame, want) {
				return
			}
		case <-timeout:
			b.t.Fatal("no frame passes")
		}
	}
}

func arbitration(role string, n uint64) *p4.StreamMessageRequest {
	return &p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: &p4.MasterArbitrationUpdate{
		DeviceId: device, ElectionId: election(n), Role: &p4.Role{Name: role}}}}
}

// rude does a few things at a time, many of which it should not, and leaves in the middle of
// them.
func (b *bench) rude(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := b.StreamChannel(ctx)
	if err != nil {
		b.t.Error(err)
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	left := time.AfterFunc(time.Duration(r.IntN(20_000))*time.Microsecond, cancel)
	defer left.Stop()
	for range 30 {
		if r.IntN(2) == 0 {
			if stream.Send(b.rudeMessage(r, 100+seed)) != nil && r.IntN(2) == 0 {
				return
			}
			continue
		}
		do := b.rudeRequest(ctx, r, 100+seed)
		wg.Go(do)
	}
}

// rudeMessage is a message for a stream.
func (b *bench) rudeMessage(r *rand.Rand, id uint64) *p4.StreamMessageRequest {
	mine := arbitration("", id)
	switch r.IntN(9) {
	case 0, 1, 2:
		return mine
	case 3: // 0, which others have as well, the largest, or none, in a role of its own
		mine = arbitration("rude", r.Uint64N(3))
		mine.GetArbitration().ElectionId.High = [2]uint64{0, 1<<64 - 1}[r.IntN(2)]
		if r.IntN(3) == 0 {
			mine.GetArbitration().ElectionId = nil
		}
		return mine
	case 4:
		mine.GetArbitration().DeviceId++
		return mine
	case 5:
		return &p4.StreamMessageRequest{}
	case 6:
		return &p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_DigestAck{DigestAck: &p4.DigestListAck{DigestId: r.Uint32()}}}
	}
	return packetOut(make([]byte, r.IntN(1<<(r.IntN(17)))), meta(1, byte(r.IntN(4))), meta(2, 0))
}

// rudeRequest is a request, of whose answer it takes one message at most.
func (b *bench) rudeRequest(ctx context.Context, r *rand.Rand, id uint64) func() {
	set := &p4.SetForwardingPipelineConfigRequest{DeviceId: device, ElectionId: election(id), Config: b.config,
		Action: p4.SetForwardingPipelineConfigRequest_Action(r.IntN(7))}
	if r.IntN(3) == 0 {
		n := r.IntN(len(b.config.GetP4DeviceConfig()))
		set.Config = &p4.ForwardingPipelineConfig{P4Info: b.config.GetP4Info(), P4DeviceConfig: b.config.GetP4DeviceConfig()[:n]}
	}
	write := &p4.WriteRequest{DeviceId: device, ElectionId: election(id), Atomicity: p4.WriteRequest_Atomicity(r.IntN(4))}
	for range r.IntN(8) {
		e := []*p4.Entity{
			tableEntity(with(b.dmac(byte(r.IntN(9)), b.act("forward", []byte{2})), func(e *p4.TableEntry) { e.Metadata = make([]byte, r.IntN(1<<16)) })),
			group(uint32(r.IntN(3)), replica(0, byte(r.IntN(3)))), clone(uint32(r.IntN(3)), 0), {},
			digestEntity(b.id("learn_t"), &p4.DigestEntry_Config{MaxListSize: 1}), registerEntity(b.id("frames"), nil, []byte{1}),
		}[r.IntN(6)]
		write.Updates = append(write.Updates, &p4.Update{Type: p4.Update_Type(r.IntN(5)), Entity: e})
	}
	return [4]func(){
		func() { _, _ = b.SetForwardingPipelineConfig(ctx, set) },
		func() { _, _ = b.Write(ctx, write) },
		func() {
			if r, err := b.Read(ctx, &p4.ReadRequest{DeviceId: device, Entities: []*p4.Entity{tableEntity(&p4.TableEntry{}), counterEntity(0, nil, nil), {}}}); err == nil {
				_, _ = r.Recv()
			}
		},
		func() {
			_, _ = b.GetForwardingPipelineConfig(ctx, &p4.GetForwardingPipelineConfigRequest{DeviceId: device, ResponseType: 1})
		},
	}[r.IntN(4)]
}

func TestClientsThatLeaveInTheMiddle(t *testing.T) {
	b := newBench(t)
	b.works(50)
	for round := range uint64(2) {
		var wg sync.WaitGroup
		for i := range uint64(40) {
			wg.Go(func() { b.rude(100*round + i) })
		}
		wg.Wait()
		for range len(b.out) {
			<-b.out
		}
	}
	// As many sessions as a role can have are possible again.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	backup := &p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{Arbitration: &p4.MasterArbitrationUpdate{DeviceId: device}}}
	for i := range 63 {
		b.until(fmt.Sprint("session ", i, " is admitted"), func() bool {
			s, err := b.StreamChannel(ctx)
			if err != nil || s.Send(backup) != nil {
				return false
			}
			_, err = s.Recv()
			return err == nil
		})
	}
	b.works(1000)
}

// noise is a codec that sends what it is told to, whatever message that is.
type noise struct{ b []byte }

func (n noise) Marshal(any) ([]byte, error) { return n.b, nil }
func (n noise) Unmarshal([]byte, any) error { return nil }
func (n noise) Name() string                { return "proto" }

// call sends the noise as a request.
func (n noise) call(b *bench, method string) error {
	return b.conn.Invoke(b.ctx(), method, n, n, grpc.ForceCodec(n))
}

func TestGarbage(t *testing.T) {
	b := newBench(t)
	b.works(50)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		n := noise{make([]byte, r.IntN(100)+1)}
		for i := range n.b {
			n.b[i] = byte(r.UintN(256))
		}
		n.b[0] = 0xff // of no message
		for _, method := range []string{p4.P4Runtime_Write_FullMethodName, p4.P4Runtime_SetForwardingPipelineConfig_FullMethodName, p4.P4Runtime_Capabilities_FullMethodName} {
			if err := n.call(b, method); status.Code(err) != codes.Internal {
				t.Errorf("%s took %x: %v", method, n.b, err)
			}
		}
		ctx, cancel := context.WithCancel(b.ctx())
		stream, err := b.StreamChannel(ctx, grpc.ForceCodec(n))
		if err == nil && stream.Send(&p4.StreamMessageRequest{}) == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Internal {
			t.Errorf("the stream took %x: %v", n.b, err)
		}
		cancel()
		if i%20 == 0 {
			c, err := net.Dial("tcp", b.conn.Target())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n%s", n.b)
			c.Close()
		}
	}
	b.works(60)
}

// A client that floods the server and takes no answers loses its stream, or what it was to be
// sent, and nobody else loses anything.
func TestFloods(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := frame(1, 2, 0x800)
	huge := packetOut(make([]byte, 1<<20), meta(1, 1), meta(2, 0))
	for name, flood := range map[string]func(p4.P4Runtime_StreamChannelClient, int) error{
		"arbitrations": func(c p4.P4Runtime_StreamChannelClient, i int) error {
			if err := c.Send(arbitration("flood", 1)); err == nil || i < 1000 {
				return err
			}
			for { // it has lost its stream, and what was sent before can still be read
				if _, err := c.Recv(); err != nil {
					if status.Code(err) != codes.ResourceExhausted {
						t.Errorf("the stream of a client that reads nothing ended with %v", err)
					}
					return err
				}
			}
		},
		"bad packets": func(c p4.P4Runtime_StreamChannelClient, i int) error { return c.Send(packetOut(f)) },
		"long packets": func(c p4.P4Runtime_StreamChannelClient, i int) error {
			if i >= 50 {
				return context.Canceled
			}
			return c.Send(huge)
		},
		"other things": func(c p4.P4Runtime_StreamChannelClient, i int) error {
			return c.Send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Other{Other: &anypb.Any{Value: f}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := b.StreamChannel(ctx)
			if err != nil {
				t.Fatal(err)
			}
			sent, most := 0, 10_000
			if name == "arbitrations" {
				most = 50_000 // it ends long before
			}
			for sent < most && flood(c, sent) == nil {
				sent++
			}
			if sent == 50_000 {
				t.Error("a client that reads nothing keeps its stream")
			}
			s.mustWrite(insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))))
			b.inject(1, f)
			b.leaves(2, f)
			s.mustWrite(deleteOf(tableEntity(b.dmac(1, nil))))
		})
	}
	var reads []p4.P4Runtime_ReadClient
	for i := range byte(8) {
		s.mustWrite(insert(tableEntity(with(b.dmac(i, b.act("forward", []byte{1})), func(e *p4.TableEntry) { e.Metadata = bytes.Repeat([]byte{i}, 1<<18) }))))
	}
	for range 40 {
		r, err := b.Read(ctx, &p4.ReadRequest{DeviceId: device, Entities: []*p4.Entity{tableEntity(&p4.TableEntry{})}})
		if err != nil {
			t.Fatal(err)
		}
		reads = append(reads, r)
	}
	s.mustWrite(deleteOf(tableEntity(b.dmac(7, nil))))
	if _, err := reads[0].Recv(); err != nil {
		t.Error(err)
	}
}

// A packet-out that no link could take is refused, and its error does not give it back.
func TestLongPacketOut(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.send(packetOut(make([]byte, 1<<16), meta(1, 1), meta(2, 0)))
	e := s.next("error").GetError()
	if codes.Code(e.GetCanonicalCode()) != codes.InvalidArgument || e.GetPacketOut() == nil || e.GetPacketOut().GetPacketOut() != nil {
		t.Errorf("%v", e)
	}
}

// Requests of one client wait for each other's locks for as long as each takes, and no longer.
func TestManyClientsAtOnce(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	roles := make([]*session, 8)
	for i := range roles {
		roles[i] = b.open()
		roles[i].arbitrate(device, fmt.Sprint("role ", i), election(1))
		roles[i].told(codes.OK, election(1))
	}
	var wg sync.WaitGroup
	for i, r := range roles {
		wg.Go(func() {
			for range 50 {
				e := tableEntity(b.dmac(byte(i), b.act("forward", []byte{byte(i)})))
				for _, u := range []*p4.Update{insert(e), modify(e), deleteOf(e)} {
					if err := r.write(u); err != nil {
						t.Errorf("role %d: %v", i, err)
					}
				}
				if _, err := b.GetForwardingPipelineConfig(b.ctx(), &p4.GetForwardingPipelineConfigRequest{DeviceId: device}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 20 {
		if err := s.set(reconcile, b.config); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}
