package access

import (
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// standing is how an object stands to what a reader sees.
type standing uint8

const (
	foreign standing = iota // another's
	common                  // nobody's alone
	own
)

// standing judges a cluster and a namespace, of which either may be empty.
func (r *Reader) standing(cluster, namespace string) standing {
	switch {
	case len(r.Clusters) > 0 && cluster != "" && !slices.Contains(r.Clusters, cluster),
		len(r.Namespaces) > 0 && namespace != "" && !slices.Contains(r.Namespaces, namespace):
		return foreign
	case len(r.Clusters) > 0 && cluster == "", len(r.Namespaces) > 0 && namespace == "":
		return common
	}
	return own
}

// Scope is what one reader sees of the facts.
type Scope struct {
	*Reader
	key []byte // of the IDs that are given in the place of those that tell names
}

// Show implements the gNMI server's Reader: it gives a fact as the reader sees it. What is not known here is not shown
// to a reader who does not see everything.
func (r *Scope) Show(path string, f inventory.Fact) (inventory.Fact, bool) {
	if r.all() {
		return f, true
	}
	switch f := f.(type) {
	case flow.Conversation:
		return r.showConversation(path, f)
	case flow.Edge:
		return r.showEdge(path, f)
	case inventory.Finding:
		return r.showFinding(path, f)
	}
	cluster, namespace, known := placeOf(f)
	if !known {
		return nil, false
	}
	switch r.standing(cluster, namespace) {
	case foreign:
		return nil, false
	case common:
		return f, beneath(path, r.Shared)
	}
	return r.trim(f), true
}

// placeOf gives the cluster and the namespace that a fact is of.
func placeOf(f inventory.Fact) (cluster, namespace string, known bool) {
	switch f := f.(type) {
	case inventory.Cluster:
		return f.Name, "", true
	case inventory.Gap:
		return f.Cluster, "", true
	case inventory.Node:
		return f.Cluster, "", true
	case inventory.Namespace:
		return f.Cluster, f.Name, true
	case inventory.Pod:
		return f.Cluster, f.Namespace, true
	case inventory.Attachment:
		return f.Cluster, f.Namespace, true
	case inventory.Service:
		return f.Cluster, f.Namespace, true
	case inventory.Member:
		return f.Cluster, f.Namespace, true
	case inventory.Entrance:
		return f.Cluster, f.Namespace, true
	case inventory.Event:
		return f.Cluster, f.Namespace, true
	case inventory.Switch, inventory.Port, inventory.Link, inventory.LinkLoss, inventory.Endpoint, inventory.Accounting, inventory.FlowCache:
		return "", "", true
	}
	return "", "", false
}

// trim takes out of a fact what it says of others.
func (r *Scope) trim(f inventory.Fact) inventory.Fact {
	switch f := f.(type) {
	case inventory.Attachment:
		f.Conflict = "" // names hosts and ports that are others'
		return f
	case inventory.Entrance:
		f.Services = r.ownServices(f.Cluster, f.Services)
		return f
	}
	return f
}

// servicesOf takes a list of namespace/name apart, with commas between, as identities have it.
func servicesOf(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' })
}

// ownServices keeps those of a list of namespace/name that the reader sees.
func (r *Reader) ownServices(cluster string, list []string) []string {
	var out []string
	for _, s := range list {
		namespace, _, _ := strings.Cut(s, "/")
		if r.standing(cluster, namespace) == own {
			out = append(out, s)
		}
	}
	return out
}
