package p4rt

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strings"
)

// Value is an unsigned integer as P4Runtime's canonical byte string (P4Runtime 1.4, section
// 8.4): big-endian, no leading zero bytes, at least one byte. Equal integers are equal
// Values, whatever width they came with. The zero Value means 0 too.
type Value string

// Uint is the Value of v.
func Uint(v uint64) Value {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return Bytes(b[:])
}

// Bytes is the Value of a big-endian integer of any length.
func Bytes(b []byte) Value {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 {
		return "\x00"
	}
	return Value(b)
}

// Addr is the Value of an address: 32 bits for IPv4, 128 for IPv6.
func Addr(a netip.Addr) Value { return Bytes(a.AsSlice()) }

// Uint64 gives the integer, or its low 64 bits if it has more.
func (v Value) Uint64() uint64 {
	if len(v) > 8 {
		v = v[len(v)-8:]
	}
	var n uint64
	for i := range len(v) {
		n = n<<8 | uint64(v[i])
	}
	return n
}

// Padded gives the low n bytes of the integer, big-endian.
func (v Value) Padded(n int) []byte {
	b := make([]byte, n)
	if len(v) > n {
		v = v[len(v)-n:]
	}
	copy(b[n-len(v):], v)
	return b
}

// Addr16 gives a 128-bit integer as an IPv6 address, or as an IPv4 address if it is an
// IPv4-mapped one (RFC 4291, section 2.5.5.2).
func (v Value) Addr16() netip.Addr {
	var b [16]byte
	if len(v) > len(b) {
		v = v[len(v)-len(b):]
	}
	copy(b[len(b)-len(v):], v)
	return netip.AddrFrom16(b).Unmap()
}

// Addr4 gives a 32-bit integer as an IPv4 address.
func (v Value) Addr4() netip.Addr { return netip.AddrFrom4([4]byte(v.Padded(4))) }

// Bits is the number of bits the integer needs; 0 for 0.
func (v Value) Bits() int {
	v = v.canonical()
	return (len(v)-1)*8 + bits.Len8(v[0])
}

// String gives the integer in hexadecimal.
func (v Value) String() string {
	v = v.canonical()
	return "0x" + strings.TrimPrefix(hex.EncodeToString([]byte(v)), "0")
}

// canonical strips leading zero bytes that a literal may have.
func (v Value) canonical() Value {
	if v == "" {
		return "\x00"
	}
	for len(v) > 1 && v[0] == 0 {
		v = v[1:]
	}
	return v
}

// truncate clears all but the first prefix bits of a value of width bits.
func (v Value) truncate(prefix, width int) Value {
	b := v.Padded((width + 7) / 8)
	pad := len(b)*8 - width // unused bits at the front of the first byte
	for i := range b {
		keep := prefix + pad - i*8
		switch {
		case keep <= 0:
			b[i] = 0
		case keep < 8:
			b[i] &= 0xff << (8 - keep)
		}
	}
	return Bytes(b)
}
