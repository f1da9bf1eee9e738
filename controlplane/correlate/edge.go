package correlate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
	"unique"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// edgeKey is what makes an edge. The names of a party are kept once, for it has many edges.
type edgeKey struct {
	client, server unique.Handle[flow.Party]
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
	return edgeKey{client: unique.Make(client(&conv.Client.Identity)), protocol: conv.Protocol, port: conv.Server.Port,
		server: unique.Make(flow.Party{Cluster: conv.Server.Identity.Cluster, Namespace: namespace, Kind: flow.PartyService, Name: name})}, true
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
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{k.client.Value(), k.server.Value(), k.protocol, k.port}))
	return hex.EncodeToString(sum[:8])
}

// edge is an edge in the making.
type edge struct {
	key         edgeKey
	counts      flow.EdgeCounts
	first, last int64 // UnixNano
	told        int64 // when it was last recorded; 0: it is to be as soon as possible
	dirty       bool
}

func edgeFrom(f flow.Edge) *edge {
	k := edgeKey{client: unique.Make(f.Client), server: unique.Make(f.Server), protocol: f.Protocol, port: f.Port}
	return &edge{key: k, counts: f.EdgeCounts, first: f.First.UnixNano(), last: f.Last.UnixNano(), told: f.Last.UnixNano()}
}

// pause is how long what an edge counted waits to be recorded. Each record is a state in the history, and of an edge that
// is always busy there would be too many.
func (e *edge) pause(now time.Time) time.Duration {
	return min(max(time.Duration(now.UnixNano()-e.first)/60, edgeInterval), edgeSlowest)
}

func (e *edge) fact() flow.Edge {
	return flow.Edge{ID: e.key.id(), Client: e.key.client.Value(), Server: e.key.server.Value(), Protocol: e.key.protocol, Port: e.key.port,
		EdgeCounts: e.counts, First: time.Unix(0, e.first).UTC(), Last: time.Unix(0, e.last).UTC()}
}

// part is what an edge has of one conversation. There is one for every conversation with a service, so that it is short.
type part struct {
	edge             *edge
	forward, reverse flow.Counters
	lost             uint32
	serverTime       micros
	clientTime       micros
	refused          bool
	unanswered       bool
	counts           bool // as a connection
	syns             uint8
}

// micros is a time in µs, up to 71 minutes.
type micros uint32

func microsOf(d time.Duration) micros {
	return micros(min(max(0, (d+time.Microsecond-1)/time.Microsecond), math.MaxUint32))
}

func (m micros) duration() time.Duration { return time.Duration(m) * time.Microsecond }

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
		p.counts, p.syns, p.serverTime, p.clientTime = true, h.SYNs, microsOf(h.ServerRTT), microsOf(h.ClientRTT)
		p.refused, p.unanswered = h.State == flow.Refused, h.State == flow.Unanswered
	}
	return p
}

// add counts a part in its edge, or takes it back out with a sign of -1, which is modulo 2^64.
func (p *part) add(sign uint64) {
	c := &p.edge.counts
	for _, x := range []struct{ to, from *flow.Counters }{{&c.Forward, &p.forward}, {&c.Reverse, &p.reverse}} {
		x.to.Packets += sign * x.from.Packets
		x.to.Bytes += sign * x.from.Bytes
	}
	c.Lost += sign * uint64(p.lost)
	if p.counts {
		c.Connections += sign
	}
	if p.refused {
		c.Refused += sign
	}
	if p.unanswered {
		c.Unanswered += sign
	}
	c.Retransmitted += sign * uint64(max(p.syns, 1)-1)
	if p.serverTime > 0 {
		c.Handshakes += sign
		c.ServerTime += time.Duration(sign) * p.serverTime.duration()
		c.ClientTime += time.Duration(sign) * p.clientTime.duration()
		c.Buckets[bucketOf(p.serverTime.duration())] += sign
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
