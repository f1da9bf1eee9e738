package p4rtserver_test

import (
	"bytes"
	"testing"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func packetOut(payload []byte, metadata ...*p4.PacketMetadata) *p4.StreamMessageRequest {
	return &p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Packet{Packet: &p4.PacketOut{Payload: payload, Metadata: metadata}}}
}

func meta(id uint32, value ...byte) *p4.PacketMetadata {
	return &p4.PacketMetadata{MetadataId: id, Value: value}
}

func TestPacketIO(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	backup := b.open()
	backup.arbitrate(device, "", election(0))
	backup.told(codes.AlreadyExists, election(1))

	f := frame(1, 2, 0x800)
	s.send(packetOut(f, meta(1, 3), meta(2, 0x7f)))
	b.leaves(3, f)
	s.send(packetOut(f, meta(2, 0), meta(1, 0, 0, 2))) // any order, any length
	b.leaves(2, f)

	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("punt", []byte{0x55})))))
	b.inject(2, f)
	in := s.next("packet").GetPacket()
	want := []*p4.PacketMetadata{meta(1, 2), meta(2, 0x55)}
	if !bytes.Equal(in.GetPayload(), f) || len(in.GetMetadata()) != 2 ||
		!proto.Equal(in.GetMetadata()[0], want[0]) || !proto.Equal(in.GetMetadata()[1], want[1]) {
		t.Errorf("packet-in %v", in)
	}
	if len(backup.updates) != 0 {
		t.Errorf("the backup got %v", <-backup.updates)
	}
}

func TestStreamErrors(t *testing.T) {
	b := newBench(t)
	s := b.open()
	f := frame(1, 2, 0x800)
	ok := []*p4.PacketMetadata{meta(1, 3), meta(2, 1)}
	expect := func(s *session, what string, want codes.Code) *p4.StreamError {
		t.Helper()
		e := s.next("error").GetError()
		if codes.Code(e.GetCanonicalCode()) != want {
			t.Errorf("%s: %v, want %s", what, e, want)
		}
		return e
	}
	s.send(packetOut(f, ok...))
	expect(s, "before arbitration", codes.PermissionDenied)
	s.arbitrate(device, "", election(1))
	s.told(codes.OK, election(1))
	s.send(packetOut(f, ok...))
	expect(s, "without a pipeline", codes.FailedPrecondition)
	if err := s.set(atOnce, b.config); err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]*p4.StreamMessageRequest{
		"missing":  packetOut(f, meta(1, 3)),
		"unknown":  packetOut(f, meta(1, 3), meta(2, 1), meta(7, 1)),
		"twice":    packetOut(f, meta(1, 3), meta(1, 3)),
		"too wide": packetOut(f, meta(1, 2, 0), meta(2, 1)),
		"empty":    packetOut(f, meta(1), meta(2, 1)),
	} {
		s.send(m)
		e := expect(s, what, codes.InvalidArgument)
		if !proto.Equal(e.GetPacketOut().GetPacketOut(), m.GetPacket()) {
			t.Errorf("%s: the error does not say which packet", what)
		}
	}
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_DigestAck{DigestAck: &p4.DigestListAck{DigestId: 1}}})
	if e := expect(s, "unknown digest", codes.InvalidArgument); e.GetDigestListAck().GetDigestListAck().GetDigestId() != 1 {
		t.Errorf("%v", e)
	}
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Other{Other: &anypb.Any{}}})
	if e := expect(s, "other", codes.Unimplemented); e.GetOther() == nil {
		t.Errorf("%v", e)
	}
	s.send(&p4.StreamMessageRequest{}) // or a kind of a later version
	if e := expect(s, "no content", codes.InvalidArgument); e.GetOther() == nil {
		t.Errorf("%v", e)
	}
	s.send(packetOut(f, ok...)) // and the stream still works
	b.leaves(3, f)
}

func TestDigests(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	learn := b.id("learn_t")
	s.mustWrite(insert(digestEntity(learn, &p4.DigestEntry_Config{MaxListSize: 2, MaxTimeoutNs: int64(time.Hour), AckTimeoutNs: int64(time.Hour)})))
	raise := func(srcs ...byte) {
		for _, src := range srcs {
			b.inject(2, frame(1, src, 0x88b5))
		}
	}
	got := func(id uint64, want ...byte) {
		t.Helper()
		l := s.next("digest").GetDigest()
		if l.GetDigestId() != learn || l.GetListId() != id || len(l.GetData()) != len(want) {
			t.Fatalf("digest list %v, want id %d with %x", l, id, want)
		}
		for i, d := range l.GetData() {
			m := d.GetStruct().GetMembers()
			if len(m) != 2 || !bytes.Equal(m[0].GetBitstring(), want[i:i+1]) || !bytes.Equal(m[1].GetBitstring(), []byte{2}) {
				t.Errorf("digest %v, want %x of port 2", d, want[i])
			}
		}
	}
	raise(1, 1, 2)
	got(1, 1, 2)
	raise(1, 2, 3, 1, 4)
	got(2, 3, 4)
	s.send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_DigestAck{DigestAck: &p4.DigestListAck{DigestId: learn, ListId: 1}}})
	s.send(packetOut(frame(9, 9, 9), meta(1, 3), meta(2, 0))) // arrives behind the acknowledgement
	b.leaves(3, frame(9, 9, 9))
	raise(3, 1, 4, 2)
	got(3, 1, 2)
	s.mustWrite(modify(digestEntity(learn, &p4.DigestEntry_Config{MaxListSize: 1})))
	raise(7)
	got(4, 7)
}

func TestReplication(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(
		insert(group(1, replica(1, 1), replica(2, 2), replica(3, 3))),
		insert(clone(5, 20, replica(1, 3))),
		insert(tableEntity(b.dmac(0xff, b.act("flood", []byte{1})))),
		insert(tableEntity(b.dmac(1, b.act("forward", []byte{2})))),
		insert(tableEntity(b.acl(1, b.act("mirror"), ternary(1, []byte{42}, []byte{0xff})))),
	)
	f := frame(0xff, 9, 0x800)
	b.inject(1, f)
	ports := map[uint32]int{}
	for range 3 {
		select {
		case got := <-b.out:
			ports[got.port]++
			if !bytes.Equal(got.frame, f) {
				t.Errorf("port %d sent %x", got.port, got.frame)
			}
		case <-time.After(patient):
			t.Fatalf("copies left at %v only", ports)
		}
	}
	if ports[1] != 1 || ports[2] != 1 || ports[3] != 1 {
		t.Errorf("copies left at %v", ports)
	}
	s.mustWrite(modify(group(1, replica(0, 2))))
	b.inject(1, f)
	b.leaves(2, f)
	s.mustWrite(deleteOf(group(1)))
	b.inject(1, f)

	f = frame(1, 42, 0x800)
	b.inject(1, f)
	seen := map[uint32]int{}
	for range 2 {
		select {
		case got := <-b.out:
			seen[got.port] = len(got.frame)
		case <-time.After(patient):
			t.Fatalf("frames left at %v only", seen)
		}
	}
	if seen[2] != 60 || seen[3] != 20 {
		t.Errorf("the frame and its truncated clone: %v", seen)
	}
}

// A client that reads nothing loses what does not fit its queue and holds up nobody.
func TestClientThatDoesNotRead(t *testing.T) {
	b := newBench(t)
	s := b.primary()
	s.mustWrite(insert(tableEntity(b.dmac(1, b.act("punt", []byte{1})))), insert(tableEntity(b.dmac(2, b.act("forward", []byte{2})))))
	lazy, err := b.StreamChannel(b.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if err := lazy.Send(&p4.StreamMessageRequest{Update: &p4.StreamMessageRequest_Arbitration{
		Arbitration: &p4.MasterArbitrationUpdate{DeviceId: device, ElectionId: election(9)}}}); err != nil {
		t.Fatal(err)
	}
	s.told(codes.AlreadyExists, election(9))
	f := frame(1, 9, 0x800)
	for i := 0; i < 20000; {
		if b.sw.Inject(1, f) == nil {
			i++
		} else {
			time.Sleep(time.Millisecond)
		}
	}
	b.until("forwarding goes on", func() bool { return b.sw.Inject(1, frame(2, 9, 0x800)) == nil })
	b.leaves(2, frame(2, 9, 0x800))
	next := b.open()
	next.arbitrate(device, "", election(10))
	next.told(codes.OK, election(10))
	if err := next.write(deleteOf(tableEntity(b.dmac(1, nil)))); err != nil {
		t.Error(err)
	}
}
