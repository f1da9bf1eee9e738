package track

// chunkBits says how many values are in a chunk of a slab: 2 to the power of this.
const chunkBits = 12

// slab keeps values under small numbers, which take the place of pointers: a T without pointers
// is nothing that the garbage collector looks at, however many there are. Values stay where they
// are. 0 is no number.
type slab[T any] struct {
	chunks []*[1 << chunkBits]T
	last   uint32   // the highest number that was ever given
	free   []uint32 // of the numbers up to last
}

// add gives the number of a new zero value.
func (s *slab[T]) add() uint32 {
	if n := len(s.free); n > 0 {
		number := s.free[n-1]
		s.free = s.free[:n-1]
		return number
	}
	s.last++
	if int(s.last>>chunkBits) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([1 << chunkBits]T))
	}
	return s.last
}

// at gives the value under a number that add gave.
func (s *slab[T]) at(number uint32) *T {
	return &s.chunks[number>>chunkBits][number&(1<<chunkBits-1)]
}

// remove makes the number another's.
func (s *slab[T]) remove(number uint32) {
	var zero T
	*s.at(number) = zero
	s.free = append(s.free, number)
}

// len is how many values there are.
func (s *slab[T]) len() int { return int(s.last) - len(s.free) }
