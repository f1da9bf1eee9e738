package correlate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// TestMovesHaveAHistory: what comes and goes of the evidence changes how a place is known, and not since when the pod sits
// there; a place that is left is left, and the next one begins when it was first seen.
func TestMovesHaveAHistory(t *testing.T) {
	c, w := start(t)
	p := inventory.Pod{Cluster: "blue", Namespace: "shop", Name: "p", UID: "p", IPs: []netip.Addr{addr("10.244.1.5")}, Created: at(0)}
	node := inventory.Node{Cluster: "blue", Name: "n", Addresses: []netip.Addr{addr("10.1.1.11")}}
	endpoint := func(port string) inventory.Endpoint {
		return inventory.Endpoint{Switch: "leaf1", Port: port, Address: addr("10.1.1.11"), MAC: "m"}
	}
	seen := 0
	saw := func(port string, when int) {
		seen++
		conv := between("10.244.1.5", "192.0.2.1", tunnelled(port, 1, "10.1.1.11", "10.1.1.99"))
		conv.ID = fmt.Sprint(seen)
		conv.ForwardHops[0].First, conv.ForwardHops[0].Last, conv.First, conv.Last = at(when), at(when), at(when), at(when)
		c.Record(inventory.Became(conv, conv.Last))
	}
	var told []string
	note := func() {
		for _, ch := range w.take() {
			switch a, ok := ch.Fact.(inventory.Attachment); {
			case ok:
				told = append(told, fmt.Sprintf("%d: %s %s since %d", ch.Event.Unix()-at(0).Unix(), a.PortName, a.How, a.Since.Unix()-at(0).Unix()))
			case ch.Ref.Kind == inventory.KindAttachment:
				told = append(told, fmt.Sprintf("%d: left %s", ch.Event.Unix()-at(0).Unix(), strings.TrimPrefix(ch.Ref.ID, "p/leaf1/")))
			}
		}
	}
	became(c, inventory.Cluster{Name: "blue"}, at(0))
	became(c, node, at(0))
	became(c, endpoint("a"), at(1))
	became(c, p, at(2)) // and is on no node yet
	note()
	p.Node = "n"
	became(c, p, at(3))
	note()
	saw("a", 10)
	note()
	ended(c, endpoint("a").Ref(), at(20)) // the node is not heard for a moment
	note()
	became(c, endpoint("a"), at(25))
	note()
	became(c, endpoint("b"), at(60)) // it is plugged in elsewhere
	ended(c, endpoint("a").Ref(), at(61))
	saw("b", 62)
	note()
	ended(c, p.Ref(), at(90))
	note()
	want := []string{"3: a node-address since 3", "10: a both since 3", "20: a inner-address since 3", "25: a both since 3",
		"60: b node-address since 60", "61: a inner-address since 3", "61: b node-address since 60", "62: b both since 60", "62: left a", "90: left b"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}
