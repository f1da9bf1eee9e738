package gnmi_test

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

func TestOnce(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	const pods = "/kubernetes/clusters/cluster[name=blue]/pods/pod"
	names := func(path string) map[string]string {
		return map[string]string{
			path + "[uid=uid-agent-1]/state/name": "node-agent-x", path + "[uid=uid-cart-1]/state/name": "cart-7f6b-bbbbb",
			path + "[uid=uid-cart-2]/state/name": "cart-7f6b-ccccc", path + "[uid=uid-frontend-1]/state/name": "frontend-5d9c-aaaaa",
		}
	}
	for name, test := range map[string]struct {
		options []api.GNMIOption
		want    map[string]string
	}{
		"omitted keys":          {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster/pods/pod/state/name")}, names(pods)},
		"key wildcards":         {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster[name=*]/pods/pod[uid=*]/state/name")}, names(pods)},
		"element wildcards":     {[]api.GNMIOption{subscribe("/kubernetes/*/*/pods/*/state/name")}, names(pods)},
		"an element with a key": {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster/*/*[uid=uid-cart-1]/state/name")}, map[string]string{pods + "[uid=uid-cart-1]/state/name": "cart-7f6b-bbbbb"}},
		"one behind any":        {[]api.GNMIOption{subscribe("/kubernetes/.../*[name=worker1]/state/address")}, map[string]string{"/kubernetes/clusters/cluster[name=blue]/nodes/node[name=worker1]/state/address": "172.16.1.11"}},
		"a deep wildcard":       {[]api.GNMIOption{subscribe("/kubernetes/.../pod/state/name")}, names(pods)},
		"a prefix":              {[]api.GNMIOption{api.Prefix("/kubernetes/clusters"), subscribe("cluster/pods/pod/state/name")}, names(pods)},
		"the target":            {[]api.GNMIOption{api.Target("fabric"), subscribe("/kubernetes/clusters/cluster/pods/pod/state/name")}, names(pods)},
		"overlapping paths":     {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster/pods/pod/state/name"), subscribe("/kubernetes/.../pod/state/name")}, names(pods)},
		"one pod, anywhere":     {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster/pods/pod[uid=uid-cart-1]/state/node")}, map[string]string{pods + "[uid=uid-cart-1]/state/node": "worker2"}},
		"nothing there":         {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster[name=red]/pods")}, nil},
		"updates only":          {[]api.GNMIOption{api.UpdatesOnly(true), subscribe("/kubernetes")}, nil},
		"a key of a label":      {[]api.GNMIOption{subscribe("/.../service/labels/label[key=app]/state/value")}, map[string]string{"/kubernetes/clusters/cluster[name=blue]/services/service[name=frontend][namespace=shop]/labels/label[key=app]/state/value": "frontend"}},
		"a switch's target":     {[]api.GNMIOption{api.Target("leaf2"), subscribe("/interfaces/interface/state/counters/in-pkts")}, map[string]string{"/interfaces/interface[name=swp1]/state/counters/in-pkts": "10", "/interfaces/interface[name=swp3]/state/counters/in-pkts": "20"}},
		"one partly key":        {[]api.GNMIOption{subscribe("/fabric/links/link[a-switch=leaf2]/state/b-interface")}, map[string]string{"/fabric/links/link[a-interface=swp1][a-switch=leaf2][b-interface=swp2][b-switch=spine1]/state/b-interface": "swp2"}},
		"a hop's counter":       {[]api.GNMIOption{subscribe("/flows/conversations/conversation[id=c0ffee]/hops/hop[direction=REVERSE][index=1]/state/counters/octets")}, map[string]string{"/flows/conversations/conversation[id=c0ffee]/hops/hop[direction=REVERSE][index=1]/state/counters/octets": "2345678"}},
		"a key leaf":            {[]api.GNMIOption{subscribe("/fabric/switches/switch[name=leaf1]/name")}, map[string]string{"/fabric/switches/switch[name=leaf1]/name": "leaf1"}},
		"names with slashes":    {[]api.GNMIOption{subscribe("/kubernetes/clusters/cluster/nodes/node[name=worker1]/labels/label[key=kubernetes.io/hostname]/state/value")}, map[string]string{"/kubernetes/clusters/cluster[name=blue]/nodes/node[name=worker1]/labels/label[key=kubernetes.io/hostname]/state/value": "worker1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := once(t, client, test.options...)
			if err != nil {
				t.Fatal(err)
			}
			wantLeaves(t, got, test.want)
		})
	}
}

// TestOnceGivesEverything compares the sum of the parts with the whole.
func TestOnceGivesEverything(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	all, err := once(t, client, subscribe("/"))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, path := range []string{"/kubernetes", "/fabric", "/flows", "/diagnosis"} {
		part, err := once(t, client, subscribe(path))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range part {
			parts[k] = v
		}
	}
	wantLeaves(t, all, parts)
	if len(all) < 400 {
		t.Errorf("only %d leaves", len(all))
	}
}

func TestNotifications(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	req, err := api.NewSubscribeRequest(api.SubscriptionListModeONCE(), api.EncodingPROTO(), api.Target("fabric"),
		subscribe("openconfig:/kubernetes/clusters/cluster/pods/pod[uid=uid-cart-1]"))
	if err != nil {
		t.Fatal(err)
	}
	responses, errs := client.SubscribeOnceChan(deadline(t), req)
	atomic := 0
	for r := range collect(t, responses, errs) {
		n := r.GetUpdate()
		if n.GetTimestamp() != shop.Epoch().UnixNano() {
			t.Errorf("timestamp %d is not the event time", n.GetTimestamp())
		}
		if n.GetPrefix().GetTarget() != "fabric" || n.GetPrefix().GetOrigin() != "openconfig" {
			t.Errorf("prefix %v", n.GetPrefix())
		}
		if n.GetAtomic() {
			atomic++
			if elems := n.GetPrefix().GetElem(); elems[len(elems)-1].GetName() != "attachment" {
				t.Errorf("atomic at %v", n.GetPrefix())
			}
		}
	}
	if atomic != 1 {
		t.Errorf("%d atomic notifications, want that of the attachment", atomic)
	}
}

func TestPoll(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	client := dial(t, lab)
	stream, err := client.Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	const path = "/fabric/switches/switch[name=spine1]/state/connection"
	req, err := api.NewSubscribeRequest(api.SubscriptionListModePOLL(), api.EncodingPROTO(), subscribe(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"UNREACHABLE", "READY"} {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		got, err := leavesUntilSync(t, stream)
		if err != nil {
			t.Fatal(err)
		}
		wantLeaves(t, got, map[string]string{path: want})
		i := slices.IndexFunc(shop.Facts(), isSwitch("spine1"))
		lab.Record(readySwitch(shop.Facts()[i]))
		req = &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
}

func TestSubscribeErrors(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.MaxPaths = 3 })
	client := dial(t, lab)
	request := func(options ...api.GNMIOption) *gpb.SubscribeRequest {
		req, err := api.NewSubscribeRequest(append([]api.GNMIOption{api.EncodingPROTO()}, options...)...)
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	list := func(mode gpb.SubscriptionList_Mode, subs ...*gpb.Subscription) *gpb.SubscribeRequest {
		return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Mode: mode, Subscription: subs, Encoding: gpb.Encoding_PROTO}}}
	}
	poll := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}
	stream := request(api.SubscriptionListModeSTREAM(), subscribe("/fabric/links", api.SubscriptionModeON_CHANGE()))
	polled, nothing := request(api.SubscriptionListModePOLL(), subscribe("/fabric/links")), &gpb.SubscribeRequest{}
	large := strings.Repeat("x", 10<<20)
	for name, test := range map[string]struct {
		requests []*gpb.SubscribeRequest
		code     codes.Code
		word     string
	}{
		"no list":            {[]*gpb.SubscribeRequest{poll}, codes.InvalidArgument, "first message"},
		"nothing at first":   {[]*gpb.SubscribeRequest{nothing}, codes.InvalidArgument, "first message"},
		"nothing for a list": {[]*gpb.SubscribeRequest{{Request: &gpb.SubscribeRequest_Subscribe{}}}, codes.InvalidArgument, "empty"},
		"nothing for a poll": {[]*gpb.SubscribeRequest{polled, nothing}, codes.InvalidArgument, "polls"},
		"a second poll list": {[]*gpb.SubscribeRequest{polled, polled}, codes.InvalidArgument, "second"},
		"another mode":       {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_STREAM, &gpb.Subscription{Path: &gpb.Path{}, Mode: 9})}, codes.InvalidArgument, "9"},
		"another encoding":   {[]*gpb.SubscribeRequest{request(api.SubscriptionListModeONCE(), subscribe("/fabric"), api.EncodingBYTES())}, codes.Unimplemented, "BYTES"},
		"no such target":     {[]*gpb.SubscribeRequest{request(api.SubscriptionListModeONCE(), subscribe("/interfaces"), api.Target("leaf9"))}, codes.NotFound, "leaf9"},
		"part of a target":   {[]*gpb.SubscribeRequest{request(api.SubscriptionListModeONCE(), subscribe("/interfaces"), api.Target("leaf*"))}, codes.NotFound, "leaf*"},
		"names of modules":   {[]*gpb.SubscribeRequest{request(api.SubscriptionListModeONCE(), subscribe("/fabricscope-fabric:fabric"))}, codes.InvalidArgument, "fabricscope-fabric:fabric"},
		"10 MiB":             {[]*gpb.SubscribeRequest{request(api.SubscriptionListModeONCE(), subscribe("/fabric/switches/switch[name="+large+"]"))}, codes.ResourceExhausted, "larger than max"},
		"10,000 paths":       {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_ONCE, make([]*gpb.Subscription, 10000)...)}, codes.ResourceExhausted, "10000 paths"},
		"an empty list":      {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_ONCE)}, codes.InvalidArgument, "empty"},
		"a second list":      {[]*gpb.SubscribeRequest{stream, stream}, codes.InvalidArgument, "second"},
		"a poll of a stream": {[]*gpb.SubscribeRequest{stream, poll}, codes.InvalidArgument, "POLL"},
		"a bad path":         {[]*gpb.SubscribeRequest{request(api.SubscriptionListModeONCE(), subscribe("/fabric/colour"))}, codes.InvalidArgument, "colour"},
		"too short a sample": {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_STREAM, &gpb.Subscription{Path: &gpb.Path{}, Mode: gpb.SubscriptionMode_SAMPLE, SampleInterval: 5})}, codes.InvalidArgument, "sample_interval"},
		"too short a beat":   {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_STREAM, &gpb.Subscription{Path: &gpb.Path{}, Mode: gpb.SubscriptionMode_ON_CHANGE, HeartbeatInterval: 5})}, codes.InvalidArgument, "heartbeat_interval"},
		"a strange mode":     {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_Mode(9), &gpb.Subscription{Path: &gpb.Path{}})}, codes.InvalidArgument, "9"},
		"too many paths":     {[]*gpb.SubscribeRequest{list(gpb.SubscriptionList_ONCE, make([]*gpb.Subscription, 4)...)}, codes.ResourceExhausted, "4 paths"},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := client.Client.Subscribe(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range test.requests {
				if err := call.Send(r); err != nil && !errors.Is(err, io.EOF) { // refused already: receiving tells why
					t.Fatal(err)
				}
			}
			for err == nil {
				_, err = call.Recv()
			}
			wantCode(t, err, test.code, test.word)
		})
	}
}

// collect yields what gnmic's client of a ONCE subscription gives, up to sync_response,
// and waits for its end.
func collect(t *testing.T, responses chan *gpb.SubscribeResponse, errs chan error) func(yield func(*gpb.SubscribeResponse) bool) {
	return func(yield func(*gpb.SubscribeResponse) bool) {
		t.Helper()
		synced := false
		for {
			select {
			case r := <-responses:
				if synced {
					t.Errorf("%v after sync_response", r)
				}
				if synced = r.GetSyncResponse(); !synced && !yield(r) {
					return
				}
			case err := <-errs:
				if !errors.Is(err, io.EOF) || !synced {
					t.Errorf("ended by %v, sync_response %v", err, synced)
				}
				return
			}
		}
	}
}

// TestManyPathsGiveEachLeafOnce asks for so many leaves that they take several programs, and for everything besides.
func TestManyPathsGiveEachLeafOnce(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	all, err := once(t, client, subscribe("/"))
	if err != nil {
		t.Fatal(err)
	}
	paths := slices.Sorted(maps.Keys(all))
	var options []api.GNMIOption
	for i := 0; i < len(paths); i += len(paths) / 150 {
		options = append(options, subscribe(paths[i]))
	}
	few, err := once(t, client, options...)
	if err != nil {
		t.Fatal(err)
	}
	if len(few) != len(options) {
		t.Errorf("%d paths of leaves give %d", len(options), len(few))
	}
	got, err := once(t, client, append(options, subscribe("/"))...)
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, got, all)
}
