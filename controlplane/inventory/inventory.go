// Package inventory is the vocabulary of what exists: the objects of the Kubernetes
// clusters, the parts of the fabric, and where one sits on the other. Every value is an
// immutable fact; a change is a new fact under the same Ref. The package holds no state
// and depends on the standard library alone, so that every other package may speak it.
package inventory

import (
	"strings"
	"time"
)

// Kind names a sort of fact.
type Kind string

// The kinds of facts. Those of a cluster carry its name in Ref.Cluster; those of the
// fabric leave it empty.
const (
	KindCluster      Kind = "cluster"
	KindNamespace    Kind = "namespace"
	KindNode         Kind = "node"
	KindPod          Kind = "pod"
	KindService      Kind = "service"
	KindMember       Kind = "member"
	KindEntrance     Kind = "entrance"
	KindEvent        Kind = "event"
	KindGap          Kind = "gap"
	KindAttachment   Kind = "attachment"
	KindSwitch       Kind = "switch"
	KindPort         Kind = "port"
	KindLink         Kind = "link"
	KindLinkLoss     Kind = "link-loss"
	KindEndpoint     Kind = "endpoint"
	KindAccounting   Kind = "accounting"
	KindFlowCache    Kind = "flow-cache"
	KindLedger       Kind = "ledger"
	KindConversation Kind = "conversation"
	KindEdge         Kind = "edge"
	KindFinding      Kind = "finding"
)

// Ref identifies one object over its whole life. ID is unique within Kind and Cluster;
// how it is built is documented at each fact's Ref method.
type Ref struct {
	Kind    Kind   `json:"kind"`
	Cluster string `json:"cluster,omitempty"`
	ID      string `json:"id"`
}

// Compare orders references by kind, cluster and ID.
func (r Ref) Compare(o Ref) int {
	if r.Kind != o.Kind {
		return strings.Compare(string(r.Kind), string(o.Kind))
	}
	if r.Cluster != o.Cluster {
		return strings.Compare(r.Cluster, o.Cluster)
	}
	return strings.Compare(r.ID, o.ID) // cmp.Compare reads strings twice
}

// String gives the reference as kind:cluster/id, for messages.
func (r Ref) String() string {
	if r.Cluster == "" {
		return string(r.Kind) + ":" + r.ID
	}
	return string(r.Kind) + ":" + r.Cluster + "/" + r.ID
}

// Fact is one state of one object. Implementations are plain structs that marshal to JSON
// and back without loss.
type Fact interface {
	Ref() Ref
}

// Change says that at Event the object Ref became Fact, or ended when Fact is nil.
type Change struct {
	Ref   Ref
	Fact  Fact
	Event time.Time // when it happened, by the clock of the switch or of the API server
}

// Became is the change to a new state at t.
func Became(f Fact, t time.Time) Change { return Change{Ref: f.Ref(), Fact: f, Event: t} }

// Ended is the change to no longer existing at t.
func Ended(r Ref, t time.Time) Change { return Change{Ref: r, Event: t} }

// Entry is a fact together with when it began and when that became known.
type Entry struct {
	Fact   Fact
	Event  time.Time // when it became so
	Commit time.Time // when Fabricscope knew
}

// Update is an Entry in a stream of changes. Fact is nil when the object ended. Versions
// rise by one for each update of one store.
type Update struct {
	Version uint64
	Ref     Ref
	Entry
	// Before is what whoever reads the stream knew until then; its Fact is nil when that was
	// nothing.
	Before Entry
}

// Lister is as much of a View as those need who take over a whole state.
type Lister interface {
	// All yields every fact of a kind, ordered by Ref.
	All(k Kind) func(yield func(Entry) bool)
}

// View is a consistent state of everything, for one moment.
type View interface {
	Lister
	// Get gives the fact under r.
	Get(r Ref) (Entry, bool)
	// From yields the facts of a kind in a cluster, "" for the fabric, whose IDs are not less
	// than id, ordered by ID.
	From(k Kind, cluster, id string) func(yield func(Entry) bool)
	// Version is the number of the last update the view includes; 0 for a past moment.
	Version() uint64
}
