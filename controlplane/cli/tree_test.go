package cli

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// TestListOfAnyLength adds entries to a list and takes them out, and compares it with a map: while they are few they are
// looked through, and then found by an index.
func TestListOfAnyLength(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	data, want := &branch{}, map[string]uint64{}
	for i := range uint64(2000) {
		name := fmt.Sprint(r.IntN(4 * fewEntries))
		n := &note{prefix: []element{{name: "pods"}, {"pod", []key{{"uid", name}}}}}
		if r.IntN(2) == 0 {
			delete(want, name)
			n.deletes = [][]element{nil}
		} else {
			want[name] = i + 1
			n.updates = []leafUpdate{{[]element{{name: "restarts"}}, value{kind: typedUint, number: i + 1}}}
		}
		data.apply(n)
		have := map[string]uint64{}
		for _, e := range data.each("pods", "pod") {
			have[e.key("uid")] = e.number("restarts")
		}
		if !maps.Equal(have, want) {
			t.Fatalf("after %v: %v, want %v", n, have, want)
		}
	}
}
