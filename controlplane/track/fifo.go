package track

// fifo is a queue of numbers.
type fifo struct {
	list []uint32
	head int // what was before it was taken
}

func (q *fifo) push(n uint32) { q.list = append(q.list, n) }

// pop takes the one that waited longest; there must be one.
func (q *fifo) pop() uint32 {
	n := q.list[q.head]
	q.head++
	if q.head >= len(q.list)/2+1 { // moving the rest costs no more than taking what was before it
		q.list = q.list[:copy(q.list, q.list[q.head:])]
		q.head = 0
	}
	return n
}

func (q *fifo) len() int { return len(q.list) - q.head }
