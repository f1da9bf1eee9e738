package check

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

func TestClusters(t *testing.T) {
	lab, _, err := topology.Lab()
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddr
	blue, green := lab.Workers("blue")[0].Address.Addr(), lab.Workers("green")[0].Address.Addr()
	pods := []Seen{{"blue", "b", "10.244.0.2"}, {"green", "g", "10.244.0.2"}}
	known := time.Unix(100, 0)
	flow := func(outer netip.Addr, seen int64, ends ...End) Flow {
		f := Flow{ID: "x", LastSeen: time.Unix(seen, 0), Client: ends[0], Server: ends[1]}
		h := Hop{}
		h.Outer.Kind = outerNative
		if outer.IsValid() {
			h.Outer.Kind, h.Outer.Src = outerVXLAN, outer
		}
		f.Forward.Hops = []Hop{h}
		return f
	}
	pod := func(cluster, uid string) End {
		return End{Address: addr("10.244.0.2"), Cluster: cluster, Pod: uid, PodUID: uid}
	}
	node := func(cluster string) End { return End{Address: green, Cluster: cluster, Node: "n"} }
	for name, c := range map[string]struct {
		flow Flow
		want string // in the only difference; empty for none
	}{
		"inside of blue":                     {flow(blue, 200, pod("blue", "b"), pod("blue", "b")), ""},
		"inside of green, credited to blue":  {flow(green, 200, pod("blue", "b"), pod("green", "g")), `said to be of cluster "blue", and is of "green"`},
		"the right cluster, another's pod":   {flow(green, 200, pod("green", "b"), pod("green", "g")), "was never the address of green's pod b"},
		"nobody":                             {flow(green, 200, End{Address: addr("10.244.0.2")}, pod("green", "g")), `said to be of cluster ""`},
		"nobody, before the nodes are known": {flow(green, 99, End{Address: addr("10.244.0.2")}, pod("green", "g")), ""},
		"the wrong one, even before":         {flow(green, 99, pod("blue", "b"), pod("green", "g")), `of cluster "blue"`},
		"a cluster without a name in it":     {flow(green, 200, End{Address: addr("10.244.0.2"), Cluster: "green"}, pod("green", "g")), "has no name"},
		"outside of overlays":                {flow(netip.Addr{}, 200, node("green"), End{Address: addr("192.0.2.1")}), ""},
		"outside, credited to blue":          {flow(netip.Addr{}, 200, node("blue"), End{Address: addr("192.0.2.1")}), `is of "green"`},
		"a stranger with a cluster":          {flow(netip.Addr{}, 200, node("green"), End{Address: addr("192.0.2.1"), Cluster: "blue"}), `is of ""`},
	} {
		_, differences := Clusters([]Flow{c.flow}, lab, pods, map[string]time.Time{"blue": known, "green": known})
		if got := strings.Join(differences, "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", name, got, c.want)
		}
	}
}
