package app

import (
	"maps"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openconfig/gnmic/pkg/api"
)

// Where P4Runtime is served, gNMI tells of ports: one that is shut over HTTP is down there at once.
func TestPortsOverGNMI(t *testing.T) {
	deps := Deps{Listener: loopback(t), Admin: loopback(t)}
	cfg := inMemory(1, 2)
	cfg.CPUPort = 510
	start(t, cfg, deps)
	c, err := api.NewTarget(api.Name("switch"), api.Address(deps.Listener.Addr().String()), api.Insecure(true), api.Timeout(patient))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateGNMIClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	req, err := api.NewSubscribeRequest(api.SubscriptionListModeSTREAM(), api.Encoding("proto"),
		api.Subscription(api.Path("/interfaces/interface[name=*]/state/oper-status"), api.SubscriptionModeON_CHANGE()))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.Client.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	next := func() (synced bool) {
		t.Helper()
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range resp.GetUpdate().GetUpdate() {
			states[u.GetPath().GetElem()[1].GetKey()["name"]] = u.GetVal().GetStringVal()
		}
		return resp.GetSyncResponse()
	}
	for !next() {
	}
	if diff := cmp.Diff(map[string]string{"port1": "UP", "port2": "UP"}, states); diff != "" {
		t.Error(diff)
	}
	for _, shut := range []struct{ body, want string }{{`{"up": false}`, "DOWN"}, {`{"up": true}`, "UP"}} {
		if code, text := do(t, deps.Admin, http.MethodPut, "/ports/2/link", shut.body); code != http.StatusNoContent {
			t.Fatalf("%d %s", code, text)
		}
		want := maps.Clone(states)
		want["port2"] = shut.want
		next()
		if diff := cmp.Diff(want, states); diff != "" {
			t.Errorf("%s: %s", shut.body, diff)
		}
	}
}
