package topology

import (
	"strings"
	"testing"
)

func TestLab(t *testing.T) {
	lab, _, err := Lab()
	if err != nil {
		t.Fatal(err)
	}
	if len(lab.Workers("blue")) != 4 || len(lab.Workers("green")) != 2 || len(lab.Switches) != 5 {
		t.Errorf("%d and %d workers, %d switches", len(lab.Workers("blue")), len(lab.Workers("green")), len(lab.Switches))
	}
	peers := lab.Peers("leaf1")
	if len(peers) != 5 || peers[0].Name != "spine1" || peers[2].Name != "worker1" || !peers[2].Host {
		t.Errorf("leaf1 has %+v", peers)
	}
	if i := peers[2].Port.Interface(); i != "leaf1-eth3" {
		t.Errorf("interface %s", i)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	_, text, err := Lab()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"leaf1:3"`, `"leaf1:1"`, "host worker1: port leaf1:1 is taken by links[0]"},
		{`"leaf1:3"`, `"leaf9:1"`, `host worker1: there is no switch "leaf9"`},
		{`"leaf1:3"`, `"leaf1"`, `port "leaf1" is not switch:number`},
		{"10.1.1.11/24", "10.1.2.99/24", "host worker1: 10.1.2.99/24 is not in the subnet of leaf1"},
		{`"device-id": 11`, `"device-id": 12`, "device id is there twice"},
		{`"hosts"`, `"guests"`, `unknown field "guests"`},
	} {
		if _, err := Parse([]byte(strings.Replace(string(text), c.old, c.new, 1))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.new, err, c.want)
		}
	}
}
