package gnmi_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// FuzzCalls sends whole messages of Subscribe, extensions and all, to a running server with a history, and a second
// message after the first. Whatever they are, the call ends with an error of the specification, or comes to
// sync_response, once; and the server answers the next caller.
func FuzzCalls(f *testing.F) {
	for _, req := range calls() {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte{})
		f.Add(b, b)
		f.Add(b, []byte("\x1a\x00")) // a poll
	}
	lab := gnmitest.Start(f, shop.Facts())
	client, err := api.NewTarget(api.Name("lab"), api.Address(lab.Address), api.TLSCA(lab.CA), api.Timeout(patience))
	if err != nil {
		f.Fatal(err)
	}
	if err := client.CreateGNMIClient(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { client.Close() })
	f.Fuzz(func(t *testing.T, first, second []byte) {
		req, more := &gpb.SubscribeRequest{}, &gpb.SubscribeRequest{}
		if proto.Unmarshal(first, req) != nil || proto.Unmarshal(second, more) != nil {
			return // gRPC refuses it before the server sees it
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		stream, err := client.Client.Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		err = stream.Send(req)
		if err == nil && len(second) > 0 {
			err = stream.Send(more)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		for {
			resp, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				wantKnownCode(t, err)
				return
			}
			if resp.GetSyncResponse() && req.GetSubscribe().GetMode() == gpb.SubscriptionList_STREAM {
				return // it goes on until its client ends it
			}
		}
	})
}

// wantKnownCode wants an error that is the server's word, and no accident of it.
func wantKnownCode(t *testing.T, err error) {
	t.Helper()
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.Unimplemented, codes.ResourceExhausted, codes.OutOfRange:
	default:
		t.Errorf("error %v", err)
	}
}

// calls are first messages of every mode, with every extension.
func calls() []*gpb.SubscribeRequest {
	path := func(names ...string) *gpb.Path {
		p := &gpb.Path{}
		for _, n := range names {
			p.Elem = append(p.Elem, &gpb.PathElem{Name: n})
		}
		return p
	}
	at := shop.Epoch().UnixNano()
	history := func(h *gnmi_ext.History) *gnmi_ext.Extension {
		return &gnmi_ext.Extension{Ext: &gnmi_ext.Extension_History{History: h}}
	}
	between := func(start, end int64) *gnmi_ext.Extension {
		return history(&gnmi_ext.History{Request: &gnmi_ext.History_Range{Range: &gnmi_ext.TimeRange{Start: start, End: end}}})
	}
	all := [][]*gnmi_ext.Extension{
		nil, {{}}, {history(&gnmi_ext.History{})},
		{history(&gnmi_ext.History{Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: at + 1}})},
		{between(at, at+int64(time.Minute))}, {between(at+2, at+1)}, {between(at, math.MaxInt64)},
		{{Ext: &gnmi_ext.Extension_Depth{Depth: &gnmi_ext.Depth{Level: 2}}}},
		{{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{Id: gnmi_ext.ExtensionID_EID_EXPERIMENTAL, Msg: []byte("\x08\xc0\xd4\x90\xcd\x06")}}}},
		{{Ext: &gnmi_ext.Extension_MasterArbitration{MasterArbitration: &gnmi_ext.MasterArbitration{}}}},
		{{Ext: &gnmi_ext.Extension_ConfigSubscription{ConfigSubscription: &gnmi_ext.ConfigSubscription{}}}},
	}
	var out []*gpb.SubscribeRequest
	for _, extension := range all {
		for mode := range gpb.SubscriptionList_Mode_name {
			for one := range gpb.SubscriptionMode_name {
				out = append(out, &gpb.SubscribeRequest{Extension: extension, Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
					Prefix: &gpb.Path{Target: "*"}, Mode: gpb.SubscriptionList_Mode(mode), Encoding: gpb.Encoding_PROTO, UpdatesOnly: one == 1,
					Subscription: []*gpb.Subscription{{Path: path("..."), Mode: gpb.SubscriptionMode(one), SampleInterval: uint64(time.Hour), HeartbeatInterval: uint64(time.Hour)},
						{Path: path("fabric", "*"), Mode: gpb.SubscriptionMode(one)}}}}})
			}
		}
	}
	return append(out, &gpb.SubscribeRequest{}, &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{}})
}
