package history

import "github.com/fabricscope/fabricscope/controlplane/inventory"

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

// From implements inventory.View.
func (v view) From(k inventory.Kind, cluster, id string) func(yield func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		v.root.ascend(inventory.Ref{Kind: k, Cluster: cluster, ID: id}, func(n *node) bool {
			return n.ref.Kind == k && n.ref.Cluster == cluster && yield(n.rec.Entry)
		})
	}
}

// Version implements inventory.View.
func (v view) Version() uint64 { return v.version }
