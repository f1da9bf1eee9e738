package gnmi_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// TestGetAnswersEachPath wants a notification for each path, in their order, with the time of the answer and the
// target as it was asked for (specification, sections 2.2.2.1 and 3.3.2).
func TestGetAnswersEachPath(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	paths := []string{role, pkts, role}
	for _, target := range []string{"", "fabric"} {
		before := time.Now().UnixNano()
		resp, err := client.Get(deadline(t), get(t, api.EncodingPROTO(), api.Target(target), api.Path(paths[0]), api.Path(paths[1]), api.Path(paths[2])))
		if err != nil {
			t.Fatal(err)
		}
		after := time.Now().UnixNano()
		if len(resp.GetNotification()) != len(paths) {
			t.Fatalf("%d notifications", len(resp.GetNotification()))
		}
		for i, n := range resp.GetNotification() {
			if _, ok := updates(n)[paths[i]]; !ok || len(n.GetUpdate()) != 1 {
				t.Errorf("notification %d is %v", i, n)
			}
			if n.GetPrefix().GetTarget() != target {
				t.Errorf("asked for target %q, told %q", target, n.GetPrefix().GetTarget())
			}
			if at := n.GetTimestamp(); at < before || at > after {
				t.Errorf("timestamp %d is not between %d and %d", at, before, after)
			}
		}
	}
}

// TestGetOfAnAtomicContainer wants the containers that a path leads to or into by themselves, with their prefix, and of
// their leaves those that were asked for (specification, section 3.5.2.5).
func TestGetOfAnAtomicContainer(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	const entry = onePod + "/attachments/attachment[interface=swp3][switch=leaf2]"
	for _, test := range []struct {
		path     string
		encoding gpb.Encoding
		want     map[string]string
	}{
		{onePod + "/attachments/attachment/state/port-number", gpb.Encoding_PROTO, map[string]string{entry + "/state/port-number": "3"}},
		{onePod + "/attachments/attachment/state/evidence", gpb.Encoding_JSON_IETF, map[string]string{entry + "/state/evidence": `"BOTH"`}},
		{onePod + "/attachments/attachment", gpb.Encoding_JSON, map[string]string{entry: `{"switch":"leaf2","interface":"swp3",` +
			`"state":{"switch":"leaf2","interface":"swp3","port-number":3,"since":` + fmt.Sprint(shop.Epoch().UnixNano()) + `,"evidence":"BOTH","confidence":100}}`}},
	} {
		req := get(t, api.Path(test.path))
		req.Encoding = test.encoding
		resp, err := client.Get(deadline(t), req)
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetNotification()) != 1 {
			t.Fatalf("%s: %d notifications", test.path, len(resp.GetNotification()))
		}
		n := resp.GetNotification()[0]
		wantLeaves(t, updates(n), test.want)
		if prefix := join(n.GetPrefix(), nil); !n.GetAtomic() || prefix != entry {
			t.Errorf("%s: atomic %v with the prefix %s", test.path, n.GetAtomic(), prefix)
		}
	}
	// What is above is one notification, which cannot be atomic.
	resp, err := client.Get(deadline(t), get(t, api.EncodingPROTO(), api.Path(onePod)))
	if err != nil {
		t.Fatal(err)
	}
	if n := resp.GetNotification(); len(n) != 1 || n[0].GetAtomic() {
		t.Errorf("of the pod: %d notifications, atomic %v", len(n), n[0].GetAtomic())
	}
	every, err := client.Get(deadline(t), get(t, api.EncodingPROTO(), api.Path("/kubernetes/clusters/cluster/pods/pod/attachments/attachment")))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(every.GetNotification()); n < 4 {
		t.Errorf("of all attachments: %d notifications", n)
	}
}

// TestJSONIsTheDefault leaves the encoding out (specification, sections 2.3.1 and 3.3.1).
func TestJSONIsTheDefault(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	resp, err := client.Get(deadline(t), &gpb.GetRequest{Path: get(t, api.Path(role)).GetPath()})
	if err != nil {
		t.Fatal(err)
	}
	if v := resp.GetNotification()[0].GetUpdate()[0].GetVal().GetJsonVal(); string(v) != `"LEAF"` {
		t.Errorf("Get: %v", resp)
	}
	stream, err := client.Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	// Neither has the list a mode: that is STREAM.
	list := &gpb.SubscriptionList{Subscription: []*gpb.Subscription{{Path: get(t, api.Path(role)).GetPath()[0]}}}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}); err != nil {
		t.Fatal(err)
	}
	next(t, stream, map[string]string{role: `"LEAF"`})
	if resp, err := stream.Recv(); err != nil || !resp.GetSyncResponse() {
		t.Errorf("%v, %v", resp, err)
	}
}

// TestOneWrongPathFailsAll follows the table of section 3.3.4.
func TestOneWrongPathFailsAll(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	for wrong, code := range map[string]codes.Code{
		"/interfaces/interface[name=none]":     codes.NotFound,
		"/interfaces/interface/subinterfaces":  codes.Unimplemented,
		"/interfaces/interface/state/colour":   codes.InvalidArgument,
		"/interfaces/interface[colour=a]/name": codes.InvalidArgument,
	} {
		_, err := client.Get(deadline(t), get(t, api.Target("leaf1"), api.Path("/interfaces/interface[name=swp1]/name"), api.Path(wrong)))
		wantCode(t, err, code)
	}
}

// TestTargetsOnlyInThePrefix follows section 2.2.2.1.
func TestTargetsOnlyInThePrefix(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	path := get(t, api.Path("/interfaces")).GetPath()[0]
	path.Target = "leaf1"
	_, err := client.Get(deadline(t), &gpb.GetRequest{Path: []*gpb.Path{path}})
	wantCode(t, err, codes.InvalidArgument, "prefix", "leaf1")
}

// TestExtensionsWhereTheyBelong follows section 3.3 of the depth extension, which has no meaning for Capabilities.
func TestExtensionsWhereTheyBelong(t *testing.T) {
	client := dial(t, gnmitest.Start(t, nil))
	ask := func(x *gnmi_ext.Extension) error {
		_, err := client.Client.Capabilities(deadline(t), &gpb.CapabilityRequest{Extension: []*gnmi_ext.Extension{x}})
		return err
	}
	wantCode(t, ask(&gnmi_ext.Extension{Ext: &gnmi_ext.Extension_Depth{Depth: &gnmi_ext.Depth{Level: 1}}}), codes.InvalidArgument, "Subscribe")
	wantCode(t, ask(&gnmi_ext.Extension{Ext: &gnmi_ext.Extension_History{History: &gnmi_ext.History{Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: 1}}}}), codes.InvalidArgument, "Subscribe")
	wantCode(t, ask(&gnmi_ext.Extension{Ext: &gnmi_ext.Extension_Commit{}}), codes.Unimplemented)
}

// TestCompression has a client that compresses, as gnmic does with --gzip and goarista's with -compression.
func TestCompression(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	if _, err := client.Client.Get(deadline(t), get(t, api.Path(role)), grpc.UseCompressor(gzip.Name)); err != nil {
		t.Error(err)
	}
	// The client's library brings gzip into this process; the server has to bring it by itself.
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "google.golang.org/grpc/encoding/gzip\n") {
		t.Error("the server has no gzip")
	}
}
