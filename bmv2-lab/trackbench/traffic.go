package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// conversation is one of the pods', by number: who talks to whom follows from it.
type conversation struct {
	client, server         int
	clientPort, serverPort uint16
	protocol               flow.Protocol
	spines                 [2]int // of the way there and back; -1 within a leaf
}

// away is the share of conversations, in percent, that leave their leaf.
const away = 46

func conversationOf(n int) conversation {
	r := mix(uint64(n))
	c := conversation{client: n % pods, clientPort: uint16(32768 + n/pods), serverPort: 8080, protocol: flow.TCP, spines: [2]int{-1, -1}}
	if r%10 >= 8 {
		c.protocol, c.serverPort = flow.UDP, 53
	}
	leaf := leafOf(c.client)
	if r>>8%100 < away {
		leaf = (leaf + 1 + int(r>>16%(leaves-1))) % leaves
		c.spines = [2]int{int(r >> 24 % spines), int(r >> 32 % spines)}
	}
	node := leaf*nodesPerLeaf + int(r>>40%nodesPerLeaf)
	if node == c.client/podsPerNode { // it has to come out of its node
		node = leaf*nodesPerLeaf + (node+1)%nodesPerLeaf
	}
	c.server = node*podsPerNode + int(r>>48%podsPerNode)
	return c
}

// hop is where a direction of a conversation enters a switch.
type hop struct {
	sw  int
	key flow.Key
}

// hops are all of a conversation, in the order in which its first packets pass.
func (c conversation) hops() []hop {
	there := flow.Tuple{Protocol: c.protocol, Src: podAddress(c.client), Dst: podAddress(c.server), SrcPort: c.clientPort, DstPort: c.serverPort}
	back := flow.Tuple{Protocol: c.protocol, Src: there.Dst, Dst: there.Src, SrcPort: there.DstPort, DstPort: there.SrcPort}
	return append(way(c.client, c.server, c.spines[0], there), way(c.server, c.client, c.spines[1], back)...)
}

func way(from, to, spine int, t flow.Tuple) []hop {
	outer := flow.Outer{Kind: flow.VXLAN, VNI: 7, Src: nodeAddress(from / podsPerNode), Dst: nodeAddress(to / podsPerNode)}
	at := func(sw int, port uint32) hop { return hop{sw, flow.Key{IngressPort: port, Outer: outer, Tuple: t}} }
	out := []hop{at(leafOf(from), hostPort(from))}
	if spine >= 0 {
		out = append(out, at(leaves+spine, uint32(leafOf(from))+1), at(leafOf(to), firstUplink+uint32(spine)))
	}
	return out
}

// phase is by how much the epochs of a tuple are ahead (p4src/flow_cache.p4).
func phase(t flow.Tuple) uint64 {
	low := func(a netip.Addr) uint32 {
		b := a.As16()
		return binary.BigEndian.Uint32(b[12:]) & (1<<epochBits - 1)
	}
	ports := uint32(t.SrcPort)<<16 | uint32(t.DstPort)
	return uint64(ports>>(32-epochBits) ^ low(t.Src) ^ low(t.Dst))
}

// mix scatters numbers (splitmix64: Steele, Lea and Flood, 2014).
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
