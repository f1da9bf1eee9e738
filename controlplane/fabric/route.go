package fabric

import (
	"cmp"
	"slices"
)

// edge is one direction of a link, for routes: out of a port of from to the switch to.
type edge struct {
	from     string
	port     uint32
	to       string
	doubtful bool
}

// nextEdges gives, for every switch from which dest can be reached, all first edges of its
// shortest paths to dest (in hops), ordered by port. Doubtful edges count only for switches
// from which no path of sound edges leads to dest.
func nextEdges(edges []edge, dest string) map[string][]edge {
	sound := slices.DeleteFunc(slices.Clone(edges), func(e edge) bool { return e.doubtful })
	out := shortest(sound, map[string]int{dest: 0})
	if len(sound) == len(edges) {
		return out.next
	}
	// Distances of switches with a sound path stay as they are: those switches send on sound
	// edges only, so whoever reaches one of them is on a path without a loop.
	for sw, next := range shortest(edges, out.distance).next {
		if _, ok := out.next[sw]; !ok {
			out.next[sw] = next
		}
	}
	return out.next
}

type paths struct {
	distance map[string]int
	next     map[string][]edge
}

// shortest extends known distances over edges by breadth-first search against their
// direction. Switches with a known distance keep it and get no next edges.
func shortest(edges []edge, known map[string]int) paths {
	into := map[string][]edge{}
	for _, e := range edges {
		into[e.to] = append(into[e.to], e)
	}
	out := paths{distance: map[string]int{}, next: map[string][]edge{}}
	buckets := map[int][]string{} // switches by distance
	for sw, d := range known {
		out.distance[sw] = d
		buckets[d] = append(buckets[d], sw)
	}
	for d := 0; len(buckets) > 0; d++ {
		// The order within a bucket does not matter: all of them are equally far.
		for _, sw := range buckets[d] {
			for _, e := range into[sw] {
				have, seen := out.distance[e.from]
				if !seen {
					out.distance[e.from] = d + 1
					buckets[d+1] = append(buckets[d+1], e.from)
				}
				_, fixed := known[e.from]
				if !fixed && (!seen || have == d+1) {
					out.next[e.from] = append(out.next[e.from], e)
				}
			}
		}
		delete(buckets, d)
	}
	for _, next := range out.next {
		slices.SortFunc(next, func(a, b edge) int { return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.to, b.to)) })
	}
	return out
}
