package gnmi

import (
	"maps"
	"slices"
	"strconv"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// noPod is the pod-uid of a member that no pod stands behind.
const noPod = "NONE"

// fabricKinds is the table of what the target fabric shows.
func fabricKinds() []*kind {
	return append(append(kubernetesKinds(), switchKinds()...), conversationKind(), edgeKind(), findingKind())
}

func inCluster(names ...string) []string {
	return append([]string{"kubernetes", "clusters", "cluster"}, names...)
}

// byName is how keys make the ID of a fact of a cluster, which is the first of them.
func byName(_ string, keys []string, all bool) string {
	if len(keys) < 2 {
		return ""
	}
	return join(keys[1:], all)
}

func kubernetesKinds() []*kind {
	return []*kind{{
		fact: inventory.KindCluster, name: inCluster(), parent: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Cluster).Name) },
		id:   func(_ string, keys []string, all bool) string { return join(keys, all) }, clustered: true,
		leaves: clusterLeaves,
	}, {
		fact: inventory.KindNamespace, name: inCluster("namespaces", "namespace"),
		keys: func(f inventory.Fact, v []string) []string {
			n := f.(inventory.Namespace)
			return append(v, n.Cluster, n.Name)
		},
		id: byName, clustered: true, leaves: namespaceLeaves,
	}, {
		fact: inventory.KindNode, name: inCluster("nodes", "node"),
		keys: func(f inventory.Fact, v []string) []string {
			n := f.(inventory.Node)
			return append(v, n.Cluster, n.Name)
		},
		id: byName, clustered: true, leaves: nodeLeaves,
	}, {
		fact: inventory.KindPod, name: inCluster("pods", "pod"), parent: true,
		keys: func(f inventory.Fact, v []string) []string {
			p := f.(inventory.Pod)
			return append(v, p.Cluster, p.UID)
		},
		id: byName, clustered: true, leaves: podLeaves,
	}, {
		fact: inventory.KindAttachment, name: inCluster("pods", "pod", "attachments", "attachment"),
		keys: func(f inventory.Fact, v []string) []string {
			a := f.(inventory.Attachment)
			return append(v, a.Cluster, a.PodUID, a.Switch, a.PortName)
		},
		id: byName, clustered: true, leaves: attachmentLeaves,
	}, {
		fact: inventory.KindService, name: inCluster("services", "service"), parent: true,
		keys: func(f inventory.Fact, v []string) []string {
			s := f.(inventory.Service)
			return append(v, s.Cluster, s.Namespace, s.Name)
		},
		id: byName, clustered: true, leaves: serviceLeaves,
	}, memberKind(), gapKind(), entranceKind(), eventKind()}
}

func memberKind() *kind {
	return &kind{
		fact: inventory.KindMember, name: inCluster("services", "service", "members", "member"),
		keys: func(f inventory.Fact, v []string) []string {
			m := f.(inventory.Member)
			uid := m.PodUID
			if uid == "" {
				uid = noPod
			}
			return append(v, m.Cluster, m.Namespace, m.Service, plainAddress(m.Address), uid)
		},
		id: func(device string, keys []string, all bool) string {
			if last := len(keys) - 1; all && keys[last] == noPod {
				keys = append(keys[:last:last], "")
			}
			return byName(device, keys, all)
		},
		clustered: true,
		leaves:    memberLeaves,
	}
}

// connection gives the enumerated state of a connection.
func connection(state string) value {
	return oneOf(state, "connecting", "CONNECTING", "synced", "READY", "ready", "READY", "standby", "STANDBY",
		"unreachable", "UNREACHABLE")
}

func clusterLeaves(e inventory.Entry, w *writer) {
	c := e.Fact.(inventory.Cluster)
	w.in("state", func() {
		w.leaf("name", str(c.Name))
		w.leaf("server", str(c.Server))
		w.leaf("connection", connection(c.State))
		w.leaf("message", str(c.Message))
		w.leaf("vni", decimals(c.VNIs))
		w.leaf("denied", value{kind: texts, list: c.Denied})
	})
}

func namespaceLeaves(e inventory.Entry, w *writer) {
	n := e.Fact.(inventory.Namespace)
	w.in("state", func() { w.leaf("name", str(n.Name)) })
	pairs(w, "labels", "label", n.Labels)
}

func nodeLeaves(e inventory.Entry, w *writer) {
	n := e.Fact.(inventory.Node)
	w.in("state", func() {
		w.leaf("name", str(n.Name))
		w.leaf("ready", flag(n.Ready))
		w.leaf("created", instant(n.Created))
		w.leaf("address", addresses(n.Addresses))
		w.leaf("pod-cidr", prefixes(n.PodCIDRs))
		w.leaf("unschedulable", flag(n.Unschedulable))
		w.leaf("problem", value{kind: texts, list: n.Problems})
		w.leaf("tunnel-address", addresses(n.Overlay.Addresses))
		w.leaf("inner-address", addresses(n.Overlay.Inner))
		w.leaf("vni", decimals(n.Overlay.VNIs))
	})
	pairs(w, "labels", "label", n.Labels)
}

func podLeaves(e inventory.Entry, w *writer) {
	p := e.Fact.(inventory.Pod)
	w.in("state", func() {
		w.leaf("uid", str(p.UID))
		w.leaf("namespace", str(p.Namespace))
		w.leaf("name", str(p.Name))
		w.leaf("node", str(p.Node))
		w.leaf("ip", addresses(p.IPs))
		w.leaf("host-network", flag(p.HostNetwork))
		w.leaf("phase", str(p.Phase))
		w.leaf("ready", flag(p.Ready))
		if !p.ReadySince.IsZero() {
			w.leaf("ready-since", instant(p.ReadySince))
		}
		w.leaf("terminating", flag(p.Terminating))
		w.leaf("restarts", num(uint32(max(p.Restarts, 0))))
		w.leaf("reason", str(p.Reason))
		w.leaf("created", instant(p.Created))
		w.leaf("workload-kind", str(p.Workload.Kind))
		w.leaf("workload-name", str(p.Workload.Name))
	})
	pairs(w, "labels", "label", p.Labels)
}

func attachmentLeaves(e inventory.Entry, w *writer) {
	a := e.Fact.(inventory.Attachment)
	w.in("state", func() {
		w.leaf("switch", str(a.Switch))
		w.leaf("interface", str(a.PortName))
		w.leaf("port-number", num(a.Port))
		w.leaf("since", instant(a.Since))
		w.leaf("evidence", oneOf(a.How, inventory.ByNodeAddress, "NODE_ADDRESS",
			inventory.ByInnerAddress, "INNER_ADDRESS", inventory.ByBoth, "BOTH"))
		w.leaf("confidence", num(min(a.Confidence, 100)))
		w.leaf("conflict", str(a.Conflict))
	})
}

func serviceLeaves(e inventory.Entry, w *writer) {
	s := e.Fact.(inventory.Service)
	w.in("state", func() {
		w.leaf("namespace", str(s.Namespace))
		w.leaf("name", str(s.Name))
		w.leaf("uid", str(s.UID))
		w.leaf("type", str(s.Type))
		w.leaf("hostname", value{kind: texts, list: s.Hostnames})
		w.leaf("created", instant(s.Created))
	})
	pairs(w, "labels", "label", s.Labels)
	pairs(w, "selectors", "selector", s.Selector)
	w.in("vips", func() {
		for _, vip := range s.VIPs {
			vipLeaves(vip, w)
		}
	})
	w.in("ports", func() {
		for _, port := range s.Ports {
			servicePortLeaves(port, w)
		}
	})
}

func vipLeaves(vip inventory.VIP, w *writer) {
	kind := oneOf(vip.Kind, "cluster-ip", "CLUSTER_IP", "external-ip", "EXTERNAL_IP", "load-balancer", "LOAD_BALANCER")
	if kind.text == "" {
		return // no key of the model
	}
	w.entry("vip", []value{kind, address(vip.Address)}, func() {
		w.in("state", func() {
			w.leaf("kind", kind)
			w.leaf("address", address(vip.Address))
		})
	})
}

func servicePortLeaves(port inventory.ServicePort, w *writer) {
	w.entry("port", []value{str(port.Protocol), num(port.Port)}, func() {
		w.in("state", func() {
			w.leaf("protocol", str(port.Protocol))
			w.leaf("port", num(port.Port))
			w.leaf("name", str(port.Name))
			w.leaf("target-port", str(port.TargetPort))
			if port.NodePort != 0 {
				w.leaf("node-port", num(port.NodePort))
			}
		})
	})
}

func memberLeaves(e inventory.Entry, w *writer) {
	m := e.Fact.(inventory.Member)
	w.in("state", func() {
		w.leaf("address", address(m.Address))
		uid := m.PodUID
		if uid == "" {
			uid = noPod
		}
		w.leaf("pod-uid", str(uid))
		w.leaf("pod", str(m.Pod))
		w.leaf("node", str(m.Node))
		w.leaf("ready", flag(m.Ready))
		w.leaf("serving", flag(m.Serving))
		w.leaf("terminating", flag(m.Terminating))
		ports := value{kind: texts}
		for _, p := range m.Ports {
			ports.list = append(ports.list, p.Protocol+"/"+strconv.Itoa(int(p.Port)))
		}
		w.leaf("port", ports)
	})
}

// pairs writes a map of keys and values as a list, ordered by key.
func pairs(w *writer, container, list string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.in(container, func() {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			w.entry(list, []value{str(key)}, func() {
				w.in("state", func() {
					w.leaf("key", str(key))
					w.always("value", str(m[key]))
				})
			})
		}
	})
}
