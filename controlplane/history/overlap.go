package history

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Which of millions of parts have a state of an instant is answered with a relational interval tree
// (Kriegel, Pötke and Seidl: Managing Intervals Efficiently in Object-Relational Databases, VLDB
// 2000). Seconds are the nodes of a binary tree; a part is kept at the highest node within the time from its
// first state to the end of its last, by either time. All that cover a second are at the nodes on the way from the root to it:
// at most one for each bit. So a question costs what it finds, however long the history is.

// unended is the node of parts with a state that has not ended.
const unended = -1

// span is where the tree has a part: among those of what, at which node, and the seconds that it covers.
type span struct {
	scope, node, begin, until int64
}

// firstService is the scope of the service whose life is number 0; before it are the codes of kinds.
const firstService = 64

// cover gives the seconds that a part is of: from the first until before the second.
func (p *part) cover() (begin, until int64) {
	begin = int64(open)
	for i := range p.states {
		s := &p.states[i]
		begin = min(begin, s.event, s.commit)
		until = max(until, s.until, s.endCommit)
	}
	begin = second(begin)
	if until == open {
		return begin, open
	}
	return begin, max(second(until-1), begin) + 1
}

// second is that of an instant, since 1970; all before are of the first.
func second(ns int64) int64 { return max(ns, 0) / int64(time.Second) }

// fork gives the node of the seconds from begin until just before end.
func fork(begin, end int64) int64 {
	switch last := end - 1; {
	case end == open:
		return unended
	case begin == last:
		return begin
	default:
		low := bits.Len64(uint64(begin^last)) - 1 // the highest bit that differs; above it both are on the same way
		return last >> low << low
	}
}

// wayTo gives the nodes on the way from the root to a second, unended included.
func wayTo(at int64) []int64 {
	nodes := []int64{unended, at}
	for low := range 34 {
		if node := at>>(low+1)<<(low+1) | 1<<low; node != at {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// The parts that cover a second, ?3, of some scopes, ?1, are at nodes on the way to it, ?2. Those that begin after a second,
// ?3, and until another, ?4, are at nodes between, or after it on the way there, ?2.
const (
	placesAt = `SELECT s.life, s.part FROM json_each(?1) k CROSS JOIN json_each(?2) w CROSS JOIN span s
		ON s.scope = k.value AND s.node = w.value WHERE s.begin <= ?3 AND s.until > ?3`
	placesBegun = `SELECT s.life, s.part FROM json_each(?1) k CROSS JOIN span s
		ON s.scope = k.value AND s.node > ?3 AND s.node <= ?4 WHERE s.begin > ?3
		UNION ALL SELECT s.life, s.part FROM json_each(?1) k CROSS JOIN json_each(?2) w CROSS JOIN span s
		ON s.scope = k.value AND s.node = w.value WHERE s.begin > ?3 AND s.begin <= ?4 AND (w.value > ?4 OR w.value < 0)`

	// Those of some lives, ?5, too, or without those.
	orOfLives  = `%s UNION SELECT l.life, l.part FROM json_each(?5) v CROSS JOIN life l ON l.life = v.value`
	notOfLives = `SELECT DISTINCT life, part FROM (%s) WHERE life NOT IN (SELECT value FROM json_each(?5))`

	// Rows are read in their order in the file.
	partsOf = `SELECT l.life, l.part, l.states FROM (%s ORDER BY 1, 2) f CROSS JOIN life l ON l.life = f.life AND l.part = f.part`
	livesOf = `SELECT l.life, l.part, l.states FROM (SELECT DISTINCT life FROM (%s) ORDER BY 1) f CROSS JOIN life l ON l.life = f.life`
)

// question is a query with its arguments.
type question struct {
	text string
	args []any
	sums bool // of the facts are wanted

	spoiled func(*damage) // takes parts that are damaged, which are left out; nil makes the first an error
}

// coverAt asks for the places of what covers a second, and those of all of the lives.
func (s search) coverAt(at int64) question {
	q := question{text: placesAt, args: []any{list(s.scopes), list(wayTo(at)), at, nil, list(s.lives)}}
	switch {
	case len(s.lives) > 0:
		q.text = fmt.Sprintf(orOfLives, q.text)
	case s.shared:
		q.text = fmt.Sprintf(notOfLives, q.text)
	}
	return q
}

// begunIn asks for the places of what begins after a second and until another, without those of the lives.
func (s search) begunIn(after, to int64) question {
	q := question{text: placesBegun, args: []any{list(s.scopes), list(wayTo(to)), after, to, list(s.lives)}}
	if len(s.lives) > 0 || s.shared {
		q.text = fmt.Sprintf(notOfLives, q.text)
	}
	return q
}

// read asks for the parts, or for the whole lives, at the places.
func (q question) read(how string) question {
	q.text = fmt.Sprintf(how, q.text)
	return q
}

// list is how an argument has several numbers.
func list(numbers []int64) string {
	if numbers == nil {
		return "[]"
	}
	text, err := json.Marshal(numbers)
	if err != nil {
		panic(fmt.Sprintf("history: marshal %v: %v", numbers, err))
	}
	return string(text)
}

// scopesOf gives the scopes in which facts of some kinds are; no kinds are all.
func scopesOf(kinds []inventory.Kind) (scopes []int64) {
	wanted := map[inventory.Kind]bool{}
	for _, k := range kinds {
		wanted[k] = true
		if k == inventory.KindMember || k == inventory.KindAttachment {
			wanted[inventory.KindPod] = true // in whose lives they are
		}
	}
	for code, k := range kindCodes {
		if code > 0 && (len(kinds) == 0 || wanted[k]) {
			scopes = append(scopes, int64(code))
		}
	}
	return scopes
}
