package cli

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// TestListOfAnyLength adds entries to a list and takes them out, and compares it with a map: while they are few they are
// looked through, and then found by an index.
func TestListOfAnyLength(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	data, want := &branch{}, map[string]uint64{}
	for n := range uint64(2000) {
		name := fmt.Sprint(r.IntN(4 * fewEntries))
		path := []*gpb.PathElem{{Name: "pods"}, {Name: "pod", Key: map[string]string{"uid": name}}}
		note := &gpb.Notification{Prefix: &gpb.Path{Elem: path}}
		if r.IntN(2) == 0 {
			delete(want, name)
			note.Delete = []*gpb.Path{{}}
		} else {
			want[name] = n + 1
			note.Update = []*gpb.Update{{Path: &gpb.Path{Elem: []*gpb.PathElem{{Name: "restarts"}}},
				Val: &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: n + 1}}}}
		}
		data.apply(note)
		have := map[string]uint64{}
		for _, e := range data.each("pods", "pod") {
			have[e.keys["uid"]] = e.number("restarts")
		}
		if !maps.Equal(have, want) {
			t.Fatalf("after %v: %v, want %v", note, have, want)
		}
	}
}
