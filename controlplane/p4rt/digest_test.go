package p4rt

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// randomData is a member, or something else that a message may have in its place.
func randomData(r *rand.Rand) *p4v1.P4Data {
	b := make([]byte, r.IntN(20))
	for i := range b {
		b[i] = byte(r.IntN(3)) // zeros often
	}
	switch r.IntN(8) {
	case 0:
		return &p4v1.P4Data{Data: &p4v1.P4Data_Bool{Bool: r.IntN(2) == 1}}
	case 1:
		return &p4v1.P4Data{Data: &p4v1.P4Data_EnumValue{EnumValue: b}}
	case 2:
		return &p4v1.P4Data{Data: &p4v1.P4Data_Varbit{Varbit: &p4v1.P4Varbit{Bitstring: b}}}
	case 3:
		return &p4v1.P4Data{}
	}
	return &p4v1.P4Data{Data: &p4v1.P4Data_Bitstring{Bitstring: b}}
}

// expected is what the generated code makes of a member.
func expected(d *p4v1.P4Data) Value {
	switch v := d.GetData().(type) {
	case *p4v1.P4Data_Bitstring:
		return Bytes(v.Bitstring)
	case *p4v1.P4Data_EnumValue:
		return Bytes(v.EnumValue)
	case *p4v1.P4Data_Bool:
		if v.Bool {
			return Uint(1)
		}
	}
	return Uint(0)
}

// Whatever members a list has, they are decoded as the generated code decodes them.
func TestDigestsAreThoseOfTheGeneratedCode(t *testing.T) {
	p := testProgram(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		list := &p4v1.DigestList{DigestId: 0x17000001, ListId: r.Uint64(), Timestamp: r.Int64()}
		var want [][]Value
		for range r.IntN(6) {
			var values []Value
			s := &p4v1.P4StructLike{}
			for range 2 + r.IntN(3) {
				d := randomData(r)
				s.Members = append(s.Members, d)
				values = append(values, expected(d))
			}
			if len(values) == 3 {
				want = append(want, values)
			}
			list.Data = append(list.Data, &p4v1.P4Data{Data: &p4v1.P4Data_Struct{Struct: s}})
		}
		wire, err := proto.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.DecodeDigests(wire, time.Now())
		if err != nil {
			t.Fatalf("%v: %v", list, err)
		}
		if !slices.EqualFunc(got.Digests, want, slices.Equal[[]Value]) || got.Broken != len(list.Data)-len(want) ||
			got.ListID != list.ListId || got.Sent.UnixNano() != list.Timestamp {
			t.Fatalf("%v: got %+v, want %v", list, got, want)
		}
	}
}

// A list that comes in two parts is one (Protocol Buffers, "Last One Wins").
func TestListsInPartsAreOne(t *testing.T) {
	whole, err := proto.Marshal(digestMessage(42, "::ffff:10.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := proto.Marshal(&p4v1.DigestList{Data: digestMessage(1, "::1").GetDigest().Data})
	if err != nil {
		t.Fatal(err)
	}
	m := incoming{program: testProgram(t)}
	if err := m.unmarshal(protowire.AppendBytes(protowire.AppendTag(whole, fieldResponseDigest, protowire.BytesType), more)); err != nil {
		t.Fatal(err)
	}
	if m.digests == nil || m.digests.ListID != 42 || len(m.digests.Digests) != 2 || m.digests.Broken != 2 {
		t.Errorf("got %+v", m.digests)
	}
}

func FuzzStreamMessages(f *testing.F) {
	for _, m := range []*p4v1.StreamMessageResponse{digestMessage(42, "::ffff:10.0.0.1"), packetMessage(2, 9, "frame")} {
		wire, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
		f.Add(wire[:len(wire)-1])
	}
	p := testProgram(f)
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := incoming{program: p}
		if m.unmarshal(wire) == nil && m.digests == nil && m.other == nil {
			t.Error("nothing was decoded")
		}
	})
}
