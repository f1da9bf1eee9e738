package gnmi

import (
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func inSwitch(names ...string) []string {
	return append([]string{"fabric", "switches", "switch"}, names...)
}

// bySlash is how keys make the ID of a fact of the fabric.
func bySlash(_ string, keys []string, all bool) string { return join(keys, all) }

// join puts slashes between keys, and one behind them when more are to follow.
func join(keys []string, all bool) string {
	id := strings.Join(keys, "/")
	if !all && len(keys) > 0 {
		id += "/"
	}
	return id
}

// ofLink is how keys make the ID of a link: a-switch/a-port>b-switch/b-port.
func ofLink(_ string, keys []string, all bool) string {
	if len(keys) < 2 {
		return join(keys, false)
	}
	return join(keys[:2], true) + ">" + join(keys[2:], all)
}

// ofPort is how the name of a port makes its ID in the target of its switch.
func ofPort(device string, keys []string, all bool) string {
	if device == "" {
		return ""
	}
	return device + "/" + join(keys, all)
}

func switchKinds() []*kind {
	return []*kind{{
		fact: inventory.KindSwitch, name: inSwitch(), parent: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Switch).Name) },
		id:   bySlash, leaves: switchLeaves,
	}, {
		fact: inventory.KindFlowCache, name: inSwitch(), guest: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.FlowCache).Switch) },
		id:   bySlash, leaves: flowCacheLeaves,
	}, {
		fact: inventory.KindPort, name: inSwitch("ports", "port"),
		keys: func(f inventory.Fact, v []string) []string {
			p := f.(inventory.Port)
			return append(v, p.Switch, p.Name)
		},
		id: bySlash, leaves: portLeaves,
	}, {
		fact: inventory.KindAccounting, name: inSwitch("accounting", "interface"),
		keys: func(f inventory.Fact, v []string) []string {
			a := f.(inventory.Accounting)
			return append(v, a.Switch, a.Port)
		},
		id: bySlash, leaves: accountingLeaves,
	}, {
		fact: inventory.KindLink, name: []string{"fabric", "links", "link"},
		keys: func(f inventory.Fact, v []string) []string {
			l := f.(inventory.Link)
			return append(v, l.A.Switch, l.A.Port, l.B.Switch, l.B.Port)
		},
		id: ofLink, leaves: linkLeaves, parent: true,
	}, {
		fact: inventory.KindLinkLoss, name: []string{"fabric", "links", "link"}, guest: true,
		keys: func(f inventory.Fact, v []string) []string {
			l := f.(inventory.LinkLoss)
			return append(v, l.A.Switch, l.A.Port, l.B.Switch, l.B.Port)
		},
		id: ofLink, leaves: linkLossLeaves,
	}, {
		fact: inventory.KindEndpoint, name: []string{"fabric", "endpoints", "endpoint"},
		keys: func(f inventory.Fact, v []string) []string {
			e := f.(inventory.Endpoint)
			return append(v, e.Switch, e.Port, plainAddress(e.Address))
		},
		id: bySlash, leaves: endpointLeaves,
	}}
}

// deviceKinds is the table of what the target of a switch shows.
func deviceKinds() []*kind {
	return []*kind{{
		fact: inventory.KindPort, name: []string{"interfaces", "interface"}, parent: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Port).Name) },
		id:   ofPort, leaves: interfaceLeaves,
	}, {
		fact: inventory.KindAccounting, name: []string{"interfaces", "interface"}, guest: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Accounting).Port) },
		id:   ofPort, leaves: interfaceCounterLeaves,
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
		if role := s.Controller(); role != "" {
			w.leaf("controller-role", oneOf(role, inventory.Primary, "PRIMARY", inventory.Backup, "BACKUP"))
		}
		if s.ElectionID != 0 {
			w.leaf("election-id", num(s.ElectionID))
		}
		if s.PrimaryID != 0 {
			w.leaf("primary-election-id", num(s.PrimaryID))
		}
	})
}

func flowCacheLeaves(e inventory.Entry, w *writer) {
	f := e.Fact.(inventory.FlowCache)
	when := func(leaf string, t time.Time) {
		if !t.IsZero() {
			w.leaf(leaf, instant(t))
		}
	}
	w.in("flow-cache", func() {
		w.in("state", func() {
			when("counting-since", f.CountingSince)
			w.leaf("full-read-outs", num(f.ReadOuts))
			when("last-full-read-out", f.ReadOut)
			if !f.ReadOut.IsZero() {
				w.leaf("last-full-read-out-duration", num(uint64(f.ReadOutTook)))
			}
		})
	})
	if f.ClockMeasured.IsZero() {
		return
	}
	w.in("clock", func() {
		w.in("state", func() {
			when("offset", f.ClockZero)
			w.leaf("error-bound", num(uint64(f.ClockError)))
			when("last-measured", f.ClockMeasured)
		})
	})
}

func portLeaves(e inventory.Entry, w *writer) {
	p := e.Fact.(inventory.Port)
	w.in("state", func() {
		w.leaf("name", str(p.Name))
		w.leaf("number", num(p.Number))
		w.leaf("peer", str(p.Peer))
		w.leaf("admin-status", portStatus(p.Admin))
		w.leaf("oper-status", portStatus(p.Oper))
		w.leaf("unknown-reason", str(p.Unknown))
		w.leaf("since", instant(e.Event))
		if !p.Changed.IsZero() {
			w.leaf("last-change", instant(p.Changed))
		}
	})
}

func portStatus(state string) value {
	if state == "" {
		return str("UNKNOWN")
	}
	return oneOf(state, inventory.PortUp, "UP", inventory.PortDown, "DOWN")
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
			w.leaf("missing-pkts", sint(a.MissingPackets))
			w.leaf("missing-octets", sint(a.MissingBytes))
			w.in("buckets", func() {
				bucketLeaves("fragment", a.Buckets.Fragment, w)
				bucketLeaves("malformed", a.Buckets.Malformed, w)
				bucketLeaves("lldp", a.Buckets.LLDP, w)
				bucketLeaves("other", a.Buckets.Other, w)
			})
			bucketLeaves("expired", a.Expired, w)
		})
	})
	w.in("losses", func() {
		for _, l := range a.Losses {
			lossLeaves(l, w)
		}
	})
}

func lossLeaves(l inventory.Loss, w *writer) {
	w.entry("loss", []value{num(l.Number)}, func() {
		w.in("state", func() {
			w.leaf("number", num(l.Number))
			w.leaf("since", instant(l.Since))
			w.leaf("until", instant(l.Until))
			w.leaf("pkts", sint(l.Packets))
			w.leaf("octets", sint(l.Bytes))
			w.leaf("settled", flag(l.Settled))
			w.leaf("generations", num(l.Generations))
		})
		w.in("gaps", func() {
			for _, g := range l.Gaps {
				gapLeaves(g, w)
			}
		})
	})
}

func gapLeaves(g inventory.SlotGap, w *writer) {
	w.entry("gap", []value{num(g.Slot), num(g.First)}, func() {
		w.in("state", func() {
			w.leaf("slot", num(g.Slot))
			w.leaf("first-generation", num(g.First))
			w.leaf("last-generation", num(g.Last))
			w.leaf("generations", num(g.Generations))
			w.leaf("seen", instant(g.Seen))
			w.leaf("conversation", str(g.Conversation))
		})
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

func linkLossLeaves(e inventory.Entry, w *writer) {
	l := e.Fact.(inventory.LinkLoss)
	w.in("loss", func() {
		w.in("state", func() {
			status := "OK"
			if l.Lossy {
				status = "LOSSY"
				w.leaf("since", instant(l.Since))
			}
			w.leaf("status", str(status))
			w.in("counters", func() {
				w.leaf("pkts", num(l.Packets))
				w.leaf("lost-pkts", num(l.Lost))
				w.leaf("lost-per-million", num(l.Recent.PerMillion()))
			})
		})
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

// interfaceLeaves renders a port as openconfig-interfaces has it. Where nobody has said that a port is not to carry
// frames, it is: the configuration names it. admin-status has no word for not known.
func interfaceLeaves(e inventory.Entry, w *writer) {
	p := e.Fact.(inventory.Port)
	w.in("state", func() {
		w.leaf("name", str(p.Name))
		w.leaf("type", value{kind: identity, text: interfaceTypes + ":ethernetCsmacd"})
		w.leaf("ifindex", num(p.Number))
		w.leaf("description", str(p.Peer))
		w.leaf("enabled", flag(p.Admin != inventory.PortDown))
		w.leaf("admin-status", oneOf(p.Admin, "", "UP", inventory.PortUp, "UP", inventory.PortDown, "DOWN"))
		w.leaf("oper-status", portStatus(p.Oper))
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
