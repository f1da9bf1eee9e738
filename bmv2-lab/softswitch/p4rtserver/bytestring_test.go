package p4rtserver

import (
	"bytes"
	"testing"
)

// The examples of the specification, section 8.4.
func TestByteStrings(t *testing.T) {
	for _, c := range []struct {
		in     string
		width  int
		signed bool
		out    string // canonical; empty: refused
	}{
		{"\x63", 8, false, "\x63"},
		{"\x00\x63", 16, false, "\x63"},
		{"\x63", 16, false, "\x63"},
		{"\x30\x64", 16, false, "\x30\x64"},
		{"\x00\x30\x64", 16, false, "\x30\x64"},
		{"\x00\x63", 12, false, "\x63"},
		{"\x00\x00\x63", 12, false, "\x63"},
		{"\x00", 1, false, "\x00"},
		{"\x63", 8, true, "\x63"},
		{"\x9d", 8, true, "\x9d"},
		{"\xff\x9d", 8, true, "\x9d"},
		{"\xfd\x1d", 12, true, "\xfd\x1d"},
		{"\x00\x00", 16, true, "\x00"},
		{"\xff", 12, true, "\xff"},
		{"\x07\xff", 12, true, "\x07\xff"},
		{"\xf8\x00", 12, true, "\xf8\x00"},
		{"\x00\x80", 9, true, "\x00\x80"},

		{"\x01\x63", 8, false, ""},
		{"", 8, false, ""},
		{"\x01\x00\x63", 16, false, ""},
		{"\x10\x63", 12, false, ""},
		{"\x01\x00\x63", 12, false, ""},
		{"\x00\x40\x63", 12, false, ""},
		{"\x00\x9d", 8, true, ""},
		{"\x8d\x1d", 12, true, ""},
		{"", 16, true, ""},
		{"\x08\x00", 12, true, ""},
	} {
		var got []byte
		var err error
		if c.signed {
			if got, err = signedIn([]byte(c.in), c.width); err == nil {
				if bitLen(got) > c.width {
					t.Errorf("int<%d> %x: %x is wider", c.width, c.in, got)
				}
				got = signedOut(got, c.width)
			}
		} else {
			got, err = unsigned([]byte(c.in), c.width)
		}
		if (err != nil) != (c.out == "") || err == nil && !bytes.Equal(got, []byte(c.out)) {
			t.Errorf("%x, %d bits, signed %v: %x, %v; want %x", c.in, c.width, c.signed, got, err, c.out)
		}
	}
}

func TestSignedOutIsTheInverseOfSignedIn(t *testing.T) {
	for width := 2; width <= 17; width++ {
		for v := 0; v < 1<<width; v++ {
			in := canonical([]byte{byte(v >> 16), byte(v >> 8), byte(v)})
			back, err := signedIn(signedOut(in, width), width)
			if err != nil || !bytes.Equal(back, in) {
				t.Fatalf("int<%d> %x: %x, %v", width, in, back, err)
			}
		}
	}
}

func TestBitsArePackedInOrder(t *testing.T) {
	b := make([]byte, 4)
	putBits(b, 0, 9, []byte{1, 0xfe})
	putBits(b, 9, 7, []byte{0x55})
	putBits(b, 16, 3, []byte{5})
	putBits(b, 19, 13, []byte{0})
	if want := []byte{0xff, 0x55, 0xa0, 0}; !bytes.Equal(b, want) {
		t.Fatalf("%x, want %x", b, want)
	}
	for _, c := range []struct {
		offset, width int
		want          []byte
	}{{0, 9, []byte{1, 0xfe}}, {9, 7, []byte{0x55}}, {16, 3, []byte{5}}} {
		if got := takeBits(b, c.offset, c.width); !bytes.Equal(got, c.want) {
			t.Errorf("%d bits at %d: %x, want %x", c.width, c.offset, got, c.want)
		}
	}
}

func TestMasks(t *testing.T) {
	if !bytes.Equal(prefixMask(9, 12), []byte{0x0f, 0xf8}) || !bytes.Equal(ones(12), []byte{0x0f, 0xff}) {
		t.Errorf("%x, %x", prefixMask(9, 12), ones(12))
	}
	if outside([]byte{0x08}, []byte{0x0f, 0xf8}) || !outside([]byte{0x04}, []byte{0x0f, 0xf8}) || !outside([]byte{1, 0}, []byte{0xff}) {
		t.Error("outside")
	}
	if compare([]byte{0, 5}, []byte{5}) != 0 || compare([]byte{1, 0}, []byte{0xff}) <= 0 {
		t.Error("compare")
	}
}
