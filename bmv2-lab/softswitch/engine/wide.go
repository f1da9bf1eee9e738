package engine

import "math/bits"

// Arithmetic on integers of several words: two's complement, the least significant word
// first. All operands of one operation have the same number of words; results wrap. The
// compiler chooses the number of words so that nothing that matters is lost.

func wideAdd(dst, a, b []uint64) {
	var carry uint64
	for i := range dst {
		dst[i], carry = bits.Add64(a[i], b[i], carry)
	}
}

func wideSub(dst, a, b []uint64) {
	var borrow uint64
	for i := range dst {
		dst[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
}

// wideMul wants a dst that overlaps neither operand.
func wideMul(dst, a, b []uint64) {
	clear(dst)
	for i := range dst {
		var carry uint64
		for j := 0; i+j < len(dst); j++ {
			hi, lo := bits.Mul64(a[i], b[j])
			var c uint64
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			dst[i+j], c = bits.Add64(dst[i+j], lo, 0)
			carry = hi + c
		}
	}
}

func wideNot(dst, a []uint64) {
	for i := range dst {
		dst[i] = ^a[i]
	}
}

func wideNeg(dst, a []uint64) {
	carry := uint64(1)
	for i := range dst {
		dst[i], carry = bits.Add64(^a[i], 0, carry)
	}
}

// wideShl shifts left; dst may be a.
func wideShl(dst, a []uint64, by uint64) {
	n := len(dst)
	if by >= uint64(64*n) {
		clear(dst)
		return
	}
	w, b := int(by/64), by%64
	for i := n - 1; i >= 0; i-- {
		var v uint64
		if i >= w {
			v = a[i-w] << b
			if b > 0 && i > w {
				v |= a[i-w-1] >> (64 - b)
			}
		}
		dst[i] = v
	}
}

// wideSar shifts right, keeping the sign; dst may be a.
func wideSar(dst, a []uint64, by uint64) {
	n := len(dst)
	sign := uint64(int64(a[n-1]) >> 63)
	w, b := n, uint64(0)
	if by < uint64(64*n) {
		w, b = int(by/64), by%64
	}
	for i := 0; i < n; i++ {
		lo, hi := sign, sign
		if i+w < n {
			lo = a[i+w]
		}
		if i+w+1 < n {
			hi = a[i+w+1]
		}
		if b == 0 {
			dst[i] = lo
		} else {
			dst[i] = lo>>b | hi<<(64-b)
		}
	}
}

// wideCmp compares signed values: -1, 0 or 1.
func wideCmp(a, b []uint64) int {
	n := len(a)
	if sa, sb := int64(a[n-1]), int64(b[n-1]); sa != sb {
		if sa < sb {
			return -1
		}
		return 1
	}
	for i := n - 2; i >= 0; i-- {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// wideEq compares for equality.
func wideEq(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func wideIsNeg(a []uint64) bool { return int64(a[len(a)-1]) < 0 }

func wideIsZero(a []uint64) bool {
	for _, w := range a {
		if w != 0 {
			return false
		}
	}
	return true
}

// wideDivMod divides unsigned values bit by bit: quot = a / b, rem = a % b. Neither result
// may overlap an operand; b is not 0.
func wideDivMod(quot, rem, a, b []uint64) {
	clear(quot)
	clear(rem)
	for i := 64*len(a) - 1; i >= 0; i-- {
		wideShl(rem, rem, 1)
		rem[0] |= a[i/64] >> (i % 64) & 1
		if wideUnsignedGE(rem, b) {
			wideSub(rem, rem, b)
			quot[i/64] |= 1 << (i % 64)
		}
	}
}

func wideUnsignedGE(a, b []uint64) bool {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return true
}

// extend fills words from index from on with the sign of the word before it.
func extend(a []uint64, from int) {
	sign := uint64(int64(a[from-1]) >> 63)
	for i := from; i < len(a); i++ {
		a[i] = sign
	}
}

// signExtend makes the value of width bits in a a signed one.
func signExtend(a []uint64, width int) {
	top := (width - 1) / 64
	shift := uint(63 - (width-1)%64)
	a[top] = uint64(int64(a[top]<<shift) >> shift)
	extend(a, top+1)
}

// wordsFromBytes reads a big-endian value into words; what does not fit is lost.
func wordsFromBytes(dst []uint64, b []byte) {
	clear(dst)
	for i := 0; i < len(b) && i < 8*len(dst); i++ {
		dst[i/8] |= uint64(b[len(b)-1-i]) << (8 * (i % 8))
	}
}

// wordsToBytes writes the low len(dst) bytes of a value, big-endian.
func wordsToBytes(dst []byte, a []uint64) {
	for i := range dst {
		var v uint64
		if i/8 < len(a) {
			v = a[i/8] >> (8 * (i % 8))
		}
		dst[len(dst)-1-i] = byte(v)
	}
}
