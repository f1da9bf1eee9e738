package check

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

const conversation = `[{"id": "c1",
"forward": {"tuple": {"protocol": 6, "src": "10.244.0.5", "dst": "10.244.1.6", "src-port": 40000, "dst-port": 80}, "hops": [
  {"switch": "leaf1", "port": "leaf1-eth3", "outer": {"kind": "vxlan", "vni": 1}, "packets": 5, "bytes": 500},
  {"switch": "spine1", "port": "spine1-eth1", "outer": {"kind": "vxlan", "vni": 1}, "packets": 5, "bytes": 500}]},
"reverse": {"tuple": {"protocol": 6, "src": "10.244.1.6", "dst": "10.244.0.5", "src-port": 80, "dst-port": 40000}, "hops": []}},
{"id": "c2",
"forward": {"tuple": {"protocol": 1, "src": "10.1.1.11", "dst": "10.1.1.1", "src-port": 0, "dst-port": 0, "icmp-type": 8, "icmp-code": 0, "icmp-id": 7}, "hops": [
  {"switch": "leaf1", "port": "leaf1-eth3", "outer": {"kind": "native"}, "packets": 1, "bytes": 98}]},
"reverse": {"tuple": {"protocol": 1, "src": "10.1.1.1", "dst": "10.1.1.11", "src-port": 0, "dst-port": 0}, "hops": []}}]`

func parse[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestFlows holds the comparison to every way in which an answer can be wrong.
func TestFlows(t *testing.T) {
	flows := parse[[]Flow](t, conversation)
	exact := func() *Captured { return &Captured{Flows: FlowCounts(flows)} }
	if got := Flows(flows, exact()); len(got) != 0 || len(exact().Flows) != 3 {
		t.Fatalf("equal counts: %v of %v", got, exact().Flows)
	}
	var overlay, echo Frame
	for f := range exact().Flows {
		if f.Outer.Kind == outerVXLAN {
			overlay = f
		} else {
			echo = f
		}
	}
	if want := "leaf1-eth3: native: protocol 1 10.1.1.11:2048 > 10.1.1.1:7"; echo.String() != want {
		t.Errorf("got %s, want %s", echo, want)
	}
	for name, change := range map[string]func(map[Frame]Count){
		"a packet more":    func(m map[Frame]Count) { m[overlay] = Count{6, 500} },
		"a byte less":      func(m map[Frame]Count) { m[overlay] = Count{5, 499} },
		"a flow missing":   func(m map[Frame]Count) { m[Frame{Interface: "leaf2-eth1"}] = Count{1, 60} },
		"a flow extra":     func(m map[Frame]Count) { delete(m, echo) },
		"nothing captured": func(m map[Frame]Count) { clear(m) },
	} {
		captured := exact()
		change(captured.Flows)
		if len(Flows(flows, captured)) == 0 {
			t.Errorf("%s: no difference was found", name)
		}
	}
	other := exact()
	n := other.Flows[overlay]
	delete(other.Flows, overlay)
	overlay.Outer.ID = 2
	other.Flows[overlay] = n
	if got := Flows(flows, other); len(got) != 2 {
		t.Errorf("another VNI: %v", got)
	}
}

func TestResidues(t *testing.T) {
	const text = `[{"name": "leaf1", "ports": [{"name": "leaf1-eth1", "accounting": {"residue-packets": 0, "residue-bytes": 0}},
		{"name": "leaf1-eth2", "accounting": {"residue-packets": 0, "residue-bytes": -4}}]}]`
	want := []string{"leaf1-eth2: 0 packets and -4 bytes are unexplained"}
	if got := Residues(parse[[]Switch](t, text)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestPodsAndLocations(t *testing.T) {
	said := parse[[]PodAnswer](t, `[{"namespace": "shop", "name": "a", "uid": "1", "ips": ["10.244.0.2"], "node": "worker1", "ready": true,
		"attachments": [{"switch": "leaf1", "port": "leaf1-eth3"}]}]`)
	cabling := parse[topology.Topology](t, `{"hosts": [{"name": "worker1", "port": "leaf1:3"}, {"name": "worker2", "port": "leaf1:4"}]}`)
	kubectl := Pod{Namespace: "shop", Name: "a", UID: "1", IP: "10.244.0.2", Node: "worker1", Ready: true}
	for name, c := range map[string]struct {
		change           func(*Pod)
		pods, attachment int
	}{
		"equal":         {func(*Pod) {}, 0, 0},
		"other address": {func(p *Pod) { p.IP = "10.244.0.3" }, 1, 0},
		"not ready":     {func(p *Pod) { p.Ready = false }, 1, 0},
		"other node":    {func(p *Pod) { p.Node = "worker2" }, 1, 1},
		"another pod":   {func(p *Pod) { p.UID = "2" }, 2, 2},
	} {
		p := kubectl
		c.change(&p)
		all := map[string]Pod{p.UID: p}
		if got := Pods(said, all); len(got) != c.pods {
			t.Errorf("%s: pods: %v, want %d differences", name, got, c.pods)
		}
		if got := Locations(said, all, &cabling); len(got) != c.attachment {
			t.Errorf("%s: locations: %v, want %d differences", name, got, c.attachment)
		}
	}
}

// TestLeaves reads pods, members and hops from gNMI paths.
func TestLeaves(t *testing.T) {
	const pod, member = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=u1]/", "/kubernetes/clusters/cluster[name=blue]/services/service[name=web][namespace=shop]/members/member[address=10.244.0.2][pod-uid=u1]/"
	const hop = "/flows/conversations/conversation[id=c1]/hops/hop[direction=FORWARD][index=0]/"
	leaves := Leaves{pod + "state/name": "a", pod + "state/namespace": "shop", pod + "state/ip": "10.244.0.2", pod + "state/node": "worker1", pod + "state/ready": "true",
		pod + "attachments/attachment[interface=leaf1-eth3][switch=leaf1]/state/switch": "leaf1",
		member + "state/address": "10.244.0.2", hop + "state/interface": "leaf1-eth3", hop + "state/counters/pkts": "5", hop + "state/counters/octets": "500"}
	want := map[string]Pod{"u1": {Namespace: "shop", Name: "a", UID: "u1", IP: "10.244.0.2", Node: "worker1", Ready: true}}
	if got := Pods(leaves.Pods(), want); len(got) != 0 {
		t.Errorf("pods: %v", got)
	}
	if a := leaves.Pods()[0].Attachments; len(a) != 1 || a[0] != (Attachment{"leaf1", "leaf1-eth3"}) {
		t.Errorf("attachments: %v", a)
	}
	if got := SameMembers(leaves.Members(), map[string][]string{"shop/web": {"10.244.0.2"}}); len(got) != 0 {
		t.Errorf("members: %v", got)
	}
	flows := parse[[]Flow](t, conversation)
	if got := Hops(leaves, flows); len(got) != 2 { // the second hop of c1, and c2
		t.Errorf("hops: %v", got)
	}
	if got := Same(leaves, Leaves{}); len(got) != len(leaves) {
		t.Errorf("same as nothing: %v", got)
	}
}
