package cli

import (
	"fmt"
	"slices"
	"strings"
)

// The paths of what an answer's completeness depends on.
const (
	clusterStatePath = "kubernetes/clusters/cluster/state"
	switchStatePath  = "fabric/switches/switch/state"
	portsPath        = "fabric/switches/switch/ports"
)

// warnOfClusters says which of the clusters asked about the daemon could not watch at the moment
// asked about: nothing from them does not mean that there was nothing.
func (f *filters) warnOfClusters(o *options, data *branch) {
	clusters := data.each("kubernetes", "clusters", "cluster")
	if len(clusters) == 0 && !o.at.IsZero() {
		fmt.Fprintln(o.Stderr, "No cluster was watched at that moment, or none that you may see: nothing is known of any.")
	}
	warn(o, "Cluster", f.cluster, clusters, "what is said of it may be old or incomplete")
	n := nameAmong(f.cluster, clusters, func(c *branch) []string { return []string{c.key("name")} })
	for _, c := range clusters {
		state := c.in("state")
		if since := state.instant("unknown-since"); !since.IsZero() && n.admits(c.key("name")) {
			fmt.Fprintf(o.Stderr, "Cluster %s: nothing is known from %s on (%s); its last state is shown.\n",
				c.key("name"), stamp(since), state.text("unknown-reason"))
		}
		if denied := state.texts("denied"); len(denied) > 0 && n.admits(c.key("name")) {
			fmt.Fprintf(o.Stderr, "Cluster %s: the credentials may not read %s.\n", c.key("name"), strings.Join(denied, ", "))
		}
	}
}

// warnOfSwitches does the same for switches.
func (f *filters) warnOfSwitches(o *options, data *branch) {
	switches := data.each("fabric", "switches", "switch")
	if len(switches) == 0 && !o.at.IsZero() {
		fmt.Fprintln(o.Stderr, "No switch was watched at that moment, or none that you may see: nothing is known of the fabric.")
	}
	warn(o, "Switch", f.on, switches, "its counts are those of before")
}

// warnOfConflicts says of how many pods it is disputed where they sit.
func warnOfConflicts(o *options, pods []*pod) {
	n := 0
	for _, p := range pods {
		if slices.ContainsFunc(p.Attachments, func(a attachment) bool { return a.Conflict != "" }) {
			n++
		}
	}
	if n > 0 && o.output == "table" {
		fmt.Fprintf(o.Stderr, "Where %d of them sit is disputed: -o wide says by what.\n", n)
	}
}

// warn tells of the peers with a name like want that are not ready, and what follows.
func warn(o *options, kind, want string, peers []*branch, consequence string) {
	n := nameAmong(want, peers, func(p *branch) []string { return []string{p.key("name")} })
	for _, p := range peers {
		state := p.in("state")
		connection, why := word(state.text("connection")), state.text("message")
		if connection == "" || connection == "ready" || want != "" && !n.admits(p.key("name")) {
			continue
		}
		if why != "" {
			why = " (" + why + ")"
		}
		fmt.Fprintf(o.Stderr, "%s %s is %s%s: %s.\n", kind, p.key("name"), connection, why, consequence)
	}
}
