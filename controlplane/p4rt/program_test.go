package p4rt

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/protobuf/encoding/prototext"
)

// testInfo is the P4Info of a small program with one of everything that this package knows.
const testInfo = `
tables { preamble { id: 0x02000001 name: "C.route" }
  match_fields { id: 1 name: "dst" bitwidth: 32 match_type: LPM }
  action_refs { id: 0x01000001 } action_refs { id: 0x01000002 } }
tables { preamble { id: 0x02000002 name: "C.hop" }
  match_fields { id: 1 name: "id" bitwidth: 16 match_type: EXACT }
  action_refs { id: 0x01000002 } }
tables { preamble { id: 0x02000003 name: "C.acl" }
  match_fields { id: 1 name: "src" bitwidth: 32 match_type: TERNARY }
  match_fields { id: 2 name: "port" bitwidth: 16 match_type: RANGE }
  match_fields { id: 3 name: "proto" bitwidth: 8 match_type: OPTIONAL }
  action_refs { id: 0x01000001 } }
actions { preamble { id: 0x01000001 name: "C.drop" } }
actions { preamble { id: 0x01000002 name: "C.send" }
  params { id: 1 name: "port" bitwidth: 9 } params { id: 2 name: "mac" bitwidth: 48 } }
counters { preamble { id: 0x12000001 name: "C.rx" } spec { unit: BOTH } size: 4 }
digests { preamble { id: 0x17000001 name: "news_t" } type_spec { struct { name: "news_t" } } }
type_info { structs { key: "news_t" value {
  members { name: "what" type_spec { bitstring { bit { bitwidth: 8 } } } }
  members { name: "who" type_spec { bitstring { bit { bitwidth: 128 } } } }
  members { name: "sure" type_spec { bool {} } } } } }
controller_packet_metadata { preamble { id: 0x04000001 name: "packet_in" }
  metadata { id: 1 name: "reason" bitwidth: 8 } metadata { id: 2 name: "port" bitwidth: 16 } }
controller_packet_metadata { preamble { id: 0x04000002 name: "packet_out" }
  metadata { id: 1 name: "op" bitwidth: 8 } metadata { id: 2 name: "port" bitwidth: 16 } }
`

func testProgram(t testing.TB) *Program {
	t.Helper()
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal([]byte(testInfo), info); err != nil {
		t.Fatal(err)
	}
	p, err := NewProgram(info, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestValueIsCanonical(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
		text string
		bits int
	}{
		{Uint(0), "\x00", "0x0", 0},
		{Uint(255), "\xff", "0xff", 8},
		{Uint(256), "\x01\x00", "0x100", 9},
		{Bytes([]byte{0, 0, 7}), "\x07", "0x7", 3},
		{Bytes(nil), "\x00", "0x0", 0},
		{Addr(netip.MustParseAddr("0.1.2.3")), "\x01\x02\x03", "0x10203", 17},
	} {
		if string(c.v) != c.want || c.v.String() != c.text || c.v.Bits() != c.bits {
			t.Errorf("got % x %s %d bits, want % x %s %d bits", string(c.v), c.v, c.v.Bits(), c.want, c.text, c.bits)
		}
	}
	if a := Addr(netip.MustParseAddr("2001:db8::1")).Addr16(); a.String() != "2001:db8::1" {
		t.Error(a)
	}
	if a := Addr(netip.MustParseAddr("::ffff:10.0.0.1")).Addr16(); a.String() != "10.0.0.1" {
		t.Error(a)
	}
	if a := Uint(0x0a000001).Addr4(); a.String() != "10.0.0.1" {
		t.Error(a)
	}
	if n := Bytes([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}).Uint64(); n != 0x0203040506070809 {
		t.Errorf("%#x", n)
	}
	if v := Uint(0x1ff).truncate(3, 9); v != Uint(0x1c0) {
		t.Error(v)
	}
}

func TestEntriesSurviveTheRoundTrip(t *testing.T) {
	p := testProgram(t)
	entries := []Entry{
		{Table: "C.route", Match: []Match{Prefix("dst", netip.MustParsePrefix("10.1.2.3/16"))}, Action: "C.drop"},
		{Table: "C.route", Action: "C.drop"},
		{Table: "C.hop", Match: []Match{Exact("id", Uint(7))}, Action: "C.send",
			Params: []Param{{"port", Uint(3)}, {"mac", Uint(0x02fab5000001)}}},
		{Table: "C.acl", Priority: 10, Action: "C.drop", Match: []Match{
			Ternary("src", Uint(0x0a000000), Uint(0xff000000)), Range("port", Uint(1), Uint(1023)), Optional("proto", Uint(6))}},
	}
	for _, e := range entries {
		enc, err := p.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		back, err := p.Decode(enc)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, back); diff != "" {
			t.Error(diff)
		}
		if e.Key() != back.Key() || !e.sameAction(back) {
			t.Errorf("%s is not itself after the round trip: %s", e, back)
		}
	}
}

func TestEncodeNamesTheMistake(t *testing.T) {
	p := testProgram(t)
	hop := func(params ...Param) Entry {
		return Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(1))}, Action: "C.send", Params: params}
	}
	for _, c := range []struct {
		entry Entry
		want  string
	}{
		{Entry{Table: "C.none"}, "table C.none"},
		{Entry{Table: "C.hop", Action: "C.send"}, "exact field id is missing"},
		{Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(1)), Exact("x", Uint(1))}}, "field x of C.hop"},
		{Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(1))}, Action: "C.drop"}, "action C.drop"},
		{Entry{Table: "C.hop", Match: []Match{LPM("id", Uint(1), 16)}}, "match kind"},
		{hop(Param{"port", Uint(3)}), "parameter mac is missing"},
		{hop(Param{"port", Uint(512)}, Param{"mac", Uint(0)}), "port: 0x200 does not fit into 9 bits"},
		{hop(Param{"port", Uint(1)}, Param{"mac", Uint(0)}, Param{"y", Uint(0)}), "field y of C.send"},
		{Entry{Table: "C.route", Match: []Match{LPM("dst", Uint(1), 31)}}, "bits set after the prefix"},
		{Entry{Table: "C.route", Match: []Match{LPM("dst", Uint(1), 33)}}, "prefix length 33"},
		{Entry{Table: "C.route", Priority: 1}, "priority"},
		{Entry{Table: "C.acl"}, "priority"},
	} {
		_, err := p.Encode(c.entry)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.entry, err, c.want)
		}
	}
	if _, err := p.Encode(Entry{Table: "C.none"}); !errors.Is(err, ErrUnknownName) {
		t.Error(err)
	}
}

func TestDiffWritesOnlyWhatDiffersInOrderOfDependence(t *testing.T) {
	hop := func(id, port uint64) Entry {
		return Entry{Table: "C.hop", Match: []Match{Exact("id", Uint(id))}, Action: "C.send",
			Params: []Param{{"port", Uint(port)}, {"mac", Uint(1)}}}
	}
	route := func(prefix, action string) Entry {
		return Entry{Table: "C.route", Match: []Match{Prefix("dst", netip.MustParsePrefix(prefix))}, Action: action}
	}
	have := []Entry{hop(1, 1), hop(2, 2), hop(3, 3), route("10.0.0.0/8", "C.drop"), route("10.1.0.0/16", "C.drop"),
		{Table: "C.acl", Priority: 1}}
	want := []Entry{route("10.2.0.0/16", "C.drop"), route("10.0.0.0/8", "C.drop"), hop(4, 4), hop(2, 9), hop(1, 1)}
	var got []string
	for _, u := range Diff([]string{"C.hop", "C.route"}, have, want) {
		got = append(got, map[Op]string{Insert: "+", Modify: "~", Delete: "-"}[u.Op]+u.Entry.String())
	}
	if diff := cmp.Diff([]string{
		"~C.hop[id=0x2] C.send(port=0x9 mac=0x1)",
		"+C.hop[id=0x4] C.send(port=0x4 mac=0x1)",
		"+C.route[dst=0xa020000/16] C.drop()",
		"-C.route[dst=0xa010000/16] ()",
		"-C.hop[id=0x3] ()",
	}, got); diff != "" {
		t.Error(diff)
	}
	// The same entry with its fields in another order, or without a field that matches all.
	same := hop(1, 1)
	same.Params[0], same.Params[1] = same.Params[1], same.Params[0]
	if u := Diff([]string{"C.hop"}, []Entry{hop(1, 1)}, []Entry{same}); len(u) != 0 {
		t.Error(u)
	}
	if u := Diff([]string{"C.route"}, []Entry{{Table: "C.route", Action: "C.drop"}}, []Entry{route("0.0.0.0/0", "C.drop")}); len(u) != 0 {
		t.Error(u)
	}
}

func TestCookieFollowsTheProgram(t *testing.T) {
	a, b := testProgram(t), testProgram(t)
	if a.Cookie() != b.Cookie() || a.Cookie() == 0 {
		t.Error("equal programs must have equal cookies, and not 0")
	}
	c, err := NewProgram(a.info, []byte("{ }"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Cookie() == a.Cookie() {
		t.Error("another device configuration must have another cookie")
	}
}
