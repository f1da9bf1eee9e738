package p4rtserver_test

import (
	"testing"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func (b *bench) valueSet(name string, members ...[]*p4.FieldMatch) *p4.Entity {
	e := &p4.ValueSetEntry{ValueSetId: b.id(name)}
	for _, m := range members {
		e.Members = append(e.Members, &p4.ValueSetMember{Match: m})
	}
	return b.of(e)
}

func member(match ...*p4.FieldMatch) []*p4.FieldMatch { return match }

// labelled is a frame with a label behind its Ethernet header, if the parser sees one.
func labelled(src byte, etherType uint16, value byte) []byte {
	f := frame(5, src, etherType)
	f[15] = value
	return f
}

func TestValueSets(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	// mark is what the table of labels leaves in a frame, 0 if no label was parsed.
	mark := func(src byte, etherType uint16, value byte) byte {
		b.inject(1, labelled(src, etherType, value))
		return b.leaving().frame[16]
	}
	if m := mark(1, 0x88b5, 2); m != 0 {
		t.Errorf("an empty value set has a member: %d", m)
	}
	s.mustWrite(modify(b.valueSet("labelled", member(exact(1, 0x88, 0xb5)), member(exact(1, 0, 0x88, 0xb6)))))
	if m := mark(1, 0x88b5, 2); m != 22 {
		t.Errorf("a member: %d", m)
	}
	if m := mark(1, 0x88b6, 9); m != 0xff {
		t.Errorf("a member, and a label that is not in the table: %d", m)
	}
	s.mustWrite(
		modify(b.valueSet("labelled")),
		modify(b.valueSet("pairs", member(ternary(1, []byte{0x10}, []byte{0xf0}), exact(2, 0x88, 0xb5)), member(exact(2, 7)))),
	)
	for _, c := range []struct {
		src       byte
		etherType uint16
		want      byte
	}{{0x1f, 0x88b5, 11}, {0x2f, 0x88b5, 0}, {0x1f, 0x88b6, 0}, {0x77, 7, 11}} {
		if m := mark(c.src, c.etherType, 1); m != c.want {
			t.Errorf("source %#x, type %#x: %d, want %d", c.src, c.etherType, m, c.want)
		}
	}
	got := b.mustRead(b.of(&p4.ValueSetEntry{}))
	want := []*p4.Entity{b.valueSet("labelled"), b.valueSet("pairs", member(ternary(1, []byte{0x10}, []byte{0xf0}), exact(2, 0x88, 0xb5)), member(exact(2, 7)))}
	if len(got) != 2 || !proto.Equal(got[0], want[0]) || !proto.Equal(got[1], want[1]) {
		t.Errorf("read back: %v, want %v", got, want)
	}
	if got := b.mustRead(b.of(&p4.ValueSetEntry{ValueSetId: b.id("pairs")})); len(got) != 1 || !proto.Equal(got[0], want[1]) {
		t.Errorf("read back one: %v", got)
	}
}

func TestValueSetErrors(t *testing.T) {
	b := newBenchOf(t, "gateway")
	s := b.primary()
	for _, c := range []struct {
		name string
		u    *p4.Update
		want codes.Code
	}{
		{"insert", insert(b.valueSet("labelled")), codes.InvalidArgument},
		{"delete", deleteOf(b.valueSet("labelled")), codes.InvalidArgument},
		{"id 0", modify(b.of(&p4.ValueSetEntry{})), codes.InvalidArgument},
		{"unknown", modify(b.of(&p4.ValueSetEntry{ValueSetId: 1})), codes.NotFound},
		{"too many", modify(b.valueSet("pairs", member(exact(2, 1)), member(exact(2, 2)), member(exact(2, 3)))), codes.ResourceExhausted},
		{"twice", modify(b.valueSet("labelled", member(exact(1, 1)), member(exact(1, 0, 1)))), codes.AlreadyExists},
		{"exact part left out", modify(b.valueSet("pairs", member(ternary(1, []byte{1}, []byte{1})))), codes.InvalidArgument},
		{"unknown part", modify(b.valueSet("labelled", member(exact(2, 1)))), codes.InvalidArgument},
		{"part twice", modify(b.valueSet("labelled", member(exact(1, 1), exact(1, 2)))), codes.InvalidArgument},
		{"another kind", modify(b.valueSet("labelled", member(ternary(1, []byte{1}, []byte{1})))), codes.InvalidArgument},
		{"17 bits", modify(b.valueSet("labelled", member(exact(1, 1, 0, 0)))), codes.InvalidArgument},
	} {
		if got := s.code(c.u); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	_, _, err := b.read(b.valueSet("labelled", member(exact(1, 1))), b.of(&p4.ValueSetEntry{ValueSetId: 1}))
	for i, want := range []codes.Code{codes.InvalidArgument, codes.NotFound} {
		if d := details(t, err)[i]; codes.Code(d.GetCanonicalCode()) != want {
			t.Errorf("read %d: %v, want %s", i, d, want)
		}
	}
}
