package main

import (
	"math/big"
	"math/rand/v2"
)

// bitString is a frame in the making, a bit an element. It grows with random bits.
type bitString struct {
	bits  []byte // 0 or 1
	fixed []bool // a select has decided
	rng   *rand.Rand
}

// grow makes it at least n bits long.
func (b *bitString) grow(n int) {
	for len(b.bits) < n {
		b.bits = append(b.bits, byte(b.rng.IntN(2)))
		b.fixed = append(b.fixed, false)
	}
}

func (b *bitString) get(at, width int) *big.Int {
	b.grow(at + width)
	v := new(big.Int)
	for _, x := range b.bits[at : at+width] {
		v.Lsh(v, 1)
		if x == 1 {
			v.SetBit(v, 0, 1)
		}
	}
	return v
}

// put writes the bits that mask has (all, if it is nil) and that are not fixed yet.
func (b *bitString) put(at, width int, v, mask *big.Int, fix bool) {
	b.grow(at + width)
	for i := range width {
		bit := width - 1 - i
		if mask != nil && mask.Bit(bit) == 0 || b.fixed[at+i] {
			continue
		}
		b.bits[at+i] = byte(v.Bit(bit))
		b.fixed[at+i] = fix
	}
}

// bytes are the whole bytes.
func (b *bitString) bytes() []byte {
	b.grow((len(b.bits) + 7) / 8 * 8)
	out := make([]byte, len(b.bits)/8)
	for i, x := range b.bits {
		out[i/8] |= x << (7 - i%8)
	}
	return out
}
