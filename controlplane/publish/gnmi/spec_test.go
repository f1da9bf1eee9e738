package gnmi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

const (
	role  = "/fabric/switches/switch[name=leaf1]/state/role"
	pkts  = "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]/state/counters/port-pkts"
	bytes = "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]/state/counters/port-octets"
)

// TestAllTargetsAtOnce asks the target *: each notification names its own (specification, section 2.2.2.1).
func TestAllTargetsAtOnce(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	ports := func(n *gpb.Notification, into map[string]int) {
		into[n.GetPrefix().GetTarget()] += len(n.GetUpdate())
	}
	got := map[string]int{}
	req := get(t, api.EncodingPROTO(), api.Target("*"), api.Path("/interfaces/interface/state/name"), api.Path("/fabric/switches/switch/state/name"))
	resp, err := dial(t, lab).Get(deadline(t), req)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range resp.GetNotification() {
		ports(n, got)
	}
	if want := "map[fabric:3 leaf1:2 leaf2:2 spine1:2]"; fmt.Sprint(got) != want {
		t.Errorf("Get: %v, want %s", got, want)
	}
	stream := openStream(t, lab, api.Target("*"), subscribe("/interfaces/interface/state/name"), subscribe("/fabric/switches/switch/state/name"))
	got = map[string]int{}
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			break
		}
		ports(resp.GetUpdate(), got)
	}
	if want := "map[fabric:3 leaf1:2 leaf2:2 spine1:2]"; fmt.Sprint(got) != want {
		t.Errorf("Subscribe: %v, want %s", got, want)
	}
	// A switch that comes later is among them.
	lab.Record(inventory.Port{Switch: "leaf7", Number: 1, Name: "swp1"})
	resp1, err := stream.Recv()
	if err != nil || resp1.GetUpdate().GetPrefix().GetTarget() != "leaf7" {
		t.Errorf("%v, %v", resp1, err)
	}
	_, err = once(t, dial(t, lab), api.Target("*"), subscribe("/colours"))
	wantCode(t, err, codes.InvalidArgument, "colours")
	_, err = once(t, dial(t, lab), api.Target("*"), subscribe("/interfaces/interface/subinterfaces"))
	wantCode(t, err, codes.Unimplemented, "subinterfaces")
}

// TestDataTypes wants of OPERATIONAL what no configuration could have set (specification, section 3.3.1).
func TestDataTypes(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	names := func(kind api.GNMIOption) string {
		t.Helper()
		resp, err := client.Get(deadline(t), get(t, kind, api.EncodingPROTO(), api.Target("leaf1"), api.Path("/interfaces/interface[name=swp1]/state")))
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for path := range updates(resp.GetNotification()[0]) {
			list = append(list, path[strings.LastIndexByte(path, '/')+1:])
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	const all = "admin-status description enabled ifindex in-octets in-pkts name oper-status type"
	for _, test := range []struct {
		kind api.GNMIOption
		want string
	}{{api.DataTypeALL(), all}, {api.DataTypeSTATE(), all}, {api.DataTypeOPERATIONAL(), "admin-status ifindex in-octets in-pkts oper-status"}} {
		if got := names(test.kind); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
	_, err := client.Get(deadline(t), get(t, api.DataTypeCONFIG(), api.Path("/fabric/colour")))
	wantCode(t, err, codes.InvalidArgument, "colour") // the path is wrong whatever the type is
	_, err = client.Get(deadline(t), &gpb.GetRequest{Type: 9, Path: []*gpb.Path{{}}})
	wantCode(t, err, codes.InvalidArgument, "9")
}

func TestASCII(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	got, err := once(t, client, api.EncodingASCII(), subscribe("/kubernetes/clusters/cluster/nodes/node[name=worker1]/state"))
	if err != nil {
		t.Fatal(err)
	}
	const at = "/kubernetes/clusters/cluster[name=blue]/nodes/node[name=worker1]/state"
	wantLeaves(t, got, map[string]string{at + "/name": "worker1", at + "/ready": "true", at + "/address": "172.16.1.11",
		at + "/created": fmt.Sprint(shop.Epoch().UnixNano()), at + "/pod-cidr": "10.244.1.0/24", at + "/unschedulable": "false",
		at + "/problem": "DiskPressure", at + "/tunnel-address": "172.16.1.11", at + "/inner-address": "10.244.1.0", at + "/vni": "1"})
}

// TestUseModels leaves out what other modules define (specification, section 2.6).
func TestUseModels(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	const counters = "/interfaces/interface[name=swp1]/state/counters"
	got, err := once(t, client, api.Target("leaf1"), api.UseModel("openconfig-interfaces", "", ""), subscribe(counters))
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, got, map[string]string{counters + "/in-octets": "90000"})
	// The type of an interface is an identity of another module.
	const kind = "/interfaces/interface[name=swp1]/state/type"
	got, err = once(t, client, api.Target("leaf1"), api.UseModel("openconfig-interfaces", "", ""), subscribe(kind))
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, got, nil)
	got, err = once(t, client, api.Target("leaf1"), api.UseModel("openconfig-interfaces", "", ""), api.UseModel("iana-if-type", "IANA", ""), subscribe(kind))
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves(t, got, map[string]string{kind: "ethernetCsmacd"})
	_, err = once(t, client, api.UseModel("openconfig-interfaces", "", "99.0.0"), subscribe("/fabric"))
	wantCode(t, err, codes.Unimplemented, "openconfig-interfaces 99.0.0")
}

// TestOrigins follows section 2.7 of the specification.
func TestOrigins(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	path := func(origin string, names ...string) *gpb.Path {
		p := &gpb.Path{Origin: origin}
		for _, n := range names {
			p.Elem = append(p.Elem, &gpb.PathElem{Name: n})
		}
		return p
	}
	for name, test := range map[string]struct {
		prefix *gpb.Path
		paths  []*gpb.Path
		code   codes.Code
		origin string
	}{
		"none":                          {nil, []*gpb.Path{path("", "fabric", "links")}, codes.OK, ""},
		"in the prefix":                 {path("openconfig", "fabric"), []*gpb.Path{path("", "links")}, codes.OK, "openconfig"},
		"in the paths":                  {nil, []*gpb.Path{path("openconfig", "fabric"), path("openconfig", "flows")}, codes.OK, "openconfig"},
		"in both":                       {path("openconfig"), []*gpb.Path{path("openconfig", "fabric")}, codes.InvalidArgument, ""},
		"beside elements of a prefix":   {path("", "fabric"), []*gpb.Path{path("openconfig", "links")}, codes.InvalidArgument, ""},
		"another":                       {nil, []*gpb.Path{path("cli", "fabric")}, codes.Unimplemented, ""},
		"another one beside openconfig": {nil, []*gpb.Path{path("openconfig", "fabric"), path("cli", "fabric")}, codes.Unimplemented, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := client.Get(deadline(t), &gpb.GetRequest{Prefix: test.prefix, Path: test.paths})
			if status.Code(err) != test.code {
				t.Fatalf("%v, want %v", err, test.code)
			}
			for _, n := range resp.GetNotification() {
				if n.GetPrefix().GetOrigin() != test.origin {
					t.Errorf("origin %q", n.GetPrefix().GetOrigin())
				}
			}
			if err == nil && len(resp.GetNotification()) != len(test.paths) {
				t.Errorf("%d notifications for %d paths", len(resp.GetNotification()), len(test.paths))
			}
		})
	}
}

// TestBothFormsOfAPath has what gnmi_cli and goarista's client send: the form of gNMI 0.3 beside that of today.
func TestBothFormsOfAPath(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	path := &gpb.Path{Element: []string{"fabric", "links"}, Elem: []*gpb.PathElem{{Name: "fabric"}, {Name: "links"}}}
	if _, err := client.Get(deadline(t), &gpb.GetRequest{Path: []*gpb.Path{path}}); err != nil {
		t.Error(err)
	}
}

// TestWithdrawnFields sends what gNMI had before 0.8, as a client of then would.
func TestWithdrawnFields(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	list := func() *gpb.SubscriptionList {
		return &gpb.SubscriptionList{Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO, Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}}}
	}
	withAliases := &gpb.SubscribeRequest{}
	withAliases.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), nil))
	useAliases := list()
	useAliases.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 1))
	marked := list()
	marked.Qos = &gpb.QOSMarking{Marking: 64}
	for name, test := range map[string]struct {
		req  *gpb.SubscribeRequest
		code codes.Code
		word string
	}{
		"aliases":     {withAliases, codes.Unimplemented, "aliases"},
		"use_aliases": {&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: useAliases}}, codes.Unimplemented, "use_aliases"},
		"no DSCP":     {&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: marked}}, codes.InvalidArgument, "64"},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := client.Client.Subscribe(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Send(test.req); err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			wantCode(t, err, test.code, test.word)
		})
	}
}

// TestTargetDefinedChoosesTheInterval follows section 3.5.1.5.2.
func TestTargetDefinedChoosesTheInterval(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	_, err := openStream(t, lab, subscribe("/fabric", api.SubscriptionModeTARGET_DEFINED(), api.SampleInterval(time.Minute))).Recv()
	wantCode(t, err, codes.InvalidArgument, "sample_interval")
}

// TestSeveralModesInOneList has a leaf on change, one sampled at the server's least interval, and one sampled only when
// it changed.
func TestSeveralModesInOneList(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream := follow(t, lab, map[string]string{role: "LEAF", pkts: "900", bytes: "90000"},
		subscribe(role, api.SubscriptionModeON_CHANGE()),
		subscribe(pkts, api.SubscriptionModeSAMPLE()),
		subscribe(bytes, api.SubscriptionModeSAMPLE(), api.SuppressRedundant(true)))
	seen := map[string]int{}
	recv := func() {
		t.Helper()
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for path, v := range updates(resp.GetUpdate()) {
			seen[path+" "+v]++
		}
	}
	for seen[pkts+" 900"] < 3 {
		recv()
	}
	lab.Record(inventory.Switch{Name: "leaf1", Role: "spine"})
	lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 901, PortBytes: 90001})
	for seen[pkts+" 901"] < 3 || seen[role+" SPINE"] == 0 || seen[bytes+" 90001"] == 0 {
		recv()
	}
	if seen[role+" LEAF"] > 0 || seen[bytes+" 90000"] > 0 || seen[role+" SPINE"] > 1 || seen[bytes+" 90001"] > 1 {
		t.Errorf("too much came: %v", seen)
	}
}

// TestSampleTellsTheEnd wants the deletion of what a sample does not have any more.
func TestSampleTellsTheEnd(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream := follow(t, lab, map[string]string{pkts: "900"}, subscribe(pkts, api.SubscriptionModeSAMPLE()))
	lab.End(inventory.Accounting{Switch: "leaf1", Port: "swp1"})
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if d := deletes(resp.GetUpdate()); len(d) > 0 {
			if want := "/fabric/switches/switch[name=leaf1]/accounting/interface[name=swp1]"; d[0] != want {
				t.Errorf("deleted %q", d)
			}
			return
		}
	}
}

// TestEachChangeComesOnce records changes faster than anybody can see and wants all of them, in order.
func TestEachChangeComesOnce(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	// Two paths lead to the leaf, and the third to what is above it: it comes once all the same.
	stream := follow(t, lab, map[string]string{pkts: "900"}, subscribe(pkts, api.SubscriptionModeON_CHANGE()),
		subscribe("/fabric/switches/switch[name=leaf1]/.../interface[name=swp1]/*/*/port-pkts", api.SubscriptionModeON_CHANGE()))
	const count = 300
	for n := range uint64(count) {
		lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 1000 + n})
	}
	for n := range count {
		next(t, stream, map[string]string{pkts: fmt.Sprint(1000 + n)})
	}
}

// TestDepth follows the examples of gNMI's depth extension.
func TestDepth(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	const one = "/fabric/switches/switch[name=spine1]"
	for level, want := range map[uint32]map[string]string{
		1: {one + "/name": "spine1"},
		2: {one + "/name": "spine1", one + "/state/name": "spine1", one + "/state/device-id": "3", one + "/state/address": "127.0.0.1:9561",
			one + "/state/role": "SPINE", one + "/state/connection": "UNREACHABLE", one + "/state/message": "dial: connection refused"},
	} {
		extension := api.Extension_Depth(level)
		got, err := once(t, client, extension, subscribe(one))
		if err != nil {
			t.Fatal(err)
		}
		wantLeaves(t, got, want)
		resp, err := client.Get(deadline(t), get(t, api.EncodingPROTO(), extension, api.Path(one)))
		if err != nil {
			t.Fatal(err)
		}
		wantLeaves(t, updates(resp.GetNotification()[0]), want)
	}
	all, err := once(t, client, api.Extension_Depth(0), subscribe(one))
	if err != nil || len(all) < 20 {
		t.Errorf("no limit: %d leaves, %v", len(all), err)
	}
}
