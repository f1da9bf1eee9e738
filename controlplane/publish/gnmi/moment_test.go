package gnmi_test

import (
	"math"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// atEvent asks by event time, as the CLI does.
func atEvent(t *testing.T, at time.Time) *gnmi_ext.Extension {
	t.Helper()
	msg, err := proto.Marshal(timestamppb.New(at))
	if err != nil {
		t.Fatal(err)
	}
	return registered(gnmi_ext.ExtensionID_EID_EXPERIMENTAL, msg)
}

func registered(id gnmi_ext.ExtensionID, msg []byte) *gnmi_ext.Extension {
	return &gnmi_ext.Extension{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{Id: id, Msg: msg}}}
}

// TestPast has a pod that began at 12:00 and ended at 12:02, which became known at 12:04.
func TestPast(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	client := dial(t, lab)
	pod := shop.Pod("late", "1", "uid-late", "worker1", "10.244.1.99")
	minute := func(n int) time.Time { return shop.Epoch().Add(time.Duration(n) * time.Minute) }
	lab.SetNow(minute(4))
	lab.Store.Record(inventory.Became(pod, minute(0)))
	lab.Store.Record(inventory.Ended(pod.Ref(), minute(2)))
	const name = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-late]/state/name"
	for _, test := range []struct {
		name   string
		option api.GNMIOption
		there  bool
	}{
		{"now", nil, false},
		{"happened by 12:01", api.Extension(atEvent(t, minute(1))), true},
		{"happened by 12:03", api.Extension(atEvent(t, minute(3))), false},
		{"known by 12:01", api.Extension_HistorySnapshotTime(minute(1)), false},
		{"known by 12:05", api.Extension_HistorySnapshotTime(minute(5)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			options := []api.GNMIOption{subscribe(name)}
			if test.option != nil {
				options = append(options, test.option)
			}
			got, err := once(t, client, options...)
			if err != nil {
				t.Fatal(err)
			}
			if _, there := got[name]; there != test.there {
				t.Errorf("the pod is there: %v, want %v", there, test.there)
			}
		})
	}
	req, err := api.NewGetRequest(api.EncodingPROTO(), api.Path(name), api.Extension(atEvent(t, minute(1))))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(deadline(t), req)
	if err != nil {
		t.Fatal(err)
	}
	if got := updates(resp.GetNotification()[0])[name]; got != "late-1" {
		t.Errorf("Get gives %q", got)
	}
	if at := resp.GetNotification()[0].GetTimestamp(); at != minute(1).UnixNano() {
		t.Errorf("Get gives the time %d, not that of the snapshot", at)
	}
}

// TestSnapshotKeepsTimestamps reads the state before a change, by commit time.
func TestSnapshotKeepsTimestamps(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	client := dial(t, lab)
	port := inventory.Port{Switch: "leaf1", Number: 1, Name: "swp1", Peer: "spine7"}
	lab.Record(port)
	const path = "/fabric/switches/switch[name=leaf1]/ports/port[name=swp1]/state/peer"
	req, err := api.NewSubscribeRequest(api.SubscriptionListModeONCE(), api.EncodingPROTO(), subscribe(path),
		api.Extension_HistorySnapshotTime(shop.Epoch().Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	responses, errs := client.SubscribeOnceChan(deadline(t), req)
	for r := range collect(t, responses, errs) {
		if n := r.GetUpdate(); n.GetTimestamp() != shop.Epoch().UnixNano() || updates(n)[path] != "spine1" {
			t.Errorf("%v", n)
		}
	}
}

func TestMomentErrors(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), gnmitest.WithForgottenPast(t))
	forgotten := lab.AwaitForgotten(t)
	client := dial(t, lab)
	history := func(h *gnmi_ext.History) *gnmi_ext.Extension {
		return &gnmi_ext.Extension{Ext: &gnmi_ext.Extension_History{History: h}}
	}
	snapshot := func(ns int64) *gnmi_ext.Extension {
		return history(&gnmi_ext.History{Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: ns}})
	}
	stretch := func(start, end int64) *gnmi_ext.Extension {
		return history(&gnmi_ext.History{Request: &gnmi_ext.History_Range{Range: &gnmi_ext.TimeRange{Start: start, End: end}}})
	}
	past := atEvent(t, shop.Epoch())
	for name, test := range map[string]struct {
		mode       gpb.SubscriptionList_Mode
		extensions []*gnmi_ext.Extension
		code       codes.Code
	}{
		"a snapshot of a stream":    {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{snapshot(1)}, codes.InvalidArgument},
		"a snapshot of a poll":      {gpb.SubscriptionList_POLL, []*gnmi_ext.Extension{past}, codes.InvalidArgument},
		"two moments":               {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{past, snapshot(1)}, codes.InvalidArgument},
		"no moment":                 {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{history(&gnmi_ext.History{})}, codes.InvalidArgument},
		"a snapshot before 1970":    {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{snapshot(-5)}, codes.InvalidArgument},
		"a range that ends early":   {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{stretch(2, 1)}, codes.InvalidArgument},
		"a range of long ago":       {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{stretch(forgotten.UnixNano(), time.Now().UnixNano())}, codes.OutOfRange},
		"a range all long ago":      {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{stretch(1, 2)}, codes.OutOfRange},
		"a range before 1970":       {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{stretch(-2, 1)}, codes.InvalidArgument},
		"a range of the future":     {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{stretch(time.Now().Add(time.Hour).UnixNano(), math.MaxInt64)}, codes.Unimplemented},
		"a range once":              {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{stretch(1, 2)}, codes.InvalidArgument},
		"a range polled":            {gpb.SubscriptionList_POLL, []*gnmi_ext.Extension{stretch(1, 2)}, codes.InvalidArgument},
		"a range of nothing":        {gpb.SubscriptionList_STREAM, []*gnmi_ext.Extension{history(&gnmi_ext.History{Request: &gnmi_ext.History_Range{}})}, codes.InvalidArgument},
		"known, but no range":       {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{registered(gnmi_ext.ExtensionID_EID_EXPERIMENTAL, nil)}, codes.InvalidArgument},
		"no timestamp":              {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{registered(gnmi_ext.ExtensionID_EID_EXPERIMENTAL, []byte("\xff\xff"))}, codes.InvalidArgument},
		"a timestamp out of bounds": {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{atEvent(t, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC))}, codes.InvalidArgument},
		"a strange registration":    {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{registered(7, nil)}, codes.InvalidArgument},
		"an empty extension":        {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{{}}, codes.InvalidArgument},
		"another extension":         {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_MasterArbitration{MasterArbitration: &gnmi_ext.MasterArbitration{}}}}, codes.Unimplemented},
		"the future":                {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{snapshot(time.Now().Add(time.Hour).UnixNano())}, codes.Unimplemented},
		"the future of events":      {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{atEvent(t, time.Now().Add(time.Hour))}, codes.Unimplemented},
		"long ago":                  {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{snapshot(forgotten.UnixNano())}, codes.OutOfRange},
		"long ago, by events":       {gpb.SubscriptionList_ONCE, []*gnmi_ext.Extension{atEvent(t, forgotten)}, codes.OutOfRange},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := client.Client.Subscribe(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			err = stream.Send(&gpb.SubscribeRequest{
				Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
					Mode: test.mode, Encoding: gpb.Encoding_PROTO, Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}},
				}},
				Extension: test.extensions,
			})
			if err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = stream.Recv()
			}
			wantCode(t, err, test.code)
		})
	}
}
