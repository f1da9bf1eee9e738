package p4rtserver_test

import (
	"strings"
	"testing"

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
