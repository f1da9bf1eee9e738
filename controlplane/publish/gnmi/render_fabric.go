package gnmi

import (
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func inSwitch(names ...string) []string {
	return append([]string{"fabric", "switches", "switch"}, names...)
}

// bySlash is the reverse of keys that make the ID of a fact of the fabric.
func bySlash(k inventory.Kind) func(string, []string) inventory.Ref {
	return func(_ string, keys []string) inventory.Ref {
		return inventory.Ref{Kind: k, ID: strings.Join(keys, "/")}
	}
}

func switchKinds() []*kind {
	return []*kind{{
		fact: inventory.KindSwitch, name: inSwitch(), parent: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Switch).Name) },
		ref:  bySlash(inventory.KindSwitch), leaves: switchLeaves,
	}, {
		fact: inventory.KindPort, name: inSwitch("ports", "port"),
		keys: func(f inventory.Fact, v []string) []string {
			p := f.(inventory.Port)
			return append(v, p.Switch, p.Name)
		},
		ref: bySlash(inventory.KindPort), leaves: portLeaves,
	}, {
		fact: inventory.KindAccounting, name: inSwitch("accounting", "interface"),
		keys: func(f inventory.Fact, v []string) []string {
			a := f.(inventory.Accounting)
			return append(v, a.Switch, a.Port)
		},
		ref: bySlash(inventory.KindAccounting), leaves: accountingLeaves,
	}, {
		fact: inventory.KindLink, name: []string{"fabric", "links", "link"},
		keys: func(f inventory.Fact, v []string) []string {
			l := f.(inventory.Link)
			return append(v, l.A.Switch, l.A.Port, l.B.Switch, l.B.Port)
		},
		ref: func(_ string, keys []string) inventory.Ref {
			return inventory.Link{A: inventory.PortRef{Switch: keys[0], Port: keys[1]}, B: inventory.PortRef{Switch: keys[2], Port: keys[3]}}.Ref()
		},
		leaves: linkLeaves,
	}, {
		fact: inventory.KindEndpoint, name: []string{"fabric", "endpoints", "endpoint"},
		keys: func(f inventory.Fact, v []string) []string {
			e := f.(inventory.Endpoint)
			return append(v, e.Switch, e.Port, plainAddress(e.Address))
		},
		ref: bySlash(inventory.KindEndpoint), leaves: endpointLeaves,
	}}
}

// deviceKinds is the table of what the target of a switch shows.
func deviceKinds() []*kind {
	return []*kind{{
		fact: inventory.KindPort, name: []string{"interfaces", "interface"}, parent: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Port).Name) },
		ref: func(device string, keys []string) inventory.Ref {
			return inventory.Port{Switch: device, Name: keys[0]}.Ref()
		},
		leaves: interfaceLeaves,
	}, {
		fact: inventory.KindAccounting, name: []string{"interfaces", "interface"}, guest: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Accounting).Port) },
		ref: func(device string, keys []string) inventory.Ref {
			return inventory.Accounting{Switch: device, Port: keys[0]}.Ref()
		},
		leaves: interfaceCounterLeaves,
	}}
}

func switchLeaves(e inventory.Entry, w *writer) {
	s := e.Fact.(inventory.Switch)
	w.in("state", func() {
		w.leaf("name", str(s.Name))
		w.leaf("device-id", num(s.DeviceID))
		w.leaf("address", str(s.Address))
		w.leaf("role", oneOf(s.Role, "leaf", "LEAF", "spine", "SPINE", "border", "BORDER"))
		w.leaf("connection", connection(s.State))
		w.leaf("message", str(s.Message))
	})
}

func portLeaves(e inventory.Entry, w *writer) {
	p := e.Fact.(inventory.Port)
	w.in("state", func() {
		w.leaf("name", str(p.Name))
		w.leaf("number", num(p.Number))
		w.leaf("peer", str(p.Peer))
	})
}

func bucketLeaves(class string, b inventory.Bucket, w *writer) {
	w.in(class, func() {
		w.leaf("pkts", num(b.Packets))
		w.leaf("octets", num(b.Bytes))
	})
}

func accountingLeaves(e inventory.Entry, w *writer) {
	a := e.Fact.(inventory.Accounting)
	w.in("state", func() {
		w.leaf("name", str(a.Port))
		w.leaf("number", num(a.Number))
	})
	w.in("counters", func() {
		w.leaf("port-pkts", num(a.PortPackets))
		w.leaf("port-octets", num(a.PortBytes))
		w.leaf("record-pkts", num(a.RecordPackets))
		w.leaf("record-octets", num(a.RecordBytes))
		w.leaf("bucket-pkts", num(a.BucketPackets))
		w.leaf("bucket-octets", num(a.BucketBytes))
		w.leaf("base-pkts", sint(a.BasePackets))
		w.leaf("base-octets", sint(a.BaseBytes))
		w.leaf("residue-pkts", sint(a.ResiduePackets))
		w.leaf("residue-octets", sint(a.ResidueBytes))
		w.in("buckets", func() {
			bucketLeaves("fragment", a.Buckets.Fragment, w)
			bucketLeaves("malformed", a.Buckets.Malformed, w)
			bucketLeaves("lldp", a.Buckets.LLDP, w)
			bucketLeaves("other", a.Buckets.Other, w)
		})
		bucketLeaves("expired", a.Expired, w)
	})
}

func linkLeaves(e inventory.Entry, w *writer) {
	l := e.Fact.(inventory.Link)
	w.in("state", func() {
		w.leaf("a-switch", str(l.A.Switch))
		w.leaf("a-interface", str(l.A.Port))
		w.leaf("b-switch", str(l.B.Switch))
		w.leaf("b-interface", str(l.B.Port))
		w.leaf("a-port-number", num(l.A.Number))
		w.leaf("b-port-number", num(l.B.Number))
		w.leaf("since", instant(e.Event))
	})
}

func endpointLeaves(e inventory.Entry, w *writer) {
	p := e.Fact.(inventory.Endpoint)
	w.in("state", func() {
		w.leaf("switch", str(p.Switch))
		w.leaf("interface", str(p.Port))
		w.leaf("address", address(p.Address))
		w.leaf("mac-address", str(p.MAC))
		w.leaf("port-number", num(p.Number))
		w.leaf("since", instant(e.Event))
	})
}

// interfaceLeaves renders a port as openconfig-interfaces has it. Whether its line is up
// is not known: P4Runtime does not tell.
func interfaceLeaves(e inventory.Entry, w *writer) {
	p := e.Fact.(inventory.Port)
	w.in("state", func() {
		w.leaf("name", str(p.Name))
		w.leaf("type", value{kind: identity, text: "iana-if-type:ethernetCsmacd"})
		w.leaf("ifindex", num(p.Number))
		w.leaf("description", str(p.Peer))
		w.leaf("enabled", flag(true))
		w.leaf("admin-status", str("UP"))
		w.leaf("oper-status", str("UNKNOWN"))
	})
}

func interfaceCounterLeaves(e inventory.Entry, w *writer) {
	a := e.Fact.(inventory.Accounting)
	w.in("state", func() {
		w.in("counters", func() {
			w.leaf("in-octets", num(a.PortBytes))
			w.leaf("in-pkts", num(a.PortPackets))
		})
	})
}
