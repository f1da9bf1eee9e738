package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// Happening is a line of `fabricscope timeline`.
type Happening struct {
	Kind   string `json:"kind"`
	Object string `json:"object"`
	What   string `json:"what"`
}

// Timeline holds what is told of a rolling update against the pods that there were before and are after: each of the
// old ones has to end, and each of the new ones to begin, and to sit where the topology has its node.
func Timeline(said []Happening, before, after map[string]Pod, t *topology.Topology) (differences []string) {
	told := map[string]bool{}
	for _, h := range said {
		if h.Kind == "pod" {
			told[h.Object+" "+h.What] = true
			told[h.Object+" "+firstWords(h.What)] = true
		}
	}
	want := func(p Pod, what string) {
		if name := p.Namespace + "/" + p.Name; !told[name+" "+what] {
			differences = append(differences, fmt.Sprintf("%s: %q is not told", name, what))
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(before)) {
		want(before[uid], "terminates")
		want(before[uid], "deleted")
	}
	for _, uid := range slices.Sorted(maps.Keys(after)) {
		p := after[uid]
		want(p, "created")
		want(p, "scheduled to "+p.Node)
		want(p, "ready")
		for _, h := range t.Hosts {
			if h.Name == p.Node {
				want(p, "sits at "+h.Port.Switch+"/"+h.Port.Interface())
			}
		}
	}
	return differences
}

// Gap looks for a time of which nothing is known of a cluster, for a reason, that is over.
func Gap(said []Happening, cluster, why string) []string {
	begun := false
	for _, h := range said {
		if h.Kind != "cluster" || h.Object != cluster {
			continue
		}
		if begun && h.What == "known again" {
			return nil
		}
		begun = begun || h.What == "nothing is known from here on ("+why+")"
	}
	return []string{fmt.Sprintf("%s: no gap is told (begun %t)", cluster, begun)}
}

// firstWords leaves out what is in brackets at the end.
func firstWords(what string) string {
	for i := range what {
		if i > 0 && what[i] == '(' {
			return what[:i-1]
		}
	}
	return what
}
