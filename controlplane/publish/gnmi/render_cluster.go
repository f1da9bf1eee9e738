package gnmi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// gapKind shows a gap as leaves of its cluster.
func gapKind() *kind {
	return &kind{
		fact: inventory.KindGap, name: inCluster(), guest: true,
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(inventory.Gap).Cluster) },
		id:   func(_ string, keys []string, all bool) string { return join(keys, all) }, clustered: true,
		leaves: func(e inventory.Entry, w *writer) {
			g := e.Fact.(inventory.Gap)
			w.in("state", func() {
				w.leaf("unknown-since", instant(g.Since))
				w.leaf("unknown-reason", str(g.Why))
			})
		},
	}
}

func entranceKind() *kind {
	return &kind{
		fact: inventory.KindEntrance, name: inCluster("entrances", "entrance"),
		keys: func(f inventory.Fact, v []string) []string {
			e := f.(inventory.Entrance)
			return append(v, e.Cluster, sortOfEntrance(e.Kind).text, e.Namespace, e.Name)
		},
		id: func(device string, keys []string, all bool) string {
			if len(keys) > 1 { // enumerated in the model
				keys = slices.Clone(keys)
				keys[1] = strings.ToLower(keys[1])
			}
			return byName(device, keys, all)
		},
		clustered: true,
		leaves:    entranceLeaves,
	}
}

func sortOfEntrance(kind string) value {
	return oneOf(kind, inventory.EntranceIngress, "INGRESS", inventory.EntranceGateway, "GATEWAY")
}

func entranceLeaves(e inventory.Entry, w *writer) {
	f := e.Fact.(inventory.Entrance)
	w.in("state", func() {
		w.leaf("kind", sortOfEntrance(f.Kind))
		w.leaf("namespace", str(f.Namespace))
		w.leaf("name", str(f.Name))
		w.leaf("class", str(f.Class))
		w.leaf("address", addresses(f.Addresses))
		w.leaf("hostname", value{kind: texts, list: f.Hostnames})
		w.leaf("port", decimals(f.Ports))
		w.leaf("service", value{kind: texts, list: f.Services})
	})
}

func eventKind() *kind {
	return &kind{
		fact: inventory.KindEvent, name: inCluster("events", "event"),
		keys: func(f inventory.Fact, v []string) []string {
			e := f.(inventory.Event)
			return append(v, e.Cluster, e.UID)
		},
		id: byName, clustered: true, leaves: happeningLeaves,
	}
}

func happeningLeaves(e inventory.Entry, w *writer) {
	f := e.Fact.(inventory.Event)
	w.in("state", func() {
		w.leaf("uid", str(f.UID))
		w.leaf("type", str(f.Type))
		w.leaf("reason", str(f.Reason))
		w.leaf("message", str(f.Message))
		w.leaf("source", str(f.Source))
		w.leaf("object-kind", str(f.Kind))
		w.leaf("object-namespace", str(f.Namespace))
		w.leaf("object-name", str(f.Name))
		w.leaf("object-uid", str(f.ObjectUID))
		w.leaf("count", num(uint32(max(f.Count, 0))))
		w.leaf("first", instant(f.First))
		w.leaf("last", instant(f.Last))
	})
}

// decimals gives numbers as a leaf-list of texts, in their order, each once.
func decimals[T uint16 | uint32](numbers []T) value {
	v := value{kind: texts}
	for _, n := range numbers {
		if text := strconv.FormatUint(uint64(n), 10); !slices.Contains(v.list, text) {
			v.list = append(v.list, text)
		}
	}
	return v
}
