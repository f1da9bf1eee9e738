package gnmi_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

type (
	historyConfig = history.Config
	gnmiConfig    = gnmi.Config
)

func isSwitch(name string) func(inventory.Fact) bool {
	return func(f inventory.Fact) bool { s, ok := f.(inventory.Switch); return ok && s.Name == name }
}

// readySwitch gives a switch in state ready.
func readySwitch(f inventory.Fact) inventory.Switch {
	s := f.(inventory.Switch)
	s.State, s.Message = "ready", ""
	return s
}

// follow opens a STREAM, checks what comes up to sync_response, and gives the rest.
func follow(t *testing.T, lab *gnmitest.Lab, first map[string]string, options ...api.GNMIOption) gpb.GNMI_SubscribeClient {
	t.Helper()
	req, err := api.NewSubscribeRequest(append([]api.GNMIOption{api.SubscriptionListModeSTREAM(), api.EncodingPROTO()}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := dial(t, lab).Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil {
		t.Fatal(err)
	}
	got, err := leavesUntilSync(t, stream)
	if err != nil {
		t.Fatal(err)
	}
	if first != nil {
		wantLeaves(t, got, first)
	}
	return stream
}

// next checks the next notification.
func next(t *testing.T, stream gpb.GNMI_SubscribeClient, want map[string]string, gone ...string) *gpb.Notification {
	t.Helper()
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	n := resp.GetUpdate()
	wantLeaves(t, updates(n), want)
	if got := deletes(n); !slices.Equal(got, gone) {
		t.Errorf("deleted %q, want %q", got, gone)
	}
	return n
}

func TestOnChange(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const pod = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-cart-1]"
	stream := follow(t, lab, nil, subscribe("/kubernetes/clusters/cluster/pods/pod[uid=uid-cart-1]", api.SubscriptionModeON_CHANGE()),
		subscribe("/kubernetes/clusters/cluster/pods/pod/state/ready", api.SubscriptionModeON_CHANGE()))

	p := shop.Pod("cart", "7f6b-bbbbb", "uid-cart-1", "worker2", "10.244.2.7")
	p.Ready, p.ReadySince, p.Labels = false, time.Time{}, map[string]string{"app": "cart", "new": ""}
	lab.Record(p)
	n := next(t, stream, map[string]string{
		pod + "/state/ready": "false", pod + "/labels/label[key=new]/key": "new",
		pod + "/labels/label[key=new]/state/key": "new", pod + "/labels/label[key=new]/state/value": "",
	}, pod+"/labels/label[key=tier]", pod+"/state/ready-since")
	if n.GetTimestamp() != lab.Now().UnixNano() {
		t.Errorf("timestamp %d is not the event time", n.GetTimestamp())
	}

	// Of another pod only its readiness was asked for: a change of anything else is silent.
	other := shop.Pod("cart", "7f6b-ccccc", "uid-cart-2", "worker1", "10.244.1.6")
	other.Restarts = 7
	lab.Record(other)
	fresh := shop.Pod("cart", "7f6b-ddddd", "uid-cart-3", "worker1", "10.244.1.9")
	lab.Record(fresh)
	const freshPath = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-cart-3]"
	next(t, stream, map[string]string{freshPath + "/state/ready": "true"})

	// An attachment moves: atomic, whole.
	moved := shop.Attachment("uid-cart-1", "leaf2", 3, "swp3")
	moved.Confidence = 60
	lab.Record(moved)
	const at = pod + "/attachments/attachment[interface=swp3][switch=leaf2]"
	n = next(t, stream, map[string]string{
		at + "/switch": "leaf2", at + "/interface": "swp3", at + "/state/switch": "leaf2", at + "/state/interface": "swp3",
		at + "/state/port-number": "3", at + "/state/since": fmt.Sprint(shop.Epoch().UnixNano()),
		at + "/state/evidence": "BOTH", at + "/state/confidence": "60",
	})
	if !n.GetAtomic() {
		t.Error("the attachment is not atomic")
	}

	lab.End(fresh)
	next(t, stream, nil, freshPath+"/state")
	lab.End(moved)
	next(t, stream, nil, at)
	lab.End(p)
	next(t, stream, nil, pod+"/labels", pod+"/state", pod+"/uid")
}

func TestOnChangeOfASwitchTarget(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream := follow(t, lab, map[string]string{"/interfaces/interface[name=swp3]/state/counters/in-octets": "2000"},
		api.Target("leaf2"), subscribe("/interfaces/interface[name=swp3]/state/counters/in-octets", api.SubscriptionModeON_CHANGE()))
	lab.Record(inventory.Accounting{Switch: "leaf1", Number: 3, Port: "swp3", PortBytes: 1})
	lab.Record(inventory.Accounting{Switch: "leaf2", Number: 3, Port: "swp3", PortBytes: 2})
	n := next(t, stream, map[string]string{"/interfaces/interface[name=swp3]/state/counters/in-octets": "2"})
	if n.GetPrefix().GetTarget() != "leaf2" {
		t.Errorf("target %q", n.GetPrefix().GetTarget())
	}
	lab.End(inventory.Accounting{Switch: "leaf2", Port: "swp3"})
	next(t, stream, nil, "/interfaces/interface[name=swp3]/state/counters/in-octets")
}

func TestUpdatesOnly(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream := follow(t, lab, map[string]string{}, api.UpdatesOnly(true), subscribe("/fabric/switches/switch/state", api.SubscriptionModeON_CHANGE()))
	i := slices.IndexFunc(shop.Facts(), isSwitch("spine1"))
	lab.Record(readySwitch(shop.Facts()[i]))
	const at = "/fabric/switches/switch[name=spine1]/state"
	next(t, stream, map[string]string{at + "/connection": "READY", at + "/controller-role": "PRIMARY"}, at+"/message")
}

func TestSample(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const path = "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]/state/counters/port-pkts"
	stream := follow(t, lab, map[string]string{path: "900"}, subscribe(path, api.SubscriptionModeSAMPLE(), api.SampleInterval(20*time.Millisecond)))
	next(t, stream, map[string]string{path: "900"})
	lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 901})
	for seen := ""; seen != "901"; {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		seen = updates(resp.GetUpdate())[path]
		if seen != "900" && seen != "901" {
			t.Fatalf("sample %q", seen)
		}
	}
}

func TestSuppressRedundant(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const port = "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]"
	stream := follow(t, lab, map[string]string{port + "/state/counters/port-pkts": "900", port + "/state/counters/base-pkts": "0"},
		subscribe(port+"/state/counters/port-pkts", api.SubscriptionModeSAMPLE(), api.SampleInterval(20*time.Millisecond), api.SuppressRedundant(true)),
		subscribe(port+"/state/counters/base-pkts", api.SubscriptionModeSAMPLE(), api.SampleInterval(20*time.Millisecond), api.SuppressRedundant(true)))
	lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 901, PortBytes: 90000})
	next(t, stream, map[string]string{port + "/state/counters/port-pkts": "901"})
	lab.End(inventory.Accounting{Switch: "leaf1", Port: "swp1"})
	next(t, stream, nil, port)
}

func TestHeartbeat(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const path = "/fabric/switches/switch[name=leaf1]/state/role"
	stream := follow(t, lab, map[string]string{path: "LEAF"}, subscribe(path, api.SubscriptionModeON_CHANGE(), api.HeartbeatInterval(20*time.Millisecond)))
	next(t, stream, map[string]string{path: "LEAF"})
	next(t, stream, map[string]string{path: "LEAF"})
}

// TestLeafThatGoes wants the leaf deleted, not what is around it and was not asked for.
func TestLeafThatGoes(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const at = "/fabric/switches/switch[name=spine1]"
	stream := follow(t, lab, map[string]string{at + "/state/message": "dial: connection refused"},
		subscribe(at+"/state/message", api.SubscriptionModeON_CHANGE()))
	i := slices.IndexFunc(shop.Facts(), isSwitch("spine1"))
	lab.Record(readySwitch(shop.Facts()[i]))
	next(t, stream, nil, at+"/state/message")
	lab.Record(shop.Facts()[i])
	next(t, stream, map[string]string{at + "/state/message": "dial: connection refused"})
}

// TestTargetDefined wants identities when they change and counters by the clock.
func TestTargetDefined(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.SampleDefault = 50 * time.Millisecond })
	stream := follow(t, lab, nil, subscribe("/flows/conversations/conversation[id=f00d]", api.SubscriptionModeTARGET_DEFINED()))
	c, ok := conversation("f00d")
	if !ok {
		t.Fatal("no such conversation")
	}
	c.Forward.Packets++
	c.Server.Identity.Service = "shop/cart"
	lab.Record(c)
	const at = "/flows/conversations/conversation[id=f00d]"
	seen := map[string]string{}
	for seen[at+"/state/counters/forward/pkts"] != "4" || seen[at+"/server/state/service"] == "" {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		got := updates(resp.GetUpdate())
		if _, ok := got[at+"/state/protocol"]; ok {
			t.Error("an identity came again without a change")
		}
		maps.Copy(seen, got)
	}
}

func conversation(id string) (flow.Conversation, bool) {
	for _, f := range shop.Facts() {
		if c, ok := f.(flow.Conversation); ok && c.ID == id {
			return c, true
		}
	}
	return flow.Conversation{}, false
}

// TestNoGapNoDuplicate changes one counter many times while subscribers come; each must
// see values that only rise, and the last.
func TestNoGapNoDuplicate(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const last = 2000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(1001); n <= last; n++ {
			lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: n})
		}
	}()
	const path = "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]/state/counters/port-pkts"
	for range 5 {
		stream, err := dial(t, lab).Client.Subscribe(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		req, err := api.NewSubscribeRequest(api.SubscriptionListModeSTREAM(), api.EncodingPROTO(), subscribe(path, api.SubscriptionModeON_CHANGE()))
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		synced := 0
		for before := uint64(0); before < last; {
			resp, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if resp.GetSyncResponse() {
				synced++
				continue
			}
			v := resp.GetUpdate().GetUpdate()[0].GetVal().GetUintVal()
			if v <= before {
				t.Fatalf("%d after %d", v, before)
			}
			before = v
		}
		if synced > 1 {
			t.Errorf("%d sync responses", synced)
		}
	}
	<-done
}

// TestHeartbeatsAmidChanges has heartbeats come between changes: nothing older may follow what is newer, and the last
// change must come.
func TestHeartbeatsAmidChanges(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream := follow(t, lab, map[string]string{pkts: "900"}, subscribe(pkts, api.SubscriptionModeON_CHANGE(), api.HeartbeatInterval(10*time.Millisecond)))
	done := make(chan struct{})
	const last = 5000
	go func() {
		defer close(done)
		for n := uint64(1001); n <= last; n++ {
			lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: n})
		}
	}()
	for before, again := uint64(0), 0; before < last || again < 3; {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		v := resp.GetUpdate().GetUpdate()[0].GetVal().GetUintVal()
		if v < before {
			t.Fatalf("%d after %d", v, before)
		}
		if v == before {
			again++
		}
		before = v
	}
	<-done
}

func TestStuckSubscriberIsCutOff(t *testing.T) {
	var facts []inventory.Fact
	for i := range 1000 {
		facts = append(facts, shop.Pod("cart", fmt.Sprint(i), fmt.Sprintf("uid-%d", i), "worker1", "10.244.1.6"))
	}
	lab := gnmitest.Start(t, facts, func(_ *historyConfig, c *gnmiConfig) { c.SendTimeout = 200 * time.Millisecond })
	client := dial(t, lab)
	req, err := api.NewSubscribeRequest(api.SubscriptionListModeSTREAM(), api.EncodingPROTO(), subscribe("/kubernetes", api.SubscriptionModeON_CHANGE()))
	if err != nil {
		t.Fatal(err)
	}
	stuck, err := client.Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stuck.Send(req); err != nil {
		t.Fatal(err)
	}
	// Another subscriber is served meanwhile, and sees the stuck one leave.
	if _, err := once(t, dial(t, lab), subscribe("/kubernetes/clusters/cluster/pods/pod/state/name")); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); lab.Server.Subscribers() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the stuck subscriber stays")
		}
	}
	for err == nil {
		_, err = stuck.Recv()
	}
	wantCode(t, err, codes.ResourceExhausted, "took nothing")
}
