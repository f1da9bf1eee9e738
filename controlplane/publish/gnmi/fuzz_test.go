package gnmi

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// asking is a client that says what it was given and then nothing more; it checks what it is answered.
type asking struct {
	grpc.ServerStream
	ctx      context.Context
	requests []*gpb.SubscribeRequest
	answer   func(*gpb.SubscribeResponse)
}

func (a *asking) Context() context.Context { return a.ctx }

func (a *asking) Recv() (*gpb.SubscribeRequest, error) {
	if len(a.requests) == 0 {
		return nil, io.EOF
	}
	next := a.requests[0]
	a.requests = a.requests[1:]
	return next, nil
}

func (a *asking) Send(*gpb.SubscribeResponse) error { panic("messages are sent as bytes") }

func (a *asking) SendMsg(m any) error {
	resp := &gpb.SubscribeResponse{}
	if err := proto.Unmarshal(m.(*encoded).bytes, resp); err != nil {
		panic(err)
	}
	a.answer(resp)
	return nil
}

// remembering is a source without a past of its own.
type remembering struct {
	Source
	view inventory.View
}

func (r *remembering) Now() inventory.View { return r.view }

func (r *remembering) At(context.Context, time.Time, history.Axis, ...history.Want) (inventory.View, error) {
	return r.view, nil
}

// FuzzRequests gives the server requests as they come from the wire. It may refuse them, with an error of the specification,
// or answer; what it answers must be beneath a path that was asked for, and fit its own rules.
func FuzzRequests(f *testing.F) {
	server, err := New(func() Config { c := DefaultConfig(); c.LabDir = "unused"; return c }(), Deps{Source: &remembering{view: newFixed(shop.Facts())}})
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range seeds() {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		_, isGet := m.(*gpb.GetRequest)
		f.Add(isGet, b)
	}
	f.Fuzz(func(t *testing.T, isGet bool, b []byte) {
		if isGet {
			req := &gpb.GetRequest{}
			if proto.Unmarshal(b, req) == nil {
				resp, err := server.Get(t.Context(), req)
				checkError(t, err)
				for _, n := range resp.GetNotification() {
					checkNotification(t, n)
				}
			}
			return
		}
		req := &gpb.SubscribeRequest{}
		if proto.Unmarshal(b, req) != nil || req.GetSubscribe().GetMode() == gpb.SubscriptionList_STREAM {
			return // a stream ends with its client
		}
		synced := false
		client := &asking{ctx: t.Context(), requests: []*gpb.SubscribeRequest{req}, answer: func(resp *gpb.SubscribeResponse) {
			if synced {
				t.Error("something comes after sync_response")
			}
			if synced = resp.GetSyncResponse(); !synced {
				checkNotification(t, resp.GetUpdate())
			}
		}}
		err := server.Subscribe(client)
		checkError(t, err)
		if err == nil && !synced {
			t.Error("no sync_response")
		}
	})
}

// checkError wants an error that a client can act on.
func checkError(t *testing.T, err error) {
	t.Helper()
	switch status.Code(err) {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.Unimplemented, codes.ResourceExhausted, codes.OutOfRange:
	default:
		t.Errorf("error %v", err)
	}
}

// checkNotification wants full paths without wildcards, each once, and values.
func checkNotification(t *testing.T, n *gpb.Notification) {
	t.Helper()
	seen := map[string]bool{}
	for _, u := range n.GetUpdate() {
		path := pathText(&gpb.Path{Elem: append(append([]*gpb.PathElem(nil), n.GetPrefix().GetElem()...), u.GetPath().GetElem()...)})
		if seen[path] {
			t.Errorf("%s comes twice", path)
		}
		seen[path] = true
		if u.GetVal().GetValue() == nil {
			t.Errorf("%s has no value", path)
		}
		for _, e := range append(n.GetPrefix().GetElem(), u.GetPath().GetElem()...) {
			if e.GetName() == anyElement || e.GetName() == anyElements {
				t.Errorf("%s has a wildcard", path)
			}
		}
	}
}

// seeds are requests of every sort.
func seeds() []proto.Message {
	elems := func(names ...string) *gpb.Path {
		p := &gpb.Path{}
		for _, n := range names {
			p.Elem = append(p.Elem, &gpb.PathElem{Name: n})
		}
		return p
	}
	keyed := &gpb.Path{Origin: "openconfig", Elem: []*gpb.PathElem{{Name: "kubernetes"}, {Name: "clusters"},
		{Name: "cluster", Key: map[string]string{"name": "blue"}}, {Name: "services"}, {Name: "service", Key: map[string]string{"name": "cart", "namespace": "*"}}}}
	var out []proto.Message
	for _, p := range []*gpb.Path{{}, keyed, elems("..."), elems("*", "*"), elems("fabric", "...", "state"), elems("interfaces"), elems("flows", "x")} {
		for _, target := range []string{"", FabricTarget, "leaf1", anyTarget} {
			prefix := &gpb.Path{Target: target}
			for _, enc := range encodings() {
				out = append(out, &gpb.GetRequest{Prefix: prefix, Path: []*gpb.Path{p}, Encoding: enc},
					&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Mode: gpb.SubscriptionList_ONCE, Prefix: prefix,
						Encoding: enc, Subscription: []*gpb.Subscription{{Path: p}, {Path: elems("fabric")}}}}})
			}
		}
	}
	deep := &gpb.GetRequest{Encoding: gpb.Encoding_PROTO}
	for range 40 {
		deep.Path = append(deep.Path, elems(strings.Split(strings.Repeat(".../*/", 15)+"...", "/")...))
	}
	return append(out, deep, &gpb.GetRequest{Type: gpb.GetRequest_OPERATIONAL, UseModels: []*gpb.ModelData{{Name: "fabricscope-flows"}}},
		&gpb.GetRequest{Extension: []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_History{History: &gnmi_ext.History{Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: 1}}}}}},
		&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}},
		&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Mode: gpb.SubscriptionList_POLL, UpdatesOnly: true,
			Subscription: []*gpb.Subscription{{Path: elems("fabric", "links")}}}}})
}
