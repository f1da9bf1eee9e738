package check

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// Seen is a pod as its API showed it at some time.
type Seen struct {
	Cluster, UID, IP string
}

// Clusters holds who the ends of conversations are said to be against what is known from outside. Inside an
// overlay that is the cluster of the hosts whose outer addresses the frames had; outside of one it is the host that has
// the address. A pod has to be one that had the address, in that cluster. inside is how many conversations were
// inside the overlay of each cluster. since is when the nodes of a cluster were known: what ended before that
// may be of nobody.
func Clusters(said []Flow, t *topology.Topology, pods []Seen, since map[string]time.Time) (inside map[string]int, differences []string) {
	hosts := map[netip.Addr]topology.Host{}
	for _, h := range t.Hosts {
		hosts[h.Address.Addr()] = h
	}
	known := map[Seen]bool{}
	for _, p := range pods {
		known[p] = true
	}
	inside = map[string]int{}
	for _, f := range said {
		overlay, native := wayOf(f, hosts)
		if overlay != "" {
			inside[overlay]++
		}
		for _, e := range []End{f.Client, f.Server} {
			want := overlay
			if native {
				want = hosts[e.Address].Cluster
			}
			switch {
			case e.Cluster == "" && f.LastSeen.Before(since[want]):
			case e.Cluster != want:
				differences = append(differences, fmt.Sprintf("conversation %s: %s is said to be of cluster %q, and is of %q (%s)", f.ID, e.Address, e.Cluster, want, e.Reason))
			case e.PodUID != "" && !known[Seen{want, e.PodUID, e.Address.String()}]:
				differences = append(differences, fmt.Sprintf("conversation %s: %s was never the address of %s's pod %s", f.ID, e.Address, want, e.Pod))
			case e.PodUID == "" && e.Node == "" && want != "":
				differences = append(differences, fmt.Sprintf("conversation %s: %s of %s has no name: %s", f.ID, e.Address, want, e.Reason))
			}
		}
	}
	return inside, differences
}

// wayOf tells the cluster in whose overlay a conversation was, by the hosts at its outer addresses.
func wayOf(f Flow, hosts map[netip.Addr]topology.Host) (cluster string, native bool) {
	for _, d := range []Direction{f.Forward, f.Reverse} {
		for _, h := range d.Hops {
			if h.Outer.Kind == outerNative {
				return "", true
			}
			return hosts[h.Outer.Src].Cluster, false
		}
	}
	return "", true
}
