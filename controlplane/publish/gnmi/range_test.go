package gnmi_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// replay asks for a range and gives what comes before sync_response and after it, up to the end.
func replay(t *testing.T, lab *gnmitest.Lab, options ...api.GNMIOption) (first, rest []*gpb.Notification) {
	t.Helper()
	stream := openStream(t, lab, options...)
	synced := false
	for {
		resp, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			if !synced {
				t.Error("no sync_response")
			}
			return first, rest
		case err != nil:
			t.Fatal(err)
		case resp.GetSyncResponse():
			synced = true
		case synced:
			rest = append(rest, resp.GetUpdate())
		default:
			first = append(first, resp.GetUpdate())
		}
	}
}

// openStream sends a request for a STREAM.
func openStream(t *testing.T, lab *gnmitest.Lab, options ...api.GNMIOption) gpb.GNMI_SubscribeClient {
	t.Helper()
	req, err := api.NewSubscribeRequest(append([]api.GNMIOption{api.SubscriptionListModeSTREAM(), api.EncodingPROTO()}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := dial(t, lab).Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return stream
}

// everyRecord makes the history keep each state of a conversation, not one a second.
func everyRecord(h *historyConfig, _ *gnmiConfig) { h.FlowInterval = 0 }

func texts(list []*gpb.Notification) []string {
	var out []string
	for _, n := range list {
		out = append(out, prototext.MarshalOptions{}.Format(n))
	}
	return out
}

// changeThings makes a dozen changes, each at a time of its own; what happened came to be known a second later.
func changeThings(lab *gnmitest.Lab) {
	step := 0
	at := func() time.Time {
		step++
		now := shop.Epoch().Add(10*time.Minute + time.Duration(step)*time.Second)
		lab.SetNow(now)
		return now.Add(-time.Second)
	}
	pod := shop.Pod("cart", "7f6b-zzzzz", "uid-cart-9", "worker1", "10.244.1.44")
	lab.Store.Record(inventory.Became(pod, at()))
	for i := range 4 {
		pod.Restarts++
		pod.Ready = i%2 == 0
		lab.Store.Record(inventory.Became(pod, at()))
	}
	moved := shop.Attachment("uid-cart-1", "leaf2", 3, "swp3")
	moved.Confidence = 50
	lab.Store.Record(inventory.Became(moved, at()))
	c, _ := conversation("f00d")
	for range 3 {
		c.Forward.Packets++
		lab.Store.Record(inventory.Became(c, at()))
	}
	lab.Store.Record(inventory.Ended(pod.Ref(), at()))
	lab.Store.Record(inventory.Became(pod, at()))
	lab.Store.Record(inventory.Ended(moved.Ref(), at()))
}

// TestRangeRepeatsTheStream compares what a subscriber got as it happened with what a range of the past gives.
func TestRangeRepeatsTheStream(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), everyRecord)
	paths := []api.GNMIOption{subscribe("/kubernetes/clusters/cluster/pods", api.SubscriptionModeON_CHANGE()),
		subscribe("/flows", api.SubscriptionModeON_CHANGE())}
	live := openStream(t, lab, paths...)
	var first []*gpb.Notification
	for {
		resp, err := live.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			break
		}
		first = append(first, resp.GetUpdate())
	}
	changeThings(lab)
	minute := func(n int) time.Time { return shop.Epoch().Add(time.Duration(n) * time.Minute) }
	before, rest := replay(t, lab, append(paths, api.Extension_HistoryRange(minute(6), minute(20)))...)
	if got, want := texts(before), texts(first); !slices.Equal(got, want) {
		t.Errorf("the range begins with\n%q\nwant\n%q", got, want)
	}
	if len(rest) != 12 {
		t.Errorf("%d changes, want 12", len(rest))
	}
	for i, n := range rest {
		resp, err := live.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := texts([]*gpb.Notification{n}), texts([]*gpb.Notification{resp.GetUpdate()}); !slices.Equal(got, want) {
			t.Errorf("change %d was\n%q\nand is repeated as\n%q", i, want, got)
		}
	}
}

// TestRangeIsHalfOpen asks from one change until just before another.
func TestRangeIsHalfOpen(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	changeThings(lab)
	second := func(n int) time.Time { return shop.Epoch().Add(10*time.Minute + time.Duration(n)*time.Second) }
	const path = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-cart-9]/state/restarts"
	for name, test := range map[string]struct {
		options []api.GNMIOption
		first   string
		rest    []string
	}{
		"two changes":  {[]api.GNMIOption{api.Extension_HistoryRange(second(2), second(4))}, "0", []string{"1", "2"}},
		"updates only": {[]api.GNMIOption{api.Extension_HistoryRange(second(2), second(4)), api.UpdatesOnly(true)}, "", []string{"1", "2"}},
		"nothing":      {[]api.GNMIOption{api.Extension_HistoryRange(second(3), second(3))}, "1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			first, rest := replay(t, lab, append(test.options, subscribe(path))...)
			began, values := "", []string(nil)
			for _, n := range first {
				began += updates(n)[path]
			}
			for _, n := range rest {
				values = append(values, updates(n)[path])
				if at := time.Unix(0, n.GetTimestamp()); !slices.Contains([]time.Time{second(1), second(2)}, at.UTC()) {
					t.Errorf("timestamp %v is not that of the event", at)
				}
			}
			if began != test.first || !slices.Equal(values, test.rest) {
				t.Errorf("begins with %q, goes on with %q; want %q, %q", began, values, test.first, test.rest)
			}
		})
	}
}

// TestRangeThatGoesOn begins in the past and has no end: what happens later comes behind what happened.
func TestRangeThatGoesOn(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	changeThings(lab)
	const at = "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]/state/counters/port-pkts"
	const path = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-cart-9]/state/restarts"
	stream := openStream(t, lab, api.Extension_HistoryRange(shop.Epoch().Add(10*time.Minute+4*time.Second), time.Unix(0, math.MaxInt64)),
		subscribe(path), subscribe(at))
	seen := map[string][]string{}
	until := func(which string, n int) {
		t.Helper()
		for len(seen[which]) < n {
			resp, err := stream.Recv()
			if err != nil {
				t.Fatalf("%v after %q", err, seen)
			}
			for p, v := range updates(resp.GetUpdate()) {
				seen[p] = append(seen[p], v)
			}
			for _, d := range deletes(resp.GetUpdate()) {
				seen[path] = append(seen[path], "gone "+d[len(d)-len("/state"):])
			}
		}
	}
	until(at, 1) // of now only, and so behind what the history has
	for n := range 3 {
		lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 901 + uint64(n)})
	}
	lab.Record(shop.Pod("cart", "7f6b-zzzzz", "uid-cart-9", "worker1", "10.244.1.44"))
	until(path, 6)
	if got := fmt.Sprint(seen[at]); got != "[900 901 902 903]" {
		t.Errorf("packets %s", got)
	}
	if got := fmt.Sprint(seen[path]); got != "[2 3 4 gone /state 4 0]" {
		t.Errorf("restarts %s", got)
	}
}

// TestRangeSaysWhenChangesWereKnown asks for commit times, of what was and of what comes.
func TestRangeSaysWhenChangesWereKnown(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	changeThings(lab)
	second := func(n int) time.Time { return shop.Epoch().Add(10*time.Minute + time.Duration(n)*time.Second) }
	stream := openStream(t, lab, api.Extension_HistoryRange(second(2), time.Unix(0, math.MaxInt64)), api.UpdatesOnly(true),
		api.Extension(registered(gnmi_ext.ExtensionID_EID_EXPERIMENTAL, nil)),
		subscribe("/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-cart-9]/state/restarts"))
	var known []time.Time
	for len(known) < 7 {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			continue
		}
		var at timestamppb.Timestamp
		if err := proto.Unmarshal(resp.GetExtension()[0].GetRegisteredExt().GetMsg(), &at); err != nil {
			t.Fatal(err)
		}
		if known = append(known, at.AsTime()); len(known) == 6 {
			lab.SetNow(second(60))
			lab.Record(shop.Pod("cart", "7f6b-zzzzz", "uid-cart-9", "worker1", "10.244.1.44"))
		}
	}
	want := []time.Time{second(2), second(3), second(4), second(5), second(10), second(11), second(60)}
	if !slices.EqualFunc(known, want, time.Time.Equal) {
		t.Errorf("known at %v, want %v", known, want)
	}
}

// TestRangeThatEndsSoon waits for the end that was asked for.
func TestRangeThatEndsSoon(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	first, rest := replay(t, lab, api.Extension_HistoryRange(shop.Epoch().Add(time.Minute), time.Now().Add(200*time.Millisecond)),
		subscribe("/fabric/links/link/state"))
	if len(first) != 3 || len(rest) != 0 {
		t.Errorf("%d links and %d changes", len(first), len(rest))
	}
}
