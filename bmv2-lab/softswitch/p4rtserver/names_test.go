package p4rtserver_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// Values that are strings to the controller are numbers to the packets.
func TestNames(t *testing.T) {
	b := newBenchOf(t, "names")
	s := b.primary()
	port := func(name, vrf string) *p4.TableEntry {
		return &p4.TableEntry{TableId: b.id("ports"), Match: []*p4.FieldMatch{exact(1, []byte(name)...)}, Action: b.act("put_in", []byte(vrf))}
	}
	route := func(dst byte, vrf, port string) *p4.TableEntry {
		return &p4.TableEntry{TableId: b.id("routes"), Priority: 1,
			Match:  []*p4.FieldMatch{optional(1, []byte(vrf)...), exact(2, dst)},
			Action: b.act("forward", []byte(port))}
	}
	written := []*p4.Entity{
		tableEntity(port("1", "blue")), tableEntity(port("2", "red")),
		tableEntity(route(5, "red", "3")), tableEntity(route(5, "blue", "2")),
	}
	for _, e := range written {
		s.mustWrite(insert(e))
	}
	s.mustWrite(insert(digestEntity(b.id("seen_t"), &p4.DigestEntry_Config{MaxListSize: 1})))
	check := func() {
		t.Helper()
		f := frame(5, 9, 0x800)
		for in, want := range map[uint32]struct {
			port uint32
			vrf  string
		}{1: {2, "blue"}, 2: {3, "red"}, 3: {0, "0"}} { // port 3 is in no VRF
			b.inject(in, f)
			if want.port != 0 {
				b.leaves(want.port, f)
			}
			m := s.next("digest").GetDigest().GetData()[0].GetStruct().GetMembers()
			if got := string(m[0].GetBitstring()); got != want.vrf {
				t.Errorf("digest of VRF %q, want %q", got, want.vrf)
			}
		}
	}
	check()
	got := b.mustRead(tableEntity(&p4.TableEntry{}))
	if len(got) != len(written) {
		t.Fatalf("%v", got)
	}
	for _, want := range written {
		found := false
		for _, e := range got {
			found = found || proto.Equal(e, want)
		}
		if !found {
			t.Errorf("not read back: %v", want)
		}
	}
	for _, c := range []struct {
		name string
		e    *p4.TableEntry
		want codes.Code
	}{
		{"empty", port("", "blue"), codes.InvalidArgument},
		{"very long", port(strings.Repeat("x", 2000), "blue"), codes.InvalidArgument},
		{"a number that stands for something else", port("4", "1"), codes.InvalidArgument},
		{"the third of three", port("4", "green"), codes.OK},
		{"the fourth of three", port("5", "black"), codes.ResourceExhausted},
		{"known ones", port("6", "green"), codes.OK},
	} {
		if got := s.code(insert(tableEntity(c.e))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if err := s.set(reconcile, b.wrong(func(c *p4.ForwardingPipelineConfig) { c.P4DeviceConfig = append(c.P4DeviceConfig, '\n') })); err != nil {
		t.Fatal(err)
	}
	check()
}

// The digest of a tuple has another name in the P4Info than in the program.
func TestDigestOfATuple(t *testing.T) {
	b := newBenchOf(t, "names")
	s := b.primary()
	id := b.id("digest_0")
	s.mustWrite(insert(digestEntity(id, &p4.DigestEntry_Config{MaxListSize: 1})))
	b.inject(2, frame(5, 9, 0x88b5))
	l := s.next("digest").GetDigest()
	m := l.GetData()[0].GetTuple().GetMembers()
	if l.GetDigestId() != id || len(m) != 2 || string(m[0].GetBitstring()) != "\x05" || string(m[1].GetBitstring()) != "\x02" {
		t.Errorf("%v", l)
	}
}

// They are strings in the headers of packets too, and agree with those of entries.
func TestNamesInPackets(t *testing.T) {
	b := newBenchOf(t, "names")
	s := b.primary()
	s.mustWrite(insert(tableEntity(&p4.TableEntry{TableId: b.id("ports"), Match: []*p4.FieldMatch{exact(1, []byte("1")...)},
		Action: b.act("put_in", []byte("blue"))})))
	f := frame(5, 9, 0x88b6)
	for in, vrf := range map[uint32]string{1: "blue", 2: "0"} {
		b.inject(in, f)
		got := s.next("packet").GetPacket()
		want := []string{vrf, "\x15", fmt.Sprint(in)}
		for i, m := range got.GetMetadata() {
			if m.GetMetadataId() != uint32(i+1) || string(m.GetValue()) != want[i] {
				t.Errorf("packet-in of port %d: %v, want %q", in, got.GetMetadata(), want)
			}
		}
		if len(got.GetMetadata()) != 3 || !bytes.Equal(got.GetPayload(), f) {
			t.Errorf("packet-in %v", got)
		}
	}
	s.send(packetOut(f, meta(1, []byte("3")...), meta(2, 0)))
	b.leaves(3, f)
	for name, value := range map[string]string{"no string": "", "a long one": strings.Repeat("x", 1025)} {
		s.send(packetOut(f, meta(1, []byte(value)...), meta(2, 0)))
		if e := s.next("error").GetError(); codes.Code(e.GetCanonicalCode()) != codes.InvalidArgument || e.GetPacketOut() == nil {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// A controller header whose fields have other widths in the program than the P4Info says is the
// program's in packets.
func TestTranslatedWidthsInPackets(t *testing.T) {
	b := newBenchOf(t, "names")
	for _, n := range []string{"port_name_t", "vrf_t"} {
		b.info.TypeInfo.NewTypes[n].GetTranslatedType().SdnType = &p4config.P4NewTypeTranslation_SdnBitwidth{SdnBitwidth: 32}
	}
	for _, h := range b.info.GetControllerPacketMetadata() {
		for _, m := range h.GetMetadata() {
			if m.GetTypeName() != nil {
				m.Bitwidth = 32
			}
		}
	}
	for _, x := range b.info.GetTables() {
		for _, m := range x.GetMatchFields() {
			if m.GetTypeName() != nil {
				m.Bitwidth = 32
			}
		}
	}
	for _, a := range b.info.GetActions() {
		for _, p := range a.GetParams() {
			p.Bitwidth = 32
		}
	}
	s := b.primary()
	f := frame(5, 9, 0x88b6)
	s.send(packetOut(f, meta(1, 0, 0, 0, 3), meta(2, 0)))
	b.leaves(3, f)
	b.inject(2, f)
	if m := s.next("packet").GetPacket().GetMetadata(); len(m) != 3 || !bytes.Equal(m[2].GetValue(), []byte{2}) {
		t.Errorf("packet-in %v", m)
	}
	s.send(packetOut(f, meta(1, 2, 0), meta(2, 0)))
	if e := s.next("error").GetError(); codes.Code(e.GetCanonicalCode()) != codes.InvalidArgument {
		t.Errorf("a port that the program has no bits for: %v", e)
	}
}
