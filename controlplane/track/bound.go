package track

import (
	"math/bits"
	"time"
)

// bound is an upper bound of a time in one byte: as a floating point number of µs with three bits behind the leading
// one, rounded up, so that it is too high by an eighth at most.
type bound uint8

const boundBits = 3

// boundOf gives the least bound of a time; the highest there is, 4 hours, of more.
func boundOf(d time.Duration) bound {
	micros := uint64(max(0, d+time.Microsecond-1) / time.Microsecond)
	if micros < 1<<boundBits {
		return bound(micros)
	}
	shift := bits.Len64(micros) - boundBits - 1
	if rounded := micros + 1<<shift - 1; bits.Len64(rounded) > bits.Len64(micros) {
		micros, shift = rounded, shift+1
	} else {
		micros = rounded
	}
	return bound(min(uint64(shift+1)<<boundBits|micros>>shift&(1<<boundBits-1), 1<<8-1))
}

func (b bound) duration() time.Duration {
	shift, micros := b>>boundBits, uint64(b&(1<<boundBits-1))
	if shift > 0 {
		micros = (micros | 1<<boundBits) << (shift - 1)
	}
	return time.Duration(micros) * time.Microsecond
}
