package correlate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// placesOf gives where a pod sits as port:how:confidence, sorted, and the conflicts.
func placesOf(c *Correlator, p inventory.Pod) (where []string, conflicts string) {
	for _, a := range c.attachments.known[p.Ref()] {
		where = append(where, fmt.Sprintf("%s:%s:%d", a.PortName, a.How, a.Confidence))
		conflicts += a.Conflict + ";"
	}
	slices.Sort(where)
	return where, strings.Trim(conflicts, ";")
}

func TestWhereAPodSits(t *testing.T) {
	p := inventory.Pod{Cluster: "blue", Namespace: "shop", Name: "p", UID: "p", Node: "n", IPs: []netip.Addr{addr("10.244.1.5")}, Created: at(0)}
	node := inventory.Node{Cluster: "blue", Name: "n", Addresses: []netip.Addr{addr("10.1.1.11"), addr("10.2.1.11")}}
	learned := func(c *Correlator, port, address, mac string, when int) {
		became(c, inventory.Endpoint{Switch: "leaf1", Port: port, Address: addr(address), MAC: mac}, at(when))
	}
	saw := func(c *Correlator, w *world, port string, from, to int) {
		conv := between("10.244.1.5", "192.0.2.1", tunnelled(port, 1, "10.1.1.11", "10.1.1.99"))
		conv.ID += port
		conv.ForwardHops[0].First, conv.ForwardHops[0].Last, conv.Last = at(from), at(to), at(to)
		record(c, w, conv)
	}
	for name, test := range map[string]struct {
		play     func(*Correlator, *world)
		want     string
		conflict string
	}{
		"by the node alone": {func(c *Correlator, w *world) { learned(c, "a", "10.1.1.11", "m", 1) }, "a:node-address:90", ""},
		"confirmed":         {func(c *Correlator, w *world) { learned(c, "a", "10.1.1.11", "m", 1); saw(c, w, "a", 2, 3) }, "a:both:100", ""},
		"by the pod alone":  {func(c *Correlator, w *world) { saw(c, w, "a", 2, 3) }, "a:inner-address:80", ""},
		"multi-homed: two addresses at two ports": {func(c *Correlator, w *world) {
			learned(c, "a", "10.1.1.11", "m", 1)
			learned(c, "b", "10.2.1.11", "o", 1)
			saw(c, w, "a", 2, 3)
		}, "a:both:100 b:node-address:90", ""},
		"a LAG: one neighbour at two ports": {func(c *Correlator, w *world) {
			became(c, inventory.Port{Switch: "leaf1", Name: "a", Peer: "n"}, at(0))
			became(c, inventory.Port{Switch: "leaf1", Name: "b", Peer: "n"}, at(0))
			learned(c, "a", "10.1.1.11", "m", 1)
			saw(c, w, "b", 2, 3)
		}, "a:node-address:90 b:inner-address:80", ""},
		"packets enter where the node is not": {func(c *Correlator, w *world) { learned(c, "a", "10.1.1.11", "m", 1); saw(c, w, "b", 2, 3) },
			"a:node-address:50 b:inner-address:50", "packets of the pod enter at leaf1/b;the node's address is at leaf1/a"},
		"two machines with one address": {func(c *Correlator, w *world) {
			learned(c, "a", "10.1.1.11", "m", 1)
			learned(c, "b", "10.1.1.11", "o", 2)
		},
			"a:node-address:50 b:node-address:50", "10.1.1.11 is o's, too, at leaf1/b;10.1.1.11 is m's, too, at leaf1/a"},
		"a node that moved": {func(c *Correlator, w *world) {
			learned(c, "a", "10.1.1.11", "m", 1)
			saw(c, w, "a", 2, 3)
			learned(c, "b", "10.1.1.11", "m", 50)
			ended(c, inventory.Endpoint{Switch: "leaf1", Port: "a", Address: addr("10.1.1.11")}.Ref(), at(51))
			saw(c, w, "b", 50, 60)
		}, "b:both:100", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := start(t)
			became(c, inventory.Cluster{Name: "blue"}, at(0))
			became(c, node, at(0))
			became(c, p, at(0))
			test.play(c, w)
			where, conflicts := placesOf(c, p)
			if got := strings.Join(where, " "); got != test.want || conflicts != test.conflict {
				t.Errorf("%s (%s)\nwant %s (%s)", got, conflicts, test.want, test.conflict)
			}
		})
	}
}
