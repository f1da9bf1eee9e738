package p4rtserver

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"

// remember lets a rollback give a key of a map of the server's back what it holds now.
func remember[K comparable, V any](sw *engine.Switch, m map[K]V, k K) {
	old, had := m[k]
	sw.Undo(func() {
		if had {
			m[k] = old
		} else {
			delete(m, k)
		}
	})
}

// recall lets a rollback give a variable of the server's back what it holds now.
func recall[V any](sw *engine.Switch, v *V) {
	old := *v
	sw.Undo(func() { *v = old })
}
