package p4rtserver

import (
	"bytes"
	"math/bits"

	"google.golang.org/grpc/codes"
)

// Byte strings: P4Runtime specification, section 8.4.

// canonical is the shortest form of an unsigned value, at least one byte.
func canonical(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}

// bitLen is the number of bits that an unsigned value needs; 0 needs none.
func bitLen(b []byte) int {
	for i, x := range b {
		if x != 0 {
			return (len(b)-i-1)*8 + bits.Len8(x)
		}
	}
	return 0
}

// unsigned takes a value of type bit<width>, of any length, and returns its canonical form.
func unsigned(b []byte, width int) ([]byte, error) {
	if len(b) == 0 {
		return nil, fail(codes.InvalidArgument, "empty byte string: the shortest form of 0 is one zero byte")
	}
	if n := bitLen(b); n > width {
		return nil, fail(codes.InvalidArgument, "value %#x needs %d bits and the field has %d", b, n, width)
	}
	return canonical(b), nil
}

// inRange gives an error the code OUT_OF_RANGE, as the specification wants it of byte strings
// except in matches and parameters of actions.
func inRange(v []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, &failure{code: codes.OutOfRange, err: err}
	}
	return v, nil
}

// signedIn takes a two's complement value of type int<width>, of any length, and returns its
// width low bits in canonical unsigned form, as the engine holds it.
func signedIn(b []byte, width int) ([]byte, error) {
	if len(b) == 0 {
		return nil, fail(codes.InvalidArgument, "empty byte string: the shortest form of 0 is one zero byte")
	}
	out := make([]byte, (width+7)/8)
	fill := byte(0)
	if b[0]&0x80 != 0 {
		fill = 0xff
	}
	for i := range out {
		out[len(out)-1-i] = byteFromEnd(b, i, fill)
	}
	// Every bit above the value's sign bit must repeat it.
	for i := width - 1; i < 8*len(b); i++ {
		if byteFromEnd(b, i/8, fill)>>(i%8)&1 != fill&1 {
			return nil, fail(codes.InvalidArgument, "value %#x does not fit int<%d>", b, width)
		}
	}
	if width%8 != 0 {
		out[0] &= 1<<(width%8) - 1
	}
	return canonical(out), nil
}

// signedOut is the shortest two's complement form of a value of type int<width> that the
// engine holds as its width low bits.
func signedOut(b []byte, width int) []byte {
	negative := byteFromEnd(b, (width-1)/8, 0)>>((width-1)%8)&1 == 1
	out := make([]byte, (width+7)/8)
	for i := range out {
		out[len(out)-1-i] = byteFromEnd(b, i, 0)
	}
	fill := byte(0)
	if negative {
		fill = 0xff
		if width%8 != 0 {
			out[0] |= 0xff << (width % 8)
		}
	}
	for len(out) > 1 && out[0] == fill && out[1]&0x80 == fill&0x80 {
		out = out[1:]
	}
	return out
}

// byteFromEnd is the i-th byte from the end, and fill beyond the front.
func byteFromEnd(b []byte, i int, fill byte) byte {
	if i >= len(b) {
		return fill
	}
	return b[len(b)-1-i]
}

// ones is the byte string of width one bits.
func ones(width int) []byte {
	b := bytes.Repeat([]byte{0xff}, (width+7)/8)
	if width%8 != 0 {
		b[0] = 1<<(width%8) - 1
	}
	return b
}

// prefixMask has the first n of width bits set.
func prefixMask(n, width int) []byte {
	b := make([]byte, (width+7)/8)
	for i := width - n; i < width; i++ {
		b[len(b)-1-i/8] |= 1 << (i % 8)
	}
	return b
}

// outside says whether a value has bits that a mask has not.
func outside(value, mask []byte) bool {
	for i := range max(len(value), len(mask)) {
		if byteFromEnd(value, i, 0)&^byteFromEnd(mask, i, 0) != 0 {
			return true
		}
	}
	return false
}

// compare orders two unsigned values of any length.
func compare(a, b []byte) int {
	a, b = canonical(a), canonical(b)
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}
