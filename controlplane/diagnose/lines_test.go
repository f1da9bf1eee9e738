package diagnose

import (
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func onPort(number string, oper string) inventory.Port {
	return inventory.Port{Switch: "leaf1", Name: number, Admin: "up", Oper: oper}
}

func podAt(uid, port string) inventory.Attachment {
	return inventory.Attachment{Cluster: "blue", PodUID: uid, Switch: "leaf1", PortName: port}
}

func cableAt(port string) inventory.Link {
	return inventory.Link{A: inventory.PortRef{Switch: "leaf1", Port: port}, B: inventory.PortRef{Switch: "spine1", Port: "2"}}
}

// A port that is down is a finding if something is behind it, and the worse one if that is nowhere else.
func TestPortsThatAreDown(t *testing.T) {
	shut := onPort("3", "down")
	shut.Admin = "down"
	for name, c := range map[string]struct {
		happens  func(w *world)
		severity string
		says     string
	}{
		"nothing behind it": {func(w *world) { w.is(onPort("3", "up"), onPort("3", "down")) }, "", ""},
		"not known":         {func(w *world) { w.is(podAt("a", "3"), onPort("3", "")) }, "", ""},
		"pods": {func(w *world) { w.is(podAt("a", "3"), podAt("b", "3"), podAt("c", "4"), onPort("3", "down")) }, inventory.Critical,
			"port leaf1/3 is down: behind it 2 pods, nowhere else"},
		"pods of a node with two cables": {func(w *world) {
			w.is(podAt("a", "3"), podAt("a", "4"), podAt("b", "3"), podAt("b", "4"), onPort("4", "up"), onPort("3", "down"))
		}, inventory.Major, "port leaf1/3 is down: behind it 2 pods, elsewhere too"},
		"the second of two cables": {func(w *world) {
			w.is(podAt("a", "3"), podAt("a", "4"), onPort("4", "down"), onPort("3", "down"))
		}, inventory.Critical, "port leaf1/3 is down: behind it 1 pod, nowhere else"},
		"pods with one cable and with two": {func(w *world) {
			w.is(podAt("a", "3"), podAt("b", "3"), podAt("c", "3"), podAt("c", "4"), onPort("3", "down"))
		}, inventory.Critical, "port leaf1/3 is down: behind it 3 pods, 2 of them nowhere else"},
		"a cable": {func(w *world) { w.is(cableAt("3"), onPort("3", "down")); w.ends(cableAt("3")) }, inventory.Major,
			"port leaf1/3 is down: behind it the cable to spine1/2"},
		"a cable that went before it": {func(w *world) { w.is(cableAt("3")); w.ends(cableAt("3")); w.pass(2); w.is(onPort("3", "down")) }, inventory.Major,
			"port leaf1/3 is down: behind it the cable to spine1/2"},
		"a cable that went long ago": {func(w *world) { w.is(cableAt("3")); w.ends(cableAt("3")); w.pass(90); w.is(onPort("3", "down")) }, "", ""},
		"shut": {func(w *world) { w.is(podAt("a", "3"), shut) }, inventory.Critical,
			"port leaf1/3 was shut: behind it 1 pod, nowhere else"},
		"found by an earlier run": {func(w *world) {
			f := finding("port-down", inventory.Critical, inventory.Subject{Kind: "port", Name: "leaf1/3"}, w.now, 1, "as it was")
			w.state.open[f.ID] = &opened{finding: f, told: w.now, held: w.now}
			w.is(onPort("3", "down"))
		}, inventory.Critical, "as it was"},
	} {
		w := newWorld()
		c.happens(w)
		w.ends(podAt("a", "3")) // as soon as the host does not answer
		w.pass(90)
		var got inventory.Finding
		for id, o := range w.state.open {
			if strings.HasPrefix(id, "port-down:port:leaf1/3") {
				got = o.finding
			}
		}
		if got.Severity != c.severity || got.Text != c.says {
			t.Errorf("%s: %s %q, want %s %q", name, got.Severity, got.Text, c.severity, c.says)
		}
		w.is(onPort("3", "up"))
		w.pass(int(w.state.cfg.Hold/time.Second) + 2)
		for id := range w.state.open {
			if strings.HasPrefix(id, "port-down:port:leaf1/3") {
				t.Errorf("%s: it is still found when the port is up again", name)
			}
		}
	}
	w := newWorld()
	w.is(podAt("a", "3"), onPort("3", "down"))
	w.ends(onPort("3", "down"))
	if len(w.state.lines) != 0 {
		t.Error("a port that is no more is not forgotten")
	}
}
