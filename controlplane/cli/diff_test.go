package cli_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/cli"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// TestDifferencesOfWhatIsThereOnce compares moments at one of which alone there is something with the name that is asked about:
// names of which it is a part are not meant then, at neither.
func TestDifferencesOfWhatIsThereOnce(t *testing.T) {
	lab := gnmitest.Start(t, []inventory.Fact{inventory.Cluster{Name: "blue", State: "synced"}})
	things := func(name string) []inventory.Fact {
		address := netip.MustParseAddr("10.0.0.1")
		return []inventory.Fact{
			inventory.Pod{Cluster: "blue", Namespace: name, Name: name, UID: "uid-" + name, Phase: "Running", IPs: []netip.Addr{address}},
			inventory.Service{Cluster: "blue", Namespace: name, Name: name, Type: "ClusterIP"},
			inventory.Member{Cluster: "blue", Namespace: name, Service: name, Address: address, Pod: name, PodUID: "uid-" + name, Ready: true},
		}
	}
	lab.SetNow(shop.Epoch().Add(time.Minute))
	lab.Record(things("cart")...)
	lab.SetNow(shop.Epoch().Add(2 * time.Minute))
	lab.End(things("cart")...)
	lab.Record(things("cart-db")...)
	lab.SetNow(shop.Epoch().Add(3 * time.Minute))
	for flag, want := range map[string]string{
		"--service cart":          "member/cart removed, pod/cart removed, service/cart removed",
		"--pod cart":              "member/cart removed, pod/cart removed, service/cart removed",
		"--namespace cart":        "member/cart removed, pod/cart removed, service/cart removed",
		"--namespace cart-":       "member/cart-db added, pod/cart-db added, service/cart-db added",
		"--service cart-db":       "member/cart-db added, pod/cart-db added, service/cart-db added",
		"--service art --pod d":   "member/cart-db added, pod/cart-db added, service/cart-db added",
		"--service cart -l x":     "",
		"--cluster blu --pod -db": "member/cart-db added, pod/cart-db added, service/cart-db added",
	} {
		var said, failed strings.Builder
		args := append(strings.Fields("diff --at 2026-03-01T12:01:30Z --to 2026-03-01T12:02:30Z -o json"), strings.Fields(flag)...)
		status := cli.Main(cli.Surroundings{Args: append(args, "--address", lab.Address, "--tls-ca", lab.CA),
			Getenv: func(string) string { return "" }, Now: later, Stdout: &said, Stderr: &failed})
		var list []struct{ Change, Kind, Name string }
		if err := json.Unmarshal([]byte(said.String()), &list); err != nil || status != 0 {
			t.Fatalf("%s: status %d, %v: %s", flag, status, err, failed.String())
		}
		var got []string
		for _, d := range list {
			if d.Kind == "service" || d.Kind == "pod" || d.Kind == "member" {
				got = append(got, d.Kind+"/"+d.Name+" "+d.Change)
			}
		}
		slices.Sort(got)
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: %q, want %q", flag, got, want)
		}
	}
}
