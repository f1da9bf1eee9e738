package history

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/bits"
)

// Which of millions of intervals hold at an instant is answered with a relational interval tree
// (Kriegel, Pötke and Seidl: Managing Intervals Efficiently in Object-Relational Databases, VLDB
// 2000). Instants are the nodes of a binary tree; an interval is kept at the highest node within it. All
// that hold at an instant are at the nodes on the way from the root to it: at most one for each bit of a
// time. So a question costs what it finds, however long the history is.

// fork gives the node of the interval from begin until just before end; none if that is empty.
func fork(begin, end int64) sql.NullInt64 {
	if end <= begin {
		return sql.NullInt64{}
	}
	first, last := uint64(max(begin, 0)), uint64(max(end-1, 0))
	if first == last {
		return sql.NullInt64{Int64: int64(last), Valid: true}
	}
	low := bits.Len64(first^last) - 1 // the highest bit that differs; above it both are on the same way
	return sql.NullInt64{Int64: int64(last >> low << low), Valid: true}
}

// wayTo gives the nodes on the way from the root to an instant, as JSON.
func wayTo(t int64) string {
	at := uint64(max(t, 0))
	nodes := []uint64{at}
	for low := range 63 {
		if node := at>>(low+1)<<(low+1) | 1<<low; node != at {
			nodes = append(nodes, node)
		}
	}
	text, err := json.Marshal(nodes)
	if err != nil {
		panic(fmt.Sprintf("history: marshal %v: %v", nodes, err))
	}
	return string(text)
}
