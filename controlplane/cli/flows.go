package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// conversation is a conversation in JSON output.
type conversation struct {
	ID           string     `json:"id"`
	Protocol     uint64     `json:"protocol"` // IP protocol number; 256 is ARP
	ProtocolName string     `json:"protocol-name"`
	Opaque       string     `json:"opaque,omitempty"` // esp, ah or wireguard: what is inside cannot be seen
	Client       end        `json:"client"`
	Server       end        `json:"server"`
	First        time.Time  `json:"first-seen,omitzero"`
	Last         time.Time  `json:"last-seen,omitzero"`
	Handshake    *handshake `json:"handshake,omitempty"`
	Forward      direction  `json:"forward"`
	Reverse      direction  `json:"reverse"`
	Legs         []leg      `json:"legs,omitempty"`

	behind *conversation // the back of the connection, in a table that shows both as one
}

// end is one end of a conversation and who is behind it.
type end struct {
	Address   string `json:"address"`
	Port      uint64 `json:"port"`
	Cluster   string `json:"cluster,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	PodUID    string `json:"pod-uid,omitempty"`
	Service   string `json:"service,omitempty"` // namespace/name
	Node      string `json:"node,omitempty"`
	Switch    string `json:"switch,omitempty"`
	Interface string `json:"switch-port,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// direction is one direction of a conversation: what identifies its packets, what the first hop
// counted, and every hop.
type direction struct {
	Tuple    tuple     `json:"tuple"`
	Packets  uint64    `json:"packets"`
	Bytes    uint64    `json:"bytes"`
	TCPFlags uint64    `json:"tcp-flags"`
	Hops     []hop     `json:"hops"`
	Segments []segment `json:"segments"`
}

// tuple is what the innermost headers of a direction's packets say. The ports are 0 where
// the protocol has none; the three of ICMP are absent with others.
type tuple struct {
	Protocol uint64  `json:"protocol"`
	Src      string  `json:"src"`
	Dst      string  `json:"dst"`
	SrcPort  uint64  `json:"src-port"`
	DstPort  uint64  `json:"dst-port"`
	ICMPType *uint64 `json:"icmp-type,omitempty"`
	ICMPCode *uint64 `json:"icmp-code,omitempty"`
	ICMPID   *uint64 `json:"icmp-id,omitempty"` // identifier of echo messages, else 0
}

// hop is a switch port that packets entered by, and what it counted.
type hop struct {
	Switch  string    `json:"switch"`
	Port    string    `json:"port"`
	Number  uint64    `json:"number"`
	Out     []string  `json:"out"` // ports of the switch that packets left by, as far as known
	Outer   outer     `json:"outer"`
	Packets uint64    `json:"packets"`
	Bytes   uint64    `json:"bytes"`
	First   time.Time `json:"first-seen,omitzero"`
	Last    time.Time `json:"last-seen,omitzero"`

	TCPFlags   uint64    `json:"tcp-flags,omitempty"`
	SYNs       uint64    `json:"syns,omitempty"`
	LastSYN    time.Time `json:"last-syn,omitzero"`
	FirstACK   time.Time `json:"first-ack,omitzero"`
	Incomplete bool      `json:"incomplete,omitempty"`
}

// outer is the overlay; only kind is there for native packets.
type outer struct {
	Kind   string  `json:"kind"`              // native, vxlan, geneve, ipip or gre
	VNI    *uint64 `json:"vni,omitempty"`     // of VXLAN and Geneve
	GREKey *uint64 `json:"gre-key,omitempty"` // of GRE; 0 without one
	Src    string  `json:"src,omitempty"`
	Dst    string  `json:"dst,omitempty"`
}

func flowsCommand(o *options) *cobra.Command {
	f, apart := &filters{}, false
	c := &cobra.Command{
		Use:   "flows",
		Short: "Show who talks to whom, and over which switch ports",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.prepare(); err != nil {
				return err
			}
			if o.output == "jsonl" && f.none() {
				return o.streamFlows(c.Context())
			}
			data, err := o.ask(c.Context(), append(f.flowPaths(), clusterStatePath, switchStatePath)...)
			if err != nil {
				return err
			}
			f.warnOfClusters(o, data)
			f.warnOfSwitches(o, data)
			flows := f.conversations(readConversations(data), podLabels(data))
			if !apart && !o.forMachines() {
				flows = fold(flows)
			}
			return show(o, "flows", flows, flowColumns(o), flowColumnsWide())
		},
	}
	f.addClusterFlags(c.Flags())
	f.addFabricFlags(c.Flags())
	c.Flags().BoolVar(&apart, "legs", false, "show both sides of an address translation in a row of their own")
	return c
}

// flowPaths is what conversations are made of; labels of pods only where they are asked for.
func (f *filters) flowPaths() []string {
	if f.selector != nil {
		return []string{flowsPath, podsPath + "/pod/labels"}
	}
	return []string{flowsPath}
}

// conversations keeps those that the filters admit; either end may be meant.
func (f *filters) conversations(list []conversation, labels map[string]map[string]string) []conversation {
	ends := func(of func(end) []string) func(conversation) []string {
		return func(c conversation) []string {
			var names []string
			for _, e := range c.ends() {
				names = append(names, of(e)...)
			}
			return slices.DeleteFunc(names, func(n string) bool { return n == "" })
		}
	}
	list = filterBy(list, f.cluster, ends(func(e end) []string { return []string{e.Cluster} }))
	list = filterBy(list, f.namespace, ends(end.namespaces))
	list = filterBy(list, f.service, ends(func(e end) []string { _, names := servicesIn(e.Service); return names }))
	list = filterBy(list, f.pod, ends(func(e end) []string { return []string{e.Pod} }))
	list = filterByPlace(list, f, conversation.places)
	if f.selector == nil {
		return list
	}
	return slices.DeleteFunc(list, func(c conversation) bool {
		return !slices.ContainsFunc(c.ends(), func(e end) bool { return e.labelled(f.selector, labels) })
	})
}

// namespaces are that of the pod, or those of the services where no pod is known.
func (e end) namespaces() []string {
	if e.Namespace != "" {
		return []string{e.Namespace}
	}
	namespaces, _ := servicesIn(e.Service)
	return namespaces
}

func (e end) labelled(s selector, labels map[string]map[string]string) bool {
	return e.PodUID != "" && s.matches(labels[e.PodUID])
}

func podLabels(data *branch) map[string]map[string]string {
	labels := map[string]map[string]string{}
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, p := range c.each("pods", "pod") {
			labels[p.key("uid")] = p.pairs("labels", "label")
		}
	}
	return labels
}

// places gives every port that the conversation passes.
func (c conversation) places() []place {
	var places []place
	for _, h := range slices.Concat(c.Forward.Hops, c.Reverse.Hops) {
		places = append(places, place{h.Switch, h.Port, h.Number})
	}
	return places
}

func readConversations(data *branch) []conversation {
	var list []conversation
	for _, b := range data.each("flows", "conversations", "conversation") {
		s := b.in("state")
		protocol := s.number("protocol")
		c := conversation{
			ID: b.key("id"), Protocol: protocol, ProtocolName: protocolName(protocol), Opaque: word(s.text("opaque")),
			Client: readEnd(b.in("client", "state")), Server: readEnd(b.in("server", "state")),
			First: s.instant("first-seen"), Last: b.in("state", "counters").instant("last-seen"),
		}
		c.Handshake, c.Legs = readHandshake(b.in("handshake", "state")), readLegs(b)
		c.Forward, c.Reverse = readDirection(b, "forward"), readDirection(b, "reverse")
		c.setTuples(s)
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b conversation) int {
		return cmp.Or(cmp.Compare(b.Forward.Bytes+b.Reverse.Bytes, a.Forward.Bytes+a.Reverse.Bytes), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func readEnd(s *branch) end {
	return end{s.text("address"), s.number("port"), s.text("cluster"), s.text("namespace"), s.text("pod"), s.text("pod-uid"),
		s.text("service"), s.text("node"), s.text("switch"), s.text("interface"), s.text("reason")}
}

func readDirection(b *branch, name string) direction {
	c := b.in("state", "counters", name)
	d := direction{Packets: c.number("pkts"), Bytes: c.number("octets"), TCPFlags: c.number("tcp-flags"), Hops: []hop{}}
	for _, h := range b.each("hops", "hop") {
		s := h.in("state")
		if s.text("direction") != strings.ToUpper(name) {
			continue
		}
		one := hop{
			Switch: s.text("switch"), Port: s.text("interface"), Number: s.number("port-number"), Out: s.texts("out-interface"),
			Outer:   outer{Kind: word(s.text("encapsulation")), Src: s.text("outer-source"), Dst: s.text("outer-destination")},
			Packets: h.in("state", "counters").number("pkts"), Bytes: h.in("state", "counters").number("octets"),
			First: s.instant("first-seen"), Last: h.in("state", "counters").instant("last-seen"),
			TCPFlags: s.number("tcp-flags"), SYNs: s.number("syns"), LastSYN: s.instant("last-syn"), FirstACK: s.instant("first-ack"), Incomplete: s.truth("incomplete"),
		}
		for name, id := range map[string]**uint64{"vni": &one.Outer.VNI, "gre-key": &one.Outer.GREKey} {
			if s.has(name) {
				n := s.number(name)
				*id = &n
			}
		}
		d.Hops = append(d.Hops, one) // the server sends them in order
	}
	d.Segments = readSegments(b, strings.ToUpper(name))
	return d
}

// setTuples derives what the packets of each direction carry.
func (c *conversation) setTuples(s *branch) {
	c.Forward.Tuple = tuple{Protocol: c.Protocol, Src: c.Client.Address, Dst: c.Server.Address, SrcPort: c.Client.Port, DstPort: c.Server.Port}
	c.Reverse.Tuple = tuple{Protocol: c.Protocol, Src: c.Server.Address, Dst: c.Client.Address, SrcPort: c.Server.Port, DstPort: c.Client.Port}
	if !s.has("icmp-type") {
		return
	}
	asked, code, id := s.number("icmp-type"), s.number("icmp-code"), c.Client.Port
	answered := replyType(c.Protocol, asked)
	for d, kind := range map[*direction]*uint64{&c.Forward: &asked, &c.Reverse: &answered} {
		d.Tuple.SrcPort, d.Tuple.DstPort = 0, 0
		d.Tuple.ICMPType, d.Tuple.ICMPCode, d.Tuple.ICMPID = kind, &code, &id
	}
}

// replyType gives the type of the ICMP message that answers another (RFC 792; RFC 4443,
// section 4); the same type for those that have no answer.
func replyType(protocol, asked uint64) uint64 {
	switch {
	case protocol == icmp && asked == 8:
		return 0
	case protocol == icmpv6 && asked == 128:
		return 129
	}
	return asked
}

// String gives who the end is: its pod, or its address with the node behind it, and the
// service it speaks for.
func (e end) String() string {
	who := e.Address
	switch {
	case e.Pod != "":
		who = e.Namespace + "/" + e.Pod
	case e.Node != "":
		who += " [" + e.Node + "]"
	}
	if e.Service != "" {
		who += " (" + strings.TrimPrefix(e.Service, e.Namespace+"/") + ")"
	}
	return who
}

// portText gives the server's port; type and code of ICMP.
func (c conversation) portText() string {
	if t := c.Forward.Tuple; t.ICMPType != nil {
		return fmt.Sprintf("%d/%d", *t.ICMPType, *t.ICMPCode)
	}
	if c.Server.Port == 0 {
		return ""
	}
	return fmt.Sprint(c.Server.Port)
}

// route gives the hops of a direction: of each the port in and the ports out.
func (d direction) route() string {
	hops := make([]string, len(d.Hops))
	for i, h := range d.Hops {
		hops[i] = h.Switch + "/" + h.Port
		if len(h.Out) > 0 {
			hops[i] += "→" + strings.Join(h.Out, "|")
		}
	}
	return strings.Join(hops, ">")
}

// over gives something of both legs of a connection that is shown as one.
func (c conversation) over(of func(conversation) string) string {
	front := of(c)
	if c.behind == nil {
		return front
	}
	back := of(*c.behind)
	if front == "" && back == "" {
		return ""
	}
	return front + "+" + back
}

// overlay gives the encapsulations that the conversation travelled in.
func (c conversation) overlay() string {
	var kinds []string
	for _, h := range slices.Concat(c.Forward.Hops, c.Reverse.Hops) {
		kind := h.Outer.Kind
		if id := cmp.Or(h.Outer.VNI, h.Outer.GREKey); id != nil {
			kind += fmt.Sprintf("/%d", *id)
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, ",")
}

func flowColumns(o *options) []column[conversation] {
	return append(flowEnds(),
		column[conversation]{"PACKETS→", func(c conversation) string { return count(c.Forward.Packets) }},
		column[conversation]{"BYTES→", func(c conversation) string { return size(c.Forward.Bytes) }},
		column[conversation]{"PACKETS←", func(c conversation) string { return count(c.Reverse.Packets) }},
		column[conversation]{"BYTES←", func(c conversation) string { return size(c.Reverse.Bytes) }},
		column[conversation]{"HOPS", func(c conversation) string {
			return c.over(func(c conversation) string { return fmt.Sprintf("%d/%d", len(c.Forward.Hops), len(c.Reverse.Hops)) })
		}},
		column[conversation]{"LOST", conversation.lost},
		column[conversation]{"HANDSHAKE", func(c conversation) string { return c.Handshake.short() }},
		column[conversation]{"AGE", func(c conversation) string { return age(c.First, o.reference()) }})
}

func flowEnds() []column[conversation] {
	return []column[conversation]{
		{"CLUSTER", conversation.clusters},
		{"CLIENT", conversation.clientText},
		{"SERVER", conversation.serverText},
		{"PROTO", func(c conversation) string { return cmp.Or(c.Opaque, c.ProtocolName) }},
		{"PORT", conversation.portText},
	}
}

func flowColumnsWide() []column[conversation] {
	exact := func(of func(conversation) uint64) func(conversation) string {
		return func(c conversation) string { return fmt.Sprint(of(c)) }
	}
	return append(flowEnds(),
		column[conversation]{"PACKETS→", exact(func(c conversation) uint64 { return c.Forward.Packets })},
		column[conversation]{"BYTES→", exact(func(c conversation) uint64 { return c.Forward.Bytes })},
		column[conversation]{"PACKETS←", exact(func(c conversation) uint64 { return c.Reverse.Packets })},
		column[conversation]{"BYTES←", exact(func(c conversation) uint64 { return c.Reverse.Bytes })},
		column[conversation]{"HOPS→", func(c conversation) string { return c.over(func(c conversation) string { return c.Forward.route() }) }},
		column[conversation]{"HOPS←", func(c conversation) string { return c.over(func(c conversation) string { return c.Reverse.route() }) }},
		column[conversation]{"LOST", conversation.lostWhere},
		column[conversation]{"HANDSHAKE", conversation.handshakes},
		column[conversation]{"OVERLAY", func(c conversation) string { return c.over(conversation.overlay) }},
		column[conversation]{"CLIENT-ADDRESS", func(c conversation) string { return c.Client.Address }},
		column[conversation]{"SERVER-ADDRESS", func(c conversation) string { return c.Server.Address }},
		column[conversation]{"FIRST", func(c conversation) string { return stamp(c.First) }},
		column[conversation]{"LAST", func(c conversation) string { return stamp(c.Last) }})
}
