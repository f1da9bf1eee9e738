package config

import (
	"strings"
	"testing"
	"time"
)

const good = `
state-dir: /tmp/state
clusters:
  - {name: blue, kubeconfig: blue.kubeconfig}
switches:
  - name: leaf1
    address: 127.0.0.1:50051
    device-id: 1
    role: leaf
    ports:
      - {number: 1, name: leaf1-eth1, peer: worker1}
fabric:
  gateways:
    - {switch: leaf1, address: 10.1.1.1/24, ports: [leaf1-eth1]}
flows: {idle-timeout: 3s}
`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.Flows.IdleTimeout != 3*time.Second || c.Fabric.Gateways[0].Address.Bits() != 24 || !c.Fabric.Routing || c.GNMI.Listen != ":9339" {
		t.Errorf("%+v", c)
	}
	if _, err := Parse(nil); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestErrorsNameLineOrField(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"state-dir", "state-dri", `line 2: unknown key "state-dri" (did you mean "state-dir"?)`},
		{"kubeconfig: blue", "xyzzy: blue", `line 4: unknown key "xyzzy" (known here: name, kubeconfig, context, server, token-file, ca-file, vnis)`},
		{"device-id: 1", "device-id: one", "line 8: cannot unmarshal"},
		{"device-id: 1", "device-id: 0", "switches[0].device-id: must not be 0"},
		{"127.0.0.1:50051", "127.0.0.1", `switches[0].address: "127.0.0.1" is not host:port`},
		{"role: leaf", "role: tree", `switches[0].role: "tree" is not leaf, spine or border`},
		{"role: leaf", "role: leaf\n    loopback: fd00::1", `switches[0].loopback: "fd00::1" is not an IPv4 address`},
		{"role: leaf", "role: leaf\n    loopback: 10.0.0", `line 10: "10.0.0" is not an address`},
		{"role: leaf", "role: leaf\n    gnmi-address: nowhere", `switches[0].gnmi-address: "nowhere" is not host:port`},
		{"number: 1", "number: 510", "switches[0].ports[0].number: 510 is not 1 to 509"},
		{"switch: leaf1", "switch: leaf9", `fabric.gateways[0].switch: "leaf9" is not one of the switches`},
		{"[leaf1-eth1]", "[leaf1-eth2]", `fabric.gateways[0].ports: leaf1 has no port "leaf1-eth2"`},
		{"10.1.1.1/24", "10.1.1.1", "line 14: "},
		{"kubeconfig: blue.kubeconfig", "context: c", "clusters[0].kubeconfig: must not be empty, unless there is a server"},
		{"kubeconfig: blue.kubeconfig", "server: 'https://h:1'", "clusters[0].token-file: must not be empty with a server"},
		{"kubeconfig: blue.kubeconfig", "kubeconfig: b, ca-file: c", "clusters[0].kubeconfig: excludes server"},
		{"kubeconfig: blue.kubeconfig", "kubeconfig: b, vnis: [1, 16777216]", "clusters[0].vnis[1]: 16777216 does not fit 24 bits"},
		{"switches:", "  - {name: green, kubeconfig: g, vnis: [7, 7]}\nswitches:", "clusters[1].vnis[1]: 7 is one of green already"},
		{"name: blue,", "name: \"b l\",", `clusters[0].name: "b l" must be`},
		{"idle-timeout: 3s", "idle-timeout: 3", "line 15: cannot unmarshal !!int `3` as a duration, like 5s"},
		{"flows: {", "  geneve-ports: [6081, 6081]\nflows: {", "fabric.geneve-ports[1]: 6081 is 0 or there twice"},
		{"flows: {", "  geneve-ports: [8472]\nflows: {", "fabric.geneve-ports[0]: 8472 is in fabric.vxlan-ports"},
		{"flows: {", "flows: {wireguard-ports: [0], ", "flows.wireguard-ports[0]: 0 is 0 or there twice"},
		{"idle-timeout: 3s", "idle-timeout: -3s", "flows.idle-timeout: -3s is not positive"},
		{"flows: {", "flows: {cache-slots: 100, ", "flows.cache-slots: 100 is not a power of two from 2 to 16384"},
		{"flows:", "---\nflows:", "more than one YAML document"},
		{"state-dir: /tmp/state", "heap-target: 1000", "heap-target: 1000 is neither 0 nor at least 67108864"},
		{"state-dir: /tmp/state", "election-id: 0", "election-id: must not be 0"},
		{"state-dir: /tmp/state", "gnmi: {max-behind: 7}", "gnmi.max-behind: 7 is less than 1024"},
		{"state-dir: /tmp/state", "gnmi: {max-behind-bytes: 7}", "gnmi.max-behind-bytes: 7 is less than 65536"},
		{"flows: {", "flows: {max-flows: 0, ", "flows.max-flows: 0 is not 1 to 1073741824"},
		{"flows: {", "flows: {max-hops: 256, ", "flows.max-hops: 256 is not 1 to 255"},
		{"flows: {", "flows: {max-publish: -1, ", "flows.max-publish: -1 is not 1 to"},
		{"flows: {", "flows: {max-reads: 5000, ", "flows.max-reads: 5000 is not 1 to 4096"},
		{"flows: {", "flows: {max-unnamed: 0, ", "flows.max-unnamed: 0 is not 1 to"},
		{"flows: {", "flows: {max-queue: 0, ", "flows.max-queue: 0 is not 1 to"},
		{"state-dir: /tmp/state", "gnmi: {sample-minimum: 1m}", "gnmi.sample-default: 10s is less than sample-minimum, 1m0s"},
		{"state-dir: /tmp/state", "gnmi: {send-timeout: 0s}", "gnmi.send-timeout: 0s is not positive"},
		{"state-dir: /tmp/state", "log-level: loud", `log-level: "loud" is not debug`},
	} {
		_, err := Parse([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.new, err, c.want)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	text := strings.NewReplacer("role: leaf", "role: x", "device-id: 1", "device-id: 0").Replace(good)
	_, err := Parse([]byte(text))
	if err == nil || !strings.Contains(err.Error(), "role") || !strings.Contains(err.Error(), "device-id") {
		t.Errorf("%v", err)
	}
}
