package history

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// record is a fact of the current state. sum identifies its content.
type record struct {
	inventory.Entry
	sum sum
}

// tree is an ordered map of the current state: a treap whose nodes are shared with the
// snapshots taken of it. A node made since the last snapshot is changed in place; an
// older one is copied first. The zero value is an empty tree.
type tree struct {
	root  *node
	epoch uint64 // of nodes that no snapshot shares
}

type node struct {
	ref         inventory.Ref
	rec         record
	left, right *node
	epoch       uint64
	priority    uint32 // not less than that of the children
}

// snapshot gives a root that no later change touches.
func (t *tree) snapshot() *node {
	t.epoch++
	return t.root
}

func (t *tree) set(r inventory.Ref, rec record) { t.root = t.insert(t.root, r, rec) }

func (t *tree) insert(n *node, r inventory.Ref, rec record) *node {
	if n == nil {
		return &node{ref: r, rec: rec, epoch: t.epoch, priority: rand.Uint32()}
	}
	n = t.own(n)
	switch c := r.Compare(n.ref); {
	case c < 0:
		n.left = t.insert(n.left, r, rec)
		if l := n.left; l.priority > n.priority {
			n.left, l.right = l.right, n
			return l
		}
	case c > 0:
		n.right = t.insert(n.right, r, rec)
		if g := n.right; g.priority > n.priority {
			n.right, g.left = g.left, n
			return g
		}
	default:
		n.rec = rec
	}
	return n
}

// grove collects what a tree is to be made of, all at once. The zero value is empty.
type grove struct {
	nodes []*node
	room  []node // for the next ones: a node is too large to be moved often
}

// groveRoom is for how many nodes there is room at once.
const groveRoom = 512

func (g *grove) add(r inventory.Ref, rec record) {
	if len(g.room) == 0 {
		g.room = make([]node, groveRoom)
	}
	n := &g.room[0]
	n.ref, n.rec, g.room = r, rec, g.room[1:]
	g.nodes = append(g.nodes, n)
}

// tree makes the tree, which the nodes are then.
func (g *grove) tree() *node { return planted(g.nodes) }

// planted makes a tree of nodes, all at once; of those with one reference it takes any.
func planted(nodes []*node) *node {
	byOrder(nodes)
	return balanced(slices.CompactFunc(nodes, func(a, b *node) bool { return a.ref == b.ref }))
}

// byOrder sorts nodes by their references. Most are decided by the first bytes of their IDs, which are compared as a number.
func byOrder(nodes []*node) {
	type stand struct {
		kind    inventory.Kind
		cluster string
	}
	type ranked struct {
		id uint64
		n  *node
	}
	counts := map[stand]int{}
	for _, n := range nodes {
		counts[stand{n.ref.Kind, n.ref.Cluster}]++
	}
	together := make(map[stand][]ranked, len(counts))
	for at, n := range counts {
		together[at] = make([]ranked, 0, n)
	}
	for _, n := range nodes {
		at := stand{n.ref.Kind, n.ref.Cluster}
		var first [8]byte
		copy(first[:], n.ref.ID)
		together[at] = append(together[at], ranked{binary.BigEndian.Uint64(first[:]), n})
	}
	stands := slices.SortedFunc(maps.Keys(together), func(a, b stand) int {
		return inventory.Ref{Kind: a.kind, Cluster: a.cluster}.Compare(inventory.Ref{Kind: b.kind, Cluster: b.cluster})
	})
	nodes = nodes[:0]
	for _, at := range stands {
		all := together[at]
		slices.SortFunc(all, func(a, b ranked) int {
			if a.id != b.id {
				return cmp.Compare(a.id, b.id)
			}
			return strings.Compare(a.n.ref.ID, b.n.ref.ID)
		})
		for _, r := range all {
			nodes = append(nodes, r.n)
		}
	}
}

// balanced makes a tree of sorted nodes. The priority of a root is what the largest of so many random ones is on average, so
// that the tree stays as it is when others are inserted.
func balanced(nodes []*node) *node {
	if len(nodes) == 0 {
		return nil
	}
	middle := len(nodes) / 2
	n := nodes[middle]
	n.priority = uint32(math.MaxUint32 * (float64(len(nodes)) / float64(len(nodes)+1)))
	n.left, n.right = balanced(nodes[:middle]), balanced(nodes[middle+1:])
	return n
}

// remove takes r out; r must be present.
func (t *tree) remove(r inventory.Ref) { t.root = t.without(t.root, r) }

func (t *tree) without(n *node, r inventory.Ref) *node {
	switch c := r.Compare(n.ref); {
	case c < 0:
		n = t.own(n)
		n.left = t.without(n.left, r)
	case c > 0:
		n = t.own(n)
		n.right = t.without(n.right, r)
	default:
		return t.join(n.left, n.right)
	}
	return n
}

// join makes one tree of two, all of a before all of b.
func (t *tree) join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority >= b.priority:
		a = t.own(a)
		a.right = t.join(a.right, b)
		return a
	default:
		b = t.own(b)
		b.left = t.join(a, b.left)
		return b
	}
}

func (t *tree) own(n *node) *node {
	if n.epoch == t.epoch {
		return n
	}
	c := *n
	c.epoch = t.epoch
	return &c
}

// find gives the record under r in the tree below n.
func (n *node) find(r inventory.Ref) (record, bool) {
	for n != nil {
		switch c := r.Compare(n.ref); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n.rec, true
		}
	}
	return record{}, false
}

// ascend yields what is not before from, in order, until yield says no.
func (n *node) ascend(from inventory.Ref, yield func(*node) bool) bool {
	if n == nil {
		return true
	}
	if from.Compare(n.ref) <= 0 {
		if !n.left.ascend(from, yield) || !yield(n) {
			return false
		}
	}
	return n.right.ascend(from, yield)
}
