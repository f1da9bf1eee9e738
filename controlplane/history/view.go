package history

import (
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// view is one consistent state, shared by whoever asked for it and never changed.
type view struct {
	root    *node
	version uint64
}

// Get implements inventory.View.
func (v view) Get(r inventory.Ref) (inventory.Entry, bool) {
	rec, ok := v.root.find(r)
	return rec.Entry, ok
}

// All implements inventory.View.
func (v view) All(k inventory.Kind) func(yield func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		v.root.ascend(inventory.Ref{Kind: k}, func(n *node) bool {
			return n.ref.Kind == k && yield(n.rec.Entry)
		})
	}
}

// Within implements inventory.View.
func (v view) Within(k inventory.Kind, cluster, prefix string) func(yield func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		v.root.ascend(inventory.Ref{Kind: k, Cluster: cluster, ID: prefix}, func(n *node) bool {
			return n.ref.Kind == k && n.ref.Cluster == cluster && strings.HasPrefix(n.ref.ID, prefix) && yield(n.rec.Entry)
		})
	}
}

// Version implements inventory.View.
func (v view) Version() uint64 { return v.version }
