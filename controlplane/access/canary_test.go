package access_test

import (
	"bytes"
	"errors"
	"io"
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
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// tenants is a lab with the rivals, and a reader of one of their namespaces and one of everything.
func tenants(t *testing.T) *guarded {
	g := prepare(t, access.Off).withUsers(t, user(t, "tenant", "pw"), user(t, "root", "pw"), user(t, "nobody", "pw"))
	g.cfg.Readers = []access.Reader{{Name: "mine", Users: []string{"tenant"}, Clusters: []string{"blue"}, Namespaces: []string{"mine"}},
		{Name: "all", Users: []string{"root"}}}
	g.facts = rivals()
	return g.start(t)
}

// TestNoByteOfAnother reads everything by every door as one tenant.
func TestNoByteOfAnother(t *testing.T) {
	g := tenants(t)
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
}

// TestHiddenIsAsAbsent has errors not tell what there is.
func TestHiddenIsAsAbsent(t *testing.T) {
	g := tenants(t)
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
		"snapshot by event time": subscribed(func(r *gpb.SubscribeRequest) {
			at, _ := proto.Marshal(timestamppb.New(shop.Epoch().Add(time.Minute)))
			r.Extension = []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{
				Id: gnmi_ext.ExtensionID_EID_EXPERIMENTAL, Msg: at}}}}
		}),
		"range":  replayed,
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

// replayed reads a range of the past in which everybody's pods change and end.
func replayed(t *testing.T, g *guarded, who string) (got []byte) {
	t.Helper()
	g.change(t.Name())
	if err := g.Store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	end := g.Now().Add(time.Second)
	g.SetNow(end.Add(time.Second))
	stream, err := gpb.NewGNMIClient(g.dial(t)).Subscribe(login(within(t), "username", who, "password", "pw"))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&gpb.SubscribeRequest{
		Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Prefix: &gpb.Path{Target: "*"}, Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}}}},
		Extension: []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_History{History: &gnmi_ext.History{Request: &gnmi_ext.History_Range{
			Range: &gnmi_ext.TimeRange{Start: shop.Epoch().Add(time.Minute).UnixNano(), End: end.UnixNano()}}}}}},
	}); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, flat(t, resp)...)
	}
	if !bytes.Contains(got, []byte("mark")) {
		t.Error("the range has no change")
	}
	return got
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
