package gnmi

import (
	"math"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func edgeKind() *kind {
	return &kind{
		fact: inventory.KindEdge, name: []string{"flows", "services", "edge"},
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(flow.Edge).ID) },
		id:   bySlash, leaves: edgeLeaves,
	}
}

func edgeLeaves(e inventory.Entry, w *writer) {
	f := e.Fact.(flow.Edge)
	w.in("state", func() {
		w.leaf("id", str(f.ID))
		w.leaf("client-cluster", str(f.Client.Cluster))
		w.leaf("client-namespace", str(f.Client.Namespace))
		w.leaf("client-kind", str(f.Client.Kind))
		w.leaf("client-name", str(f.Client.Name))
		w.leaf("server-cluster", str(f.Server.Cluster))
		w.leaf("server-namespace", str(f.Server.Namespace))
		w.leaf("server-name", str(f.Server.Name))
		w.leaf("protocol", num(uint16(f.Protocol)))
		w.leaf("port", num(f.Port))
		w.leaf("first-seen", instant(f.First))
		w.in("counters", func() {
			w.leaf("last-seen", instant(f.Last))
			w.leaf("connections", num(f.Connections))
			w.leaf("refused", num(f.Refused))
			w.leaf("unanswered", num(f.Unanswered))
			w.leaf("retransmitted-syns", num(f.Retransmitted))
			w.leaf("handshakes", num(f.Handshakes))
			w.leaf("lost-pkts", num(f.Lost))
			w.leaf("server-time", num(uint64(f.ServerTime)))
			w.leaf("client-time", num(uint64(f.ClientTime)))
			bucketLeaves("forward", inventory.Bucket(f.Forward), w)
			bucketLeaves("reverse", inventory.Bucket(f.Reverse), w)
		})
	})
	w.in("handshake-times", func() {
		bounds := flow.HandshakeBounds()
		for i, n := range f.Buckets {
			upTo := uint32(math.MaxUint32)
			if i < len(bounds) {
				upTo = uint32(bounds[i].Microseconds())
			}
			if n == 0 {
				continue
			}
			w.entry("bucket", []value{num(upTo)}, func() {
				w.in("state", func() {
					w.leaf("up-to", num(upTo))
					w.leaf("handshakes", num(n))
				})
			})
		}
	})
}
