package records

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// row is a record as segments and exports have it: docs/formats/records.md explains the
// columns. The encodings are those that take the least space for rows in the order of segments.
type row struct {
	Time         millis `parquet:"time,timestamp(millisecond),dict" json:"time"`
	Conversation string `parquet:"conversation,delta" json:"conversation"`
	Protocol     uint16 `parquet:"protocol,dict" json:"protocol"`
	ICMPType     uint16 `parquet:"icmp_type,dict" json:"icmp_type"`
	Opaque       string `parquet:"opaque,dict" json:"opaque"`
	Verdict      string `parquet:"verdict,dict" json:"verdict"`

	ClientAddress    string `parquet:"client_address,dict" json:"client_address"`
	ClientPort       uint16 `parquet:"client_port,delta" json:"client_port"`
	ClientCluster    string `parquet:"client_cluster,dict" json:"client_cluster"`
	ClientNamespace  string `parquet:"client_namespace,dict" json:"client_namespace"`
	ClientPod        string `parquet:"client_pod,dict" json:"client_pod"`
	ClientPodUID     string `parquet:"client_pod_uid,dict" json:"client_pod_uid"`
	ClientWorkload   string `parquet:"client_workload,dict" json:"client_workload"`
	ClientService    string `parquet:"client_service,dict" json:"client_service"`
	ClientNode       string `parquet:"client_node,dict" json:"client_node"`
	ClientSwitch     string `parquet:"client_switch,dict" json:"client_switch"`
	ClientSwitchPort string `parquet:"client_switch_port,dict" json:"client_switch_port"`
	ClientReason     string `parquet:"client_reason,dict" json:"client_reason"`

	ServerAddress    string `parquet:"server_address,dict" json:"server_address"`
	ServerPort       uint16 `parquet:"server_port,dict" json:"server_port"`
	ServerCluster    string `parquet:"server_cluster,dict" json:"server_cluster"`
	ServerNamespace  string `parquet:"server_namespace,dict" json:"server_namespace"`
	ServerPod        string `parquet:"server_pod,dict" json:"server_pod"`
	ServerPodUID     string `parquet:"server_pod_uid,dict" json:"server_pod_uid"`
	ServerWorkload   string `parquet:"server_workload,dict" json:"server_workload"`
	ServerService    string `parquet:"server_service,dict" json:"server_service"`
	ServerNode       string `parquet:"server_node,dict" json:"server_node"`
	ServerSwitch     string `parquet:"server_switch,dict" json:"server_switch"`
	ServerSwitchPort string `parquet:"server_switch_port,dict" json:"server_switch_port"`
	ServerReason     string `parquet:"server_reason,dict" json:"server_reason"`

	First millis `parquet:"first,timestamp(millisecond),delta" json:"first"`
	Idle  int64  `parquet:"idle_ms,delta" json:"-"` // from the conversation's last packet to Time
	Last  millis `parquet:"-" json:"last"`          // Time - Idle

	Handshake   string `parquet:"handshake,dict" json:"handshake"`
	SYNs        uint8  `parquet:"syns,dict" json:"syns"`
	SYNACKs     uint8  `parquet:"syn_acks,dict" json:"syn_acks"`
	ServerRTTUS int64  `parquet:"server_rtt_us,dict" json:"server_rtt_us"`
	ClientRTTUS int64  `parquet:"client_rtt_us,dict" json:"client_rtt_us"`

	ForwardPackets    uint64   `parquet:"forward_packets" json:"forward_packets"`
	ForwardBytes      uint64   `parquet:"forward_bytes,dict" json:"forward_bytes"`
	ForwardFlags      uint8    `parquet:"forward_tcp_flags,dict" json:"forward_tcp_flags"`
	ForwardLost       int64    `parquet:"forward_lost,dict" json:"forward_lost"`
	ForwardWithin     uint64   `parquet:"forward_lost_within,dict" json:"forward_lost_within"`
	ForwardPath       string   `parquet:"forward_path,dict" json:"forward_path"`
	ForwardOverlay    string   `parquet:"forward_overlay,dict" json:"forward_overlay"`
	ForwardVNI        uint32   `parquet:"forward_vni,dict" json:"forward_vni"`
	ForwardOuterSrc   string   `parquet:"forward_outer_src,dict" json:"forward_outer_src"`
	ForwardOuterDst   string   `parquet:"forward_outer_dst,dict" json:"forward_outer_dst"`
	ForwardHopPackets []uint64 `parquet:"forward_hop_packets,list" json:"forward_hop_packets,omitempty"`
	ForwardHopBytes   []uint64 `parquet:"forward_hop_bytes,list" json:"forward_hop_bytes,omitempty"`

	ReversePackets    uint64   `parquet:"reverse_packets" json:"reverse_packets"`
	ReverseBytes      uint64   `parquet:"reverse_bytes,delta" json:"reverse_bytes"`
	ReverseFlags      uint8    `parquet:"reverse_tcp_flags,dict" json:"reverse_tcp_flags"`
	ReverseLost       int64    `parquet:"reverse_lost,dict" json:"reverse_lost"`
	ReverseWithin     uint64   `parquet:"reverse_lost_within,dict" json:"reverse_lost_within"`
	ReversePath       string   `parquet:"reverse_path,dict" json:"reverse_path"`
	ReverseOverlay    string   `parquet:"reverse_overlay,dict" json:"reverse_overlay"`
	ReverseVNI        uint32   `parquet:"reverse_vni,dict" json:"reverse_vni"`
	ReverseOuterSrc   string   `parquet:"reverse_outer_src,dict" json:"reverse_outer_src"`
	ReverseOuterDst   string   `parquet:"reverse_outer_dst,dict" json:"reverse_outer_dst"`
	ReverseHopPackets []uint64 `parquet:"reverse_hop_packets,list" json:"reverse_hop_packets,omitempty"`
	ReverseHopBytes   []uint64 `parquet:"reverse_hop_bytes,list" json:"reverse_hop_bytes,omitempty"`
}

// rowV1 is a row of the first version, which had the time of the last packet itself.
type rowV1 struct {
	row

	LastPacket millis `parquet:"last,timestamp(millisecond)"`
}

// millis is a time in milliseconds since 1970 in UTC.
type millis int64

func millisOf(t time.Time) millis { return millis(t.UnixMilli()) }

func (m millis) time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// MarshalJSON gives the time as RFC 3339 has it.
func (m millis) MarshalJSON() ([]byte, error) { return m.time().MarshalJSON() }

// hereMark stands in a path for the first hop where that is where the end that sends is.
const hereMark = "."

// rowMaker makes rows of records. It remembers the texts that it made.
type rowMaker struct {
	whole     bool   // paths name every hop, for people
	texts     *texts // makes paths of many rows at once; nil makes each
	addresses map[netip.Addr]string

	client, server   knownText // of the row before
	forward, reverse way       // of the row before
}

func newRowMaker() *rowMaker {
	return &rowMaker{addresses: map[netip.Addr]string{}}
}

func (m *rowMaker) address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	if s, ok := m.addresses[a]; ok {
		return s
	}
	return intern(m.addresses, a, a.String())
}

func (m *rowMaker) row(r *Record, to *row) {
	c, s := r.Client.Who, r.Server.Who
	*to = row{
		Time: millisOf(r.Time), Conversation: r.Conversation, Protocol: uint16(r.Protocol), ICMPType: r.ICMPType,
		Opaque: string(r.Opaque), Verdict: string(r.Verdict),
		ClientAddress: m.again(&m.client, r.Client.Address), ClientPort: r.Client.Port, ClientCluster: c.Cluster, ClientNamespace: c.Namespace,
		ClientPod: c.Pod, ClientPodUID: c.PodUID, ClientWorkload: c.Workload, ClientService: c.Service, ClientNode: c.Node,
		ClientSwitch: c.Switch, ClientSwitchPort: c.Port, ClientReason: c.Why,
		ServerAddress: m.again(&m.server, r.Server.Address), ServerPort: r.Server.Port, ServerCluster: s.Cluster, ServerNamespace: s.Namespace,
		ServerPod: s.Pod, ServerPodUID: s.PodUID, ServerWorkload: s.Workload, ServerService: s.Service, ServerNode: s.Node,
		ServerSwitch: s.Switch, ServerSwitchPort: s.Port, ServerReason: s.Why,
		First: millisOf(r.First), Last: millisOf(r.Last), Idle: r.Time.UnixMilli() - r.Last.UnixMilli(),
		Handshake: string(r.Handshake.State), SYNs: r.Handshake.SYNs, SYNACKs: r.Handshake.SYNACKs,
		ServerRTTUS: r.Handshake.ServerRTT.Microseconds(), ClientRTTUS: r.Handshake.ClientRTT.Microseconds(),
		ForwardPackets: r.Forward.Packets, ForwardBytes: r.Forward.Bytes, ForwardFlags: r.Forward.Flags,
		ForwardLost: r.Forward.Lost, ForwardWithin: r.Forward.Within,
		ReversePackets: r.Reverse.Packets, ReverseBytes: r.Reverse.Bytes, ReverseFlags: r.Reverse.Flags,
		ReverseLost: r.Reverse.Lost, ReverseWithin: r.Reverse.Within,
	}
	if len(r.Forward.Hops) > 0 {
		w := m.way(&m.forward, r.Forward.Hops, c)
		m.putPath(&to.ForwardPath, w)
		to.ForwardOverlay, to.ForwardVNI, to.ForwardOuterSrc, to.ForwardOuterDst = w.kind, w.vni, w.src, w.dst
		to.ForwardHopPackets, to.ForwardHopBytes = hopCounters(&r.Forward)
	}
	if len(r.Reverse.Hops) > 0 {
		w := m.way(&m.reverse, r.Reverse.Hops, s)
		m.putPath(&to.ReversePath, w)
		to.ReverseOverlay, to.ReverseVNI, to.ReverseOuterSrc, to.ReverseOuterDst = w.kind, w.vni, w.src, w.dst
		to.ReverseHopPackets, to.ReverseHopBytes = hopCounters(&r.Reverse)
	}
}

// way is what rows have of the hops of one direction.
type way struct {
	overlayText
	path   []byte
	text   string // the path, if it was needed as such
	hops   []Hop
	sender *flow.Identity
}

// way gives what a row has of hops. Neighbours in a segment have the same as a rule: last is what the one before had.
func (m *rowMaker) way(last *way, hops []Hop, sender *flow.Identity) *way {
	if last.sender != sender || !sameWay(last.hops, hops) {
		*last = way{m.overlay(hops[0].Outer), m.path(last.path[:0], hops, sender), "", append(last.hops[:0], hops...), sender}
	}
	return last
}

// putPath makes the text of a path.
func (m *rowMaker) putPath(to *string, w *way) {
	if m.texts != nil {
		m.texts.add(to, w.path)
		return
	}
	if w.text == "" {
		w.text = string(w.path)
	}
	*to = w.text
}

func (m *rowMaker) overlay(o *flow.Outer) overlayText {
	return overlayText{o.Kind.String(), o.VNI, m.address(o.Src), m.address(o.Dst)}
}

// knownText is an address and its text.
type knownText struct {
	address netip.Addr
	text    string
}

// again gives the text of an address that is the same as the last as a rule.
func (m *rowMaker) again(last *knownText, a netip.Addr) string {
	if last.address != a {
		*last = knownText{a, m.address(a)}
	}
	return last.text
}

// path appends hops as switch/port with spaces between. A hop in another overlay than the first has
// that behind it, as =kind,vni,source,destination; one that is incomplete ends with a question mark. Few paths differ in
// what is behind the first hop, which is as a rule where the sender is.
func (m *rowMaker) path(b []byte, hops []Hop, sender *flow.Identity) []byte {
	for i := range hops {
		h := &hops[i]
		if i > 0 {
			b = append(b, ' ')
		}
		if i == 0 && !m.whole && h.Switch != "" && h.Switch == sender.Switch && h.Port == sender.Port {
			b = append(b, hereMark...)
		} else {
			b = append(append(append(b, h.Switch...), '/'), h.Port...)
		}
		if o := h.Outer; o != hops[0].Outer && *o != *hops[0].Outer {
			b = fmt.Appendf(b, "=%v,%d,%s,%s", o.Kind, o.VNI, m.address(o.Src), m.address(o.Dst))
		}
		if h.Incomplete {
			b = append(b, '?')
		}
	}
	return b
}

// hopCounters are those of each hop, or nothing where all counted what the direction says.
func hopCounters(d *Direction) (packets, bytes []uint64) {
	for i := range d.Hops {
		if d.Hops[i].Counters != d.Counters {
			for j := range d.Hops {
				packets, bytes = append(packets, d.Hops[j].Packets), append(bytes, d.Hops[j].Bytes)
			}
			return packets, bytes
		}
	}
	return nil, nil
}

// recordMaker makes records of rows: the inverse of rowMaker.
type recordMaker struct {
	intern    *interner
	addresses map[string]netip.Addr
}

func newRecordMaker() *recordMaker {
	return &recordMaker{intern: newInterner(), addresses: map[string]netip.Addr{}}
}

func (m *recordMaker) address(s string) (netip.Addr, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	if a, ok := m.addresses[s]; ok {
		return a, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return intern(m.addresses, strings.Clone(s), a), nil
}

func (m *recordMaker) record(w *row) (r Record, err error) {
	r = Record{
		Time: w.Time.time(), Conversation: w.Conversation, Protocol: flow.Protocol(w.Protocol), ICMPType: w.ICMPType,
		Opaque: flow.Opaque(w.Opaque), Verdict: Verdict(w.Verdict), First: w.First.time(), Last: (w.Time - millis(w.Idle)).time(),
		Client: End{Port: w.ClientPort, Who: m.intern.identity(flow.Identity{Cluster: w.ClientCluster, Namespace: w.ClientNamespace,
			Pod: w.ClientPod, PodUID: w.ClientPodUID, Workload: w.ClientWorkload, Service: w.ClientService, Node: w.ClientNode,
			Switch: w.ClientSwitch, Port: w.ClientSwitchPort, Why: w.ClientReason})},
		Server: End{Port: w.ServerPort, Who: m.intern.identity(flow.Identity{Cluster: w.ServerCluster, Namespace: w.ServerNamespace,
			Pod: w.ServerPod, PodUID: w.ServerPodUID, Workload: w.ServerWorkload, Service: w.ServerService, Node: w.ServerNode,
			Switch: w.ServerSwitch, Port: w.ServerSwitchPort, Why: w.ServerReason})},
		Handshake: flow.Handshake{State: flow.HandshakeState(w.Handshake), SYNs: w.SYNs, SYNACKs: w.SYNACKs,
			ServerRTT: time.Duration(w.ServerRTTUS) * time.Microsecond, ClientRTT: time.Duration(w.ClientRTTUS) * time.Microsecond},
		Forward: Direction{Counters: flow.Counters{Packets: w.ForwardPackets, Bytes: w.ForwardBytes}, Flags: w.ForwardFlags,
			Lost: w.ForwardLost, Within: w.ForwardWithin},
		Reverse: Direction{Counters: flow.Counters{Packets: w.ReversePackets, Bytes: w.ReverseBytes}, Flags: w.ReverseFlags,
			Lost: w.ReverseLost, Within: w.ReverseWithin},
	}
	if r.Client.Address, err = m.address(w.ClientAddress); err != nil {
		return r, err
	}
	if r.Server.Address, err = m.address(w.ServerAddress); err != nil {
		return r, err
	}
	r.Forward.Hops, err = m.hops(w.ForwardPath, r.Client.Who, overlayText{w.ForwardOverlay, w.ForwardVNI, w.ForwardOuterSrc, w.ForwardOuterDst},
		&r.Forward, w.ForwardHopPackets, w.ForwardHopBytes)
	if err != nil {
		return r, err
	}
	r.Reverse.Hops, err = m.hops(w.ReversePath, r.Server.Who, overlayText{w.ReverseOverlay, w.ReverseVNI, w.ReverseOuterSrc, w.ReverseOuterDst},
		&r.Reverse, w.ReverseHopPackets, w.ReverseHopBytes)
	return r, err
}

// overlayText is an overlay as rows have it.
type overlayText struct {
	kind     string
	vni      uint32
	src, dst string
}

func (m *recordMaker) outer(t overlayText) (o flow.Outer, err error) {
	if o.Kind, err = overlayKind(t.kind); err != nil {
		return o, err
	}
	o.VNI = t.vni
	if o.Src, err = m.address(t.src); err != nil {
		return o, err
	}
	o.Dst, err = m.address(t.dst)
	return o, err
}

func overlayKind(s string) (flow.Encapsulation, error) {
	for k := flow.Native; k <= flow.InGRE; k++ {
		if k.String() == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("%w: %q is no overlay", ErrCorrupt, s)
}

// hops is the inverse of path and hopCounters.
func (m *recordMaker) hops(path string, sender *flow.Identity, overlay overlayText, d *Direction, packets, bytes []uint64) ([]Hop, error) {
	if path == "" {
		return nil, nil
	}
	first, err := m.outer(overlay)
	if err != nil {
		return nil, err
	}
	shared := m.intern.overlay(first)
	words := strings.Split(path, " ")
	if n := len(packets); n != len(bytes) || n != 0 && n != len(words) {
		return nil, fmt.Errorf("%w: path %q has counters of %d and %d hops", ErrCorrupt, path, n, len(bytes))
	}
	hops := make([]Hop, len(words))
	for i, word := range words {
		h := &hops[i]
		if h.Counters = d.Counters; len(packets) > 0 {
			h.Counters = flow.Counters{Packets: packets[i], Bytes: bytes[i]}
		}
		word, h.Incomplete = strings.CutSuffix(word, "?")
		place, other, differs := strings.Cut(word, "=")
		var p Place
		if p.Switch, p.Port, _ = strings.Cut(place, "/"); place == hereMark {
			p.Switch, p.Port = sender.Switch, sender.Port
		}
		h.Place, h.Outer = m.intern.place(p), shared
		if differs {
			o, err := m.parseOverlay(other)
			if err != nil {
				return nil, err
			}
			h.Outer = m.intern.overlay(o)
		}
	}
	return hops, nil
}

func (m *recordMaker) parseOverlay(s string) (flow.Outer, error) {
	f := strings.Split(s, ",")
	if len(f) != 4 {
		return flow.Outer{}, fmt.Errorf("%w: %q is no overlay", ErrCorrupt, s)
	}
	vni, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil {
		return flow.Outer{}, fmt.Errorf("%w: %q is no overlay: %w", ErrCorrupt, s, err)
	}
	return m.outer(overlayText{f[0], uint32(vni), f[2], f[3]})
}
