package access_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// canaries are names, identifiers and addresses of the other tenant, and of nodes.
func canaries() []string {
	return []string{"rival", "10.66.66.6", "172.16.1.11", "203.0.113.9", "uid-cart"}
}

// rivals are the other tenant's objects, and one of our own that talks with them.
func rivals() []inventory.Fact {
	addr := netip.MustParseAddr
	mine := inventory.Pod{Cluster: "blue", Namespace: "mine", Name: "mine-1", UID: "uid-mine", IPs: []netip.Addr{addr("10.55.55.5")}, Phase: "Running"}
	other := inventory.Pod{Cluster: "blue", Namespace: "rival", Name: "rival-1", UID: "uid-rival", IPs: []netip.Addr{addr("10.66.66.6")}, Phase: "Running"}
	end := func(p inventory.Pod) flow.End {
		return flow.End{Address: p.IPs[0], Port: 80, Identity: flow.Identity{Cluster: "blue", Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID,
			Service: p.Namespace + "/svc,rival/other", Node: "worker1", Switch: "leaf1", Port: "swp3", Why: "was rival/rival-2 before"}}
	}
	hops := []flow.Hop{{Switch: "leaf1", Port: "swp3", Number: 3, Outer: flow.Outer{Kind: flow.VXLAN, Src: addr("172.16.1.11"), Dst: addr("172.16.2.12")},
		Counters: flow.Counters{Packets: 1, Bytes: 100}, First: shop.Epoch(), Last: shop.Epoch()}}
	talk := func(id string, a, b inventory.Pod) flow.Conversation {
		return flow.Conversation{ID: id, Protocol: flow.TCP, Client: end(a), Server: end(b), ForwardHops: hops, Forward: flow.Counters{Packets: 1, Bytes: 100},
			First: shop.Epoch(), Last: shop.Epoch(), Legs: []flow.Leg{{ID: "1e6", Side: flow.Front, Candidates: 2, Reason: "or rival/rival-1", End: end(other)}}}
	}
	return []inventory.Fact{
		inventory.Namespace{Cluster: "blue", Name: "rival"}, inventory.Namespace{Cluster: "blue", Name: "mine"}, mine, other,
		inventory.Attachment{Cluster: "blue", Namespace: "mine", PodUID: "uid-mine", Switch: "leaf1", PortName: "swp3", Since: shop.Epoch(), Conflict: "rival's"},
		inventory.Attachment{Cluster: "blue", Namespace: "rival", PodUID: "uid-rival", Switch: "leaf1", PortName: "swp3", Since: shop.Epoch()},
		inventory.Entrance{Cluster: "blue", Kind: inventory.EntranceGateway, Namespace: "mine", Name: "gate", Services: []string{"mine/svc", "rival/svc"}},
		inventory.Event{Cluster: "blue", UID: "uid-rival-event", Type: "Normal", Kind: "Pod", Namespace: "rival", Name: "rival-1"},
		inventory.Pod{Cluster: "green", Namespace: "mine", Name: "rival-green", UID: "uid-rival-green", Phase: "Running"},
		talk("aaaa", mine, other), talk("bbbb", other, mine), talk("cccc", other, other),
	}
}

// TestNoByteOfAnother reads everything by every door as one tenant.
func TestNoByteOfAnother(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "tenant", "pw"), user(t, "root", "pw"), user(t, "nobody", "pw"))
	g.cfg.Readers = []access.Reader{{Name: "mine", Users: []string{"tenant"}, Clusters: []string{"blue"}, Namespaces: []string{"mine"}},
		{Name: "all", Users: []string{"root"}}}
	g.facts = rivals()
	g.start(t)
	for _, who := range []string{"tenant", "root"} {
		for door, read := range doors() {
			t.Run(who+" "+door, func(t *testing.T) {
				got := read(t, g, who)
				if !bytes.Contains(got, []byte("uid-mine")) {
					t.Errorf("the own pod is not there: %q", got)
				}
				leaks := slices.DeleteFunc(canaries(), func(c string) bool { return !bytes.Contains(got, []byte(c)) })
				if who == "tenant" && len(leaks) > 0 {
					t.Errorf("%q is told", leaks)
				}
				if who == "root" && len(leaks) == 0 {
					t.Error("who sees everything sees nothing of the others")
				}
			})
		}
	}
	client := gpb.NewGNMIClient(g.dial(t))
	ctx := login(within(t), "username", "tenant", "password", "pw")
	get := func(target string, elems ...*gpb.PathElem) string {
		_, err := client.Get(ctx, &gpb.GetRequest{Prefix: &gpb.Path{Target: target}, Path: []*gpb.Path{{Elem: elems}}})
		wantCode(t, err, codes.NotFound)
		return err.Error()
	}
	pod := func(uid string) string {
		return strings.ReplaceAll(get("", &gpb.PathElem{Name: "kubernetes"}, &gpb.PathElem{Name: "clusters"}, &gpb.PathElem{Name: "cluster"},
			&gpb.PathElem{Name: "pods"}, &gpb.PathElem{Name: "pod", Key: map[string]string{"uid": uid}}), uid, "UID")
	}
	if a, b := pod("uid-rival"), pod("uid-absent"); a != b {
		t.Errorf("%q tells what is hidden from %q", a, b)
	}
	if a, b := strings.ReplaceAll(get("leaf1"), "leaf1", "X"), strings.ReplaceAll(get("leaf9"), "leaf9", "X"); a != b {
		t.Errorf("%q tells of a hidden switch, %q of none", a, b)
	}
	_, err := client.Get(login(within(t), "username", "nobody", "password", "pw"), &gpb.GetRequest{})
	wantCode(t, err, codes.PermissionDenied)
}

// doors are all ways to read, each giving the bytes that came.
func doors() map[string]func(*testing.T, *guarded, string) []byte {
	subscribed := func(change func(*gpb.SubscribeRequest)) func(*testing.T, *guarded, string) []byte {
		return func(t *testing.T, g *guarded, who string) []byte {
			list := &gpb.SubscriptionList{Prefix: &gpb.Path{Target: "*"}, Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO,
				Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}}}
			req := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}
			change(req)
			return g.subscribe(t, who, req)
		}
	}
	all := map[string]func(*testing.T, *guarded, string) []byte{
		"once": subscribed(func(*gpb.SubscribeRequest) {}),
		"poll": subscribed(func(r *gpb.SubscribeRequest) { r.GetSubscribe().Mode = gpb.SubscriptionList_POLL }),
		"snapshot": subscribed(func(r *gpb.SubscribeRequest) {
			r.Extension = []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_History{History: &gnmi_ext.History{
				Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: shop.Epoch().Add(time.Minute).UnixNano()}}}}}
		}),
		"export": func(t *testing.T, g *guarded, who string) []byte { return g.export(t, who) },
	}
	for _, mode := range []gpb.SubscriptionMode{gpb.SubscriptionMode_ON_CHANGE, gpb.SubscriptionMode_SAMPLE, gpb.SubscriptionMode_TARGET_DEFINED} {
		all[mode.String()] = subscribed(func(r *gpb.SubscribeRequest) {
			r.GetSubscribe().Mode, r.GetSubscribe().Subscription[0].Mode = gpb.SubscriptionList_STREAM, mode
		})
	}
	for _, e := range []gpb.Encoding{gpb.Encoding_JSON, gpb.Encoding_JSON_IETF, gpb.Encoding_PROTO, gpb.Encoding_ASCII} {
		all["get "+e.String()] = func(t *testing.T, g *guarded, who string) []byte {
			resp, err := gpb.NewGNMIClient(g.dial(t)).Get(login(within(t), "username", who, "password", "pw"),
				&gpb.GetRequest{Prefix: &gpb.Path{Target: "*"}, Encoding: e})
			if err != nil {
				t.Fatal(err)
			}
			return flat(t, resp)
		}
	}
	return all
}

func flat(t *testing.T, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// subscribe reads until sync_response. Of a stream of changes it goes on through a change and an end of the other's pod, until a
// change of the own pod, which comes after them.
func (g *guarded) subscribe(t *testing.T, who string, req *gpb.SubscribeRequest) (got []byte) {
	stream, err := gpb.NewGNMIClient(g.dial(t)).Subscribe(login(within(t), "username", who, "password", "pw"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil {
		t.Fatal(err)
	}
	changes := req.GetSubscribe().GetMode() == gpb.SubscriptionList_STREAM
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		b := flat(t, resp)
		if got = append(got, b...); bytes.Contains(b, []byte("mark")) || resp.GetSyncResponse() && !changes {
			return got
		}
		if resp.GetSyncResponse() {
			g.change(t.Name())
		}
	}
}

// change has the other's pod change, end and come back, and after that the own one change.
func (g *guarded) change(mark string) {
	for _, f := range rivals() {
		if p, ok := f.(inventory.Pod); ok && p.UID != "uid-mine" {
			p.Reason = "rival " + mark
			g.Record(p)
			g.End(p)
			g.Record(p)
		}
	}
	for _, f := range rivals() {
		if p, ok := f.(inventory.Pod); ok && p.UID == "uid-mine" {
			p.Reason = "mark " + mark
			g.Record(p)
		}
	}
}

// export reads flow records; a query for what is hidden finds nothing.
func (g *guarded) export(t *testing.T, who string) (got []byte) {
	if err := g.Records.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, fields := range []map[string]any{{}, {"pod": "rival-1"}, {"address": "10.66.66.6"}, {"switch": "leaf1"}} {
		asked, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := g.dial(t).NewStream(login(within(t), "username", who, "password", "pw"), &grpc.StreamDesc{ServerStreams: true}, "/fabricscope.v1.FlowRecords/Export")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendMsg(asked); err != nil {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			var chunk wrapperspb.BytesValue
			if err := stream.RecvMsg(&chunk); err != nil {
				break
			}
			n += len(chunk.GetValue())
			got = append(got, chunk.GetValue()...)
		}
		if i > 0 && who == "tenant" && n > 0 {
			t.Errorf("%v finds %d bytes", fields, n)
		}
	}
	return got
}
