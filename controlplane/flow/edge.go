package flow

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Edge is what one party asked of one service on one port, over all connections.
type Edge struct {
	ID       string   `json:"id"` // stable for the parties, the protocol and the port
	Client   Party    `json:"client"`
	Server   Party    `json:"server"` // of kind PartyService
	Protocol Protocol `json:"protocol"`
	Port     uint16   `json:"port"` // 0 where the protocol has none
	EdgeCounts
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Kinds of parties that are no workloads; those have the kind of the object, as Deployment.
const (
	PartyService = "service"
	PartyNode    = "node"
	PartyOutside = "outside" // of every cluster, or not known
)

// Party is one side of an edge.
type Party struct {
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name,omitempty"`
}

// EdgeCounts are sums over connections; TCP's alone have handshakes.
type EdgeCounts struct {
	Forward       Counters                 `json:"forward"` // from the client
	Reverse       Counters                 `json:"reverse"`
	Connections   uint64                   `json:"connections"` // of TCP: whose SYN was seen; of others: all
	Refused       uint64                   `json:"refused,omitempty"`
	Unanswered    uint64                   `json:"unanswered,omitempty"`
	Retransmitted uint64                   `json:"retransmitted,omitempty"` // SYNs beyond the first of a connection
	Lost          uint64                   `json:"lost,omitempty"`          // packets of both directions, for certain
	Handshakes    uint64                   `json:"handshakes,omitempty"`    // that were timed
	ServerTime    time.Duration            `json:"server-time,omitempty"`   // from SYN to SYN-ACK, of all of them
	ClientTime    time.Duration            `json:"client-time,omitempty"`   // from SYN-ACK to ACK
	Buckets       [HandshakeBuckets]uint64 `json:"buckets"`                 // handshakes by the server's time
}

// HandshakeBuckets is how many buckets handshakes are counted in.
const HandshakeBuckets = 9

// HandshakeBounds are the upper bounds of the buckets of handshake times, but of the last, which has none.
func HandshakeBounds() [HandshakeBuckets - 1]time.Duration {
	return [...]time.Duration{time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond,
		100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second}
}

// Ref has the edge's ID as its ID.
func (e Edge) Ref() inventory.Ref { return inventory.Ref{Kind: inventory.KindEdge, ID: e.ID} }
