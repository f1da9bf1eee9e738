package fabric

import (
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
)

// writes gives how many updates a switch was sent.
func (n *network) writes(sw string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sw[sw].writes
}

// asked gives the ARP messages that a host got since it was last looked at.
func (n *network) asked(h *testHost) []arp {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := h.arps
	h.arps = nil
	return out
}

// received gives the destinations of the IPv4 frames that a host got.
func (n *network) received(h *testHost) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(h.got)
}

// silence has a host answer no more.
func (n *network) silence(h *testHost) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.silent = true
}

// refuse has a switch answer writes with an error.
func (n *network) refuse(sw string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sw[sw].fail = err
}

// tables gives a switch's entries.
func (n *network) tables(sw string) (out []p4rt.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.sw[sw].entries {
		out = append(out, e)
	}
	return out
}

// told gives the changes of facts since the last restart, but of ports.
func (n *network) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.history)
}

// view is a state of facts as history would give it.
type view struct {
	facts map[inventory.Ref]inventory.Fact
}

func (v view) All(k inventory.Kind) func(yield func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for r, f := range v.facts {
			if r.Kind == k && !yield(inventory.Entry{Fact: f}) {
				return
			}
		}
	}
}
