package correlate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// edgeKey is what makes an edge.
type edgeKey struct {
	client, server flow.Party
	protocol       flow.Protocol
	port           uint16
}

// edgeOf says to which edge a conversation belongs; none where no service is asked. What is behind an
// address translation is counted in front of it.
func edgeOf(conv *flow.Conversation) (k edgeKey, ok bool) {
	if conv.Server.Identity.Service == "" {
		return k, false
	}
	for _, l := range conv.Legs {
		if l.Side == flow.Front {
			return k, false
		}
	}
	namespace, name, _ := strings.Cut(conv.Server.Identity.Service, "/")
	return edgeKey{client: client(&conv.Client.Identity), protocol: conv.Protocol, port: conv.Server.Port,
		server: flow.Party{Cluster: conv.Server.Identity.Cluster, Namespace: namespace, Kind: flow.PartyService, Name: name}}, true
}

// client is the workload that an end belongs to, or the next best.
func client(id *flow.Identity) flow.Party {
	kind, name, ok := strings.Cut(id.Workload, "/")
	switch {
	case id.PodUID != "" && ok:
		return flow.Party{Cluster: id.Cluster, Namespace: id.Namespace, Kind: kind, Name: name}
	case id.PodUID != "":
		return flow.Party{Cluster: id.Cluster, Namespace: id.Namespace, Kind: "Pod", Name: id.Pod}
	case id.Node != "":
		return flow.Party{Cluster: id.Cluster, Kind: flow.PartyNode, Name: id.Node}
	}
	return flow.Party{Kind: flow.PartyOutside}
}

func (k edgeKey) id() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{k.client, k.server, k.protocol, k.port}))
	return hex.EncodeToString(sum[:8])
}

// edge is an edge in the making.
type edge struct {
	fact  flow.Edge
	dirty bool
	told  time.Time // when it was last recorded
}

// part is what an edge has of one conversation. There is one for every conversation with a service.
type part struct {
	edge             *edge
	forward, reverse flow.Counters
	lost             uint32
	serverTime       time.Duration
	clientTime       time.Duration
	state            flow.HandshakeState
	syns             uint8
	counts           bool // as a connection
}

func partOf(conv *flow.Conversation, e *edge) part {
	p := part{edge: e, forward: conv.Forward, reverse: conv.Reverse, counts: conv.Protocol != flow.TCP}
	for _, segments := range [][]flow.Segment{conv.ForwardSegments, conv.ReverseSegments} {
		for i := range segments {
			if segments[i].Lossy() {
				p.lost += uint32(segments[i].Lost)
			}
		}
	}
	if h := conv.Handshake; h != nil {
		p.counts, p.state, p.syns, p.serverTime, p.clientTime = true, h.State, h.SYNs, h.ServerRTT, h.ClientRTT
	}
	return p
}

// add counts a part in its edge, or takes it back out with a sign of -1, which is modulo 2^64.
func (p *part) add(sign uint64) {
	c := &p.edge.fact.EdgeCounts
	for _, x := range []struct{ to, from *flow.Counters }{{&c.Forward, &p.forward}, {&c.Reverse, &p.reverse}} {
		x.to.Packets += sign * x.from.Packets
		x.to.Bytes += sign * x.from.Bytes
	}
	c.Lost += sign * uint64(p.lost)
	if p.counts {
		c.Connections += sign
	}
	switch p.state {
	case flow.Refused:
		c.Refused += sign
	case flow.Unanswered:
		c.Unanswered += sign
	}
	c.Retransmitted += sign * uint64(max(p.syns, 1)-1)
	if p.serverTime > 0 {
		c.Handshakes += sign
		c.ServerTime += time.Duration(sign) * p.serverTime
		c.ClientTime += time.Duration(sign) * p.clientTime
		c.Buckets[bucketOf(p.serverTime)] += sign
	}
}

func bucketOf(d time.Duration) int {
	for i, bound := range flow.HandshakeBounds() {
		if d <= bound {
			return i
		}
	}
	return flow.HandshakeBuckets - 1
}
