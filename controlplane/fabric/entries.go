package fabric

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

// maxGroup is how many members an ECMP group can have: its size has eight bits.
const maxGroup = 255

// hop is where a packet goes next: out of a port, to a MAC address.
type hop struct {
	port uint32
	mac  mac
}

// routes are what one switch should forward.
type routes struct {
	self       mac
	gateways   []Gateway
	neighbours map[netip.Addr]hop
	remote     map[netip.Prefix][]hop // ordered, without duplicates
}

// numbers are the identifiers that one switch's entries refer to each other by. A group is
// known by its members, so a set of next hops that changes becomes another group: its members
// are there before a route refers to them.
type numbers struct {
	hops   *ids[hop]
	groups *ids[string]
}

func newNumbers() numbers { return numbers{newIDs[hop](), newIDs[string]()} }

// managedTables lists the tables that routing owns, in order of dependence.
func managedTables(enabled bool) []string {
	if !enabled {
		return []string{p4src.TableTunnelPort}
	}
	return []string{p4src.TableTunnelPort, p4src.TableNexthop, p4src.TableECMPMember, p4src.TableIPv4Route, p4src.TableMyMAC}
}

// tunnelEntries name the UDP ports of tunnels and what they carry.
func tunnelEntries(vxlan, geneve []uint16) []p4rt.Entry {
	var out []p4rt.Entry
	add := func(action string, ports []uint16) {
		for _, p := range ports {
			out = append(out, p4rt.Entry{
				Table: p4src.TableTunnelPort, Action: action,
				Match: []p4rt.Match{p4rt.Exact(p4src.FieldUDPDstPort, p4rt.Uint(uint64(p)))},
			})
		}
	}
	add(p4src.ActionVXLAN, vxlan)
	add(p4src.ActionGeneve, geneve)
	return out
}

// entries translates routes to table entries.
func (r routes) entries(n numbers) []p4rt.Entry {
	b := builder{self: r.self, numbers: n, hops: map[hop]bool{}, groups: map[string]bool{}}
	b.out = append(b.out, p4rt.Entry{
		Table: p4src.TableMyMAC, Action: p4src.ActionRoutePacket,
		Match: []p4rt.Match{p4rt.Exact(p4src.FieldEthernetDst, r.self.value())},
	})
	for _, g := range r.gateways {
		subnet := g.Address.Masked()
		b.route(subnet, p4src.ActionPunt, p4rt.Param{Name: p4src.ParamReason, Value: p4rt.Uint(uint64(p4src.PuntGlean))})
		b.route(host(g.Address.Addr()), p4src.ActionPunt, p4rt.Param{Name: p4src.ParamReason, Value: p4rt.Uint(uint64(p4src.PuntGateway))})
		b.route(host(subnet.Addr()), p4src.ActionDiscard)
		b.route(host(broadcast(g.Address)), p4src.ActionDiscard)
	}
	for _, a := range slices.SortedFunc(maps.Keys(r.neighbours), netip.Addr.Compare) {
		b.via(host(a), []hop{r.neighbours[a]})
	}
	for _, p := range slices.SortedFunc(maps.Keys(r.remote), comparePrefixes) {
		b.via(p, r.remote[p])
	}
	n.hops.retain(b.hops)
	n.groups.retain(b.groups)
	return b.out
}

// builder collects entries and what they refer to.
type builder struct {
	self mac
	numbers
	out    []p4rt.Entry
	hops   map[hop]bool
	groups map[string]bool
}

func (b *builder) route(p netip.Prefix, action string, params ...p4rt.Param) {
	b.out = append(b.out, p4rt.Entry{
		Table: p4src.TableIPv4Route, Action: action, Params: params,
		Match: []p4rt.Match{p4rt.Prefix(p4src.FieldIPv4Dst, p)},
	})
}

// via routes p over one next hop, or a group of them.
func (b *builder) via(p netip.Prefix, hops []hop) {
	if len(hops) == 0 {
		return
	}
	if len(hops) == 1 {
		b.route(p, p4src.ActionSetNexthop, p4rt.Param{Name: p4src.ParamNexthop, Value: b.nexthop(hops[0])})
		return
	}
	hops = hops[:min(len(hops), maxGroup)]
	key := groupKey(hops)
	group := p4rt.Uint(uint64(b.numbers.groups.get(key)))
	if !b.groups[key] {
		b.groups[key] = true
		for i, h := range hops {
			b.out = append(b.out, p4rt.Entry{
				Table: p4src.TableECMPMember, Action: p4src.ActionSetNexthop,
				Match:  []p4rt.Match{p4rt.Exact(p4src.FieldGroup, group), p4rt.Exact(p4src.FieldIndex, p4rt.Uint(uint64(i)))},
				Params: []p4rt.Param{{Name: p4src.ParamNexthop, Value: b.nexthop(h)}},
			})
		}
	}
	b.route(p, p4src.ActionSetGroup, p4rt.Param{Name: p4src.ParamGroup, Value: group},
		p4rt.Param{Name: p4src.ParamSize, Value: p4rt.Uint(uint64(len(hops)))})
}

// nexthop gives the number of a next hop, and makes its entry at the first use.
func (b *builder) nexthop(h hop) p4rt.Value {
	id := p4rt.Uint(uint64(b.numbers.hops.get(h)))
	if !b.hops[h] {
		b.hops[h] = true
		b.out = append(b.out, p4rt.Entry{
			Table: p4src.TableNexthop, Action: p4src.ActionForward,
			Match: []p4rt.Match{p4rt.Exact(p4src.FieldNexthop, id)},
			Params: []p4rt.Param{
				{Name: p4src.ParamPort, Value: p4rt.Uint(uint64(h.port))},
				{Name: p4src.ParamSrcMAC, Value: b.self.value()},
				{Name: p4src.ParamDstMAC, Value: h.mac.value()},
			},
		})
	}
	return id
}

// groupKey names a group by its members.
func groupKey(hops []hop) string {
	var key []byte
	for _, h := range hops {
		key = binary.BigEndian.AppendUint32(key, h.port)
		key = append(key, h.mac[:]...)
	}
	return string(key)
}

// adopt takes over the numbers in entries read back from a switch, so that what it has
// already is not written again under other numbers.
func (n numbers) adopt(entries []p4rt.Entry) {
	hops := map[uint64]hop{}
	members := map[uint64]map[uint64]hop{}
	number := func(e p4rt.Entry, field string) uint64 {
		m, _ := e.Field(field)
		return m.Value.Uint64()
	}
	for _, e := range entries {
		if e.Table == p4src.TableNexthop && e.Action == p4src.ActionForward {
			h := hop{uint32(e.Param(p4src.ParamPort).Uint64()), macOf(e.Param(p4src.ParamDstMAC))}
			id := number(e, p4src.FieldNexthop)
			hops[id] = h
			n.hops.adopt(h, uint16(id))
		}
	}
	for _, e := range entries {
		if e.Table != p4src.TableECMPMember || e.Action != p4src.ActionSetNexthop {
			continue
		}
		g := number(e, p4src.FieldGroup)
		if members[g] == nil {
			members[g] = map[uint64]hop{}
		}
		members[g][number(e, p4src.FieldIndex)] = hops[e.Param(p4src.ParamNexthop).Uint64()]
	}
	for g, m := range members {
		list := make([]hop, len(m))
		for i := range list {
			list[i] = m[uint64(i)]
		}
		n.groups.adopt(groupKey(list), uint16(g))
	}
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}
