package gnmi_test

import (
	"slices"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

func pollRequest() *gpb.SubscribeRequest {
	return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}
}

// TestWhatIsNotThereYet follows the table of section 3.5.2.4: ONCE gives nothing, STREAM waits.
func TestWhatIsNotThereYet(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const path = "/fabric/switches/switch[name=leaf9]/state/role"
	got, err := once(t, dial(t, lab), subscribe(path))
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, got, nil)
	for _, mode := range []api.GNMIOption{api.SubscriptionModeON_CHANGE(), api.SubscriptionModeSAMPLE(), api.SubscriptionModeTARGET_DEFINED()} {
		stream := follow(t, lab, map[string]string{}, subscribe(path, mode))
		lab.Record(inventory.Switch{Name: "leaf9", Role: "leaf"})
		next(t, stream, map[string]string{path: "LEAF"})
		lab.End(inventory.Switch{Name: "leaf9"})
		for gone := false; !gone; {
			resp, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			gone = len(resp.GetUpdate().GetDelete()) > 0
		}
	}
}

// TestSubscribeCodes follows the table of section 3.5.2.4, in every mode.
func TestSubscribeCodes(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	for _, mode := range []gpb.SubscriptionList_Mode{gpb.SubscriptionList_ONCE, gpb.SubscriptionList_POLL, gpb.SubscriptionList_STREAM} {
		for path, code := range map[string]codes.Code{
			"/interfaces/interface/subinterfaces": codes.Unimplemented,
			"/interfaces/interface/state/colour":  codes.InvalidArgument,
		} {
			req, err := api.NewSubscribeRequest(api.EncodingPROTO(), api.Target("leaf1"), subscribe("/interfaces/interface/name"), subscribe(path))
			if err != nil {
				t.Fatal(err)
			}
			req.GetSubscribe().Mode = mode
			stream, err := client.Client.Subscribe(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(req); err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			wantCode(t, err, code)
		}
	}
}

// TestNothingIsAggregated wants a leaf in each update whatever the client allows: no node of the models is eligible
// (specification, section 3.5).
func TestNothingIsAggregated(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	for quote, encoding := range map[string]api.GNMIOption{"": api.EncodingJSON(), `"`: api.EncodingJSON_IETF()} {
		got, err := once(t, client, encoding, api.AllowAggregation(true), subscribe("/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]"))
		if err != nil {
			t.Fatal(err)
		}
		const at = "/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]"
		wantLeaves(t, got, map[string]string{at + "/name": `"swp3"`, at + "/state/name": `"swp3"`, at + "/state/number": "3", at + "/state/peer": `"worker1"`,
			at + "/state/admin-status": `"UP"`, at + "/state/oper-status": `"UP"`, at + "/state/since": quote + "1772366400000000000" + quote,
			at + "/state/last-change": quote + "1772362800000000000" + quote})
	}
}

// TestPollsOfUpdatesOnly gives sync_response and nothing else (specification, section 3.5.2.3).
func TestPollsOfUpdatesOnly(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	stream, err := client.Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	req, err := api.NewSubscribeRequest(api.SubscriptionListModePOLL(), api.EncodingPROTO(), api.UpdatesOnly(true), subscribe("/fabric"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		if resp, err := stream.Recv(); err != nil || !resp.GetSyncResponse() {
			t.Fatalf("%v, %v", resp, err)
		}
		req = pollRequest()
	}
	req.Extension = []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_Depth{Depth: &gnmi_ext.Depth{Level: 1}}}}
	if err := stream.Send(req); err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantCode(t, err, codes.InvalidArgument, "extensions")
}

// TestSamplesHaveTheirTime wants the time of the sample of what did not change since the last one, and the time of the
// event of what did (specification, sections 3.5.2.1 and 3.5.2.3). Heartbeats and samples of changes repeat events.
func TestSamplesHaveTheirTime(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	began := time.Now()
	sampled := follow(t, lab, map[string]string{pkts: "900"}, subscribe(pkts, api.SubscriptionModeSAMPLE()))
	for last := began.UnixNano(); last < began.Add(100*time.Millisecond).UnixNano(); {
		at := next(t, sampled, map[string]string{pkts: "900"}).GetTimestamp()
		if at < last || at > time.Now().UnixNano() {
			t.Fatalf("a sample of %d after %d", at, last)
		}
		last = at
	}
	lab.SetNow(time.Now().Add(time.Hour))
	lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 901})
	for {
		resp, err := sampled.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if updates(resp.GetUpdate())[pkts] == "901" {
			if at := resp.GetUpdate().GetTimestamp(); at != lab.Now().UnixNano() {
				t.Errorf("what changed has the time %d, not %d", at, lab.Now().UnixNano())
			}
			break
		}
	}
	for name, options := range map[string][]api.GNMIOption{
		"on change": {api.SubscriptionModeON_CHANGE(), api.HeartbeatInterval(20 * time.Millisecond)},
		"sample":    {api.SubscriptionModeSAMPLE(), api.SuppressRedundant(true), api.HeartbeatInterval(20 * time.Millisecond)},
	} {
		stream := follow(t, lab, map[string]string{role: "LEAF"}, subscribe(role, options...))
		if at := next(t, stream, map[string]string{role: "LEAF"}).GetTimestamp(); at != shop.Epoch().UnixNano() {
			t.Errorf("a heartbeat of %s has the time %d, not that of the event", name, at)
		}
	}
}

// TestIntervalsOfOtherModes sends intervals that are too short for samples where there are none.
func TestIntervalsOfOtherModes(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	follow(t, lab, map[string]string{role: "LEAF"}, subscribe(role, api.SubscriptionModeON_CHANGE(), api.SampleInterval(1)))
	got, err := once(t, dial(t, lab), subscribe(role, api.SubscriptionModeSAMPLE(), api.SampleInterval(1), api.HeartbeatInterval(1)))
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, got, map[string]string{role: "LEAF"})
	unknown := func(m proto.Message) error {
		m.(*gpb.Subscription).Mode = 7
		return nil
	}
	_, err = openStream(t, lab, subscribe(role, unknown)).Recv()
	wantCode(t, err, codes.InvalidArgument, "7")
}

// TestUpdatesOnlyOfSamples has nothing before sync_response, and the next sample whole.
func TestUpdatesOnlyOfSamples(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream := follow(t, lab, map[string]string{}, api.UpdatesOnly(true), subscribe(role, api.SubscriptionModeSAMPLE()))
	next(t, stream, map[string]string{role: "LEAF"})
}

// TestKeysThatLookLikePaths subscribes to a key whose text would be that of two, beside a subscriber to those.
func TestKeysThatLookLikePaths(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	link := func(keys map[string]string) api.GNMIOption {
		return func(m proto.Message) error {
			list := m.(*gpb.SubscribeRequest).GetSubscribe()
			path := &gpb.Path{Elem: []*gpb.PathElem{{Name: "fabric"}, {Name: "links"}, {Name: "link", Key: keys}}}
			list.Subscription = append(list.Subscription, &gpb.Subscription{Path: path, Mode: gpb.SubscriptionMode_ON_CHANGE})
			return nil
		}
	}
	one := follow(t, lab, nil, link(map[string]string{"a-interface": "swp9][a-switch=leaf9"}), subscribe(role, api.SubscriptionModeON_CHANGE()))
	two := follow(t, lab, nil, link(map[string]string{"a-interface": "swp9", "a-switch": "leaf9"}), subscribe(role, api.SubscriptionModeON_CHANGE()))
	lab.Record(inventory.Link{A: inventory.PortRef{Switch: "leaf9", Port: "swp9"}, B: inventory.PortRef{Switch: "spine1", Port: "swp9"}})
	lab.Record(inventory.Switch{Name: "leaf1", Role: "spine"})
	if resp, err := two.Recv(); err != nil || len(resp.GetUpdate().GetUpdate()) < 4 {
		t.Errorf("%v, %v", resp, err)
	}
	next(t, one, map[string]string{role: "SPINE"})
}

// TestAtomicInPart asks for leaves of an atomic container (specification, section 3.5.2.5).
func TestAtomicInPart(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const entry = onePod + "/attachments/attachment[interface=swp3][switch=leaf2]"
	stream := openStream(t, lab, subscribe(onePod+"/attachments/attachment/state/confidence", api.SubscriptionModeON_CHANGE()),
		subscribe(onePod+"/attachments/attachment/state/evidence", api.SubscriptionModeON_CHANGE()))
	told := func(confidence string) {
		t.Helper()
		n := next(t, stream, map[string]string{entry + "/state/confidence": confidence, entry + "/state/evidence": "BOTH"})
		if prefix := join(n.GetPrefix(), nil); !n.GetAtomic() || prefix != entry {
			t.Errorf("atomic %v with the prefix %s", n.GetAtomic(), prefix)
		}
	}
	told("100")
	if resp, err := stream.Recv(); err != nil || !resp.GetSyncResponse() {
		t.Fatalf("%v, %v", resp, err)
	}
	less := shop.Attachment("uid-cart-1", "leaf2", 3, "swp3")
	less.Confidence = 60
	lab.Record(less)
	told("60") // whole, as far as it was asked for, though one leaf changed
	lab.End(less)
	if n := next(t, stream, nil, entry); join(n.GetPrefix(), nil) != entry {
		t.Errorf("deleted with the prefix %v", n.GetPrefix())
	}
}

// TestSamplesDeleteInTime has a leaf that goes at a time before the last sample, as what is known late does: the deletion is no
// older than the sample, for a client with a cache would drop it.
func TestSamplesDeleteInTime(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	const message = "/fabric/switches/switch[name=spine1]/state/message"
	stream := follow(t, lab, map[string]string{message: "dial: connection refused"}, subscribe(message, api.SubscriptionModeSAMPLE()))
	sampled := next(t, stream, map[string]string{message: "dial: connection refused"}).GetTimestamp()
	i := slices.IndexFunc(shop.Facts(), isSwitch("spine1"))
	lab.Record(readySwitch(shop.Facts()[i])) // months before the samples
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if n := resp.GetUpdate(); len(n.GetDelete()) > 0 {
			if n.GetTimestamp() < sampled || !slices.Equal(deletes(n), []string{message}) {
				t.Errorf("%v after the sample of %d", n, sampled)
			}
			return
		}
		sampled = resp.GetUpdate().GetTimestamp()
	}
}
