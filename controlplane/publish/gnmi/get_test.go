package gnmi_test

import (
	"slices"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
	"github.com/fabricscope/fabricscope/models"
)

const onePod = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-cart-1]"

func TestCapabilities(t *testing.T) {
	client := dial(t, gnmitest.Start(t, nil))
	resp, err := client.Capabilities(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := []gpb.Encoding{gpb.Encoding_JSON, gpb.Encoding_JSON_IETF, gpb.Encoding_PROTO, gpb.Encoding_ASCII}; !slices.Equal(resp.GetSupportedEncodings(), want) {
		t.Errorf("encodings %v", resp.GetSupportedEncodings())
	}
	var names []string
	for _, m := range resp.GetSupportedModels() {
		names = append(names, m.GetName()+" "+m.GetVersion())
	}
	want := []string{"fabricscope-diagnosis 0.1.0", "fabricscope-fabric 0.4.0", "fabricscope-flows 0.5.0", "fabricscope-interfaces 0.1.0",
		"fabricscope-kubernetes 0.2.0", "fabricscope-types 0.2.0", "iana-if-type 2014-05-08", "openconfig-interfaces 1.1.0"}
	if !slices.Equal(names, want) {
		t.Errorf("models %q", names)
	}
	if resp.GetGNMIVersion() == "" {
		t.Error("no gNMI version")
	}
	_, err = client.Set(deadline(t), &gpb.SetRequest{})
	wantCode(t, err, codes.Unimplemented)
}

func TestGet(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	for name, test := range map[string]struct {
		options []api.GNMIOption
		want    map[string]string
	}{
		"a leaf in PROTO": {
			[]api.GNMIOption{api.EncodingPROTO(), api.Path(onePod + "/state/ip")},
			map[string]string{onePod + "/state/ip": "10.244.2.7"},
		},
		"a container in PROTO is leaf by leaf": {
			[]api.GNMIOption{api.EncodingPROTO(), api.Path("/fabric/switches/switch[name=spine1]/state")},
			map[string]string{
				"/fabric/switches/switch[name=spine1]/state/name":       "spine1",
				"/fabric/switches/switch[name=spine1]/state/device-id":  "3",
				"/fabric/switches/switch[name=spine1]/state/address":    "127.0.0.1:9561",
				"/fabric/switches/switch[name=spine1]/state/role":       "SPINE",
				"/fabric/switches/switch[name=spine1]/state/connection": "UNREACHABLE",
				"/fabric/switches/switch[name=spine1]/state/message":    "dial: connection refused",
			},
		},
		"a list entry in JSON_IETF": {
			[]api.GNMIOption{api.EncodingJSON_IETF(), api.Path("/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]")},
			map[string]string{"/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]": `{"fabricscope-fabric:name":"swp3",` +
				`"fabricscope-fabric:state":{"name":"swp3","number":3,"peer":"worker1","admin-status":"UP","oper-status":"UP",` +
				`"since":"1772366400000000000","last-change":"1772362800000000000"}}`},
		},
		"the same in JSON": {
			[]api.GNMIOption{api.EncodingJSON(), api.Path("/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]/state")},
			map[string]string{"/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]/state": `{"name":"swp3","number":3,"peer":"worker1","admin-status":"UP","oper-status":"UP","since":1772366400000000000,"last-change":1772362800000000000}`},
		},
		"several entries are several documents": {
			[]api.GNMIOption{api.EncodingJSON_IETF(), api.Path("/fabric/switches/switch[name=leaf1]/ports/port/state/number")},
			map[string]string{
				"/fabric/switches/switch[name=leaf1]/ports/port[name=swp1]/state/number": "1",
				"/fabric/switches/switch[name=leaf1]/ports/port[name=swp3]/state/number": "3",
			},
		},
		"a switch is a target with openconfig-interfaces": {
			[]api.GNMIOption{api.EncodingJSON_IETF(), api.Target("leaf1"), api.Path("/interfaces/interface[name=swp3]/state")},
			map[string]string{"/interfaces/interface[name=swp3]/state": `{"openconfig-interfaces:name":"swp3",` +
				`"openconfig-interfaces:type":"iana-if-type:ethernetCsmacd","openconfig-interfaces:ifindex":3,` +
				`"openconfig-interfaces:description":"worker1","openconfig-interfaces:enabled":true,` +
				`"openconfig-interfaces:admin-status":"UP","openconfig-interfaces:oper-status":"UP",` +
				`"openconfig-interfaces:counters":{"in-octets":"987654321","fabricscope-interfaces:in-pkts":"1234567"}}`},
		},
		"a member without a pod": {
			[]api.GNMIOption{api.EncodingPROTO(), api.Path("/kubernetes/clusters/cluster[name=blue]/services/service[namespace=shop][name=cart]/members/member[address=192.0.2.99][pod-uid=NONE]/state/terminating")},
			map[string]string{"/kubernetes/clusters/cluster[name=blue]/services/service[name=cart][namespace=shop]/members/member[address=192.0.2.99][pod-uid=NONE]/state/terminating": "true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := api.NewGetRequest(test.options...)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Get(deadline(t), req)
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.GetNotification()) != 1 {
				t.Fatalf("%d notifications", len(resp.GetNotification()))
			}
			wantLeaves(t, updates(resp.GetNotification()[0]), test.want)
		})
	}
}

func wantLeaves(t *testing.T, got, want map[string]string) {
	t.Helper()
	for path, v := range want {
		if got[path] != v {
			t.Errorf("%s is %q, want %q", path, got[path], v)
		}
	}
	for path, v := range got {
		if _, ok := want[path]; !ok {
			t.Errorf("%s is %q and was not asked for", path, v)
		}
	}
}

// TestGetRootFitsTheModels reads the whole tree with the generated bindings.
func TestGetRootFitsTheModels(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	for _, to := range []string{"fabric", "leaf1"} {
		req, err := api.NewGetRequest(api.EncodingJSON_IETF(), api.Target(to), api.Path("/"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get(deadline(t), req)
		if err != nil {
			t.Fatal(err)
		}
		root := &models.Root{}
		doc := resp.GetNotification()[0].GetUpdate()[0].GetVal().GetJsonIetfVal()
		if err := models.Unmarshal(doc, root); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		if to == "leaf1" {
			if n := len(root.Interface); n != 2 {
				t.Errorf("%d interfaces", n)
			}
			continue
		}
		pod := root.Kubernetes.Cluster["blue"].Pod["uid-cart-1"]
		if pod.Label["app"] == nil || *pod.Name != "cart-7f6b-bbbbb" || len(pod.Attachment) != 1 {
			t.Errorf("pod %+v", pod)
		}
		hop := models.Flows_Conversation_Hop_Key{Direction: models.Types_Direction_REVERSE, Index: 1}
		if c := root.Flows.Conversation["c0ffee"]; *c.Hop[hop].Counters.Octets != 2345678 {
			t.Errorf("conversation %+v", c)
		}
	}
}

func TestGetErrors(t *testing.T) {
	client := dial(t, gnmitest.Start(t, shop.Facts()))
	for name, test := range map[string]struct {
		req   *gpb.GetRequest
		code  codes.Code
		words []string
	}{
		"not in the model":       {get(t, api.Path("/kubernetes/clusters/cluster/pods/pod/state/colour")), codes.InvalidArgument, []string{"colour", "restarts"}},
		"no such root":           {get(t, api.Path("/interfaces")), codes.InvalidArgument, []string{"fabric", "flows", "kubernetes"}},
		"no such key":            {get(t, api.Path("/fabric/switches/switch[id=1]")), codes.InvalidArgument, []string{`"id"`, "name"}},
		"key of a container":     {get(t, api.Path("/fabric[name=a]")), codes.InvalidArgument, []string{"no list"}},
		"beneath a leaf":         {get(t, api.Path("/fabric/switches/switch/name/x")), codes.InvalidArgument, []string{"leaf"}},
		"not there":              {get(t, api.Path("/fabric/switches/switch[name=leaf9]")), codes.NotFound, []string{"leaf9"}},
		"no such target":         {get(t, api.Target("leaf9"), api.Path("/interfaces")), codes.NotFound, []string{"leaf9"}},
		"modelled, not provided": {get(t, api.Target("leaf1"), api.Path("/interfaces/interface/subinterfaces")), codes.Unimplemented, nil},
		"encoding":               {get(t, api.EncodingBYTES(), api.Path("/fabric")), codes.Unimplemented, []string{"BYTES"}},
		"origin":                 {get(t, api.Path("cli:/fabric")), codes.Unimplemented, []string{"cli"}},
		"configuration":          {get(t, api.DataTypeCONFIG(), api.Path("/fabric")), codes.NotFound, nil},
		"too long a path":        {get(t, api.Path("/fabric"+strings.Repeat("/*", 32))), codes.InvalidArgument, []string{"33 elements"}},
		"a key that no list has": {get(t, api.Path("/kubernetes/clusters/*[colour=a]")), codes.InvalidArgument, []string{"colour"}},
		"keys of anything":       {get(t, api.Path("/fabric/...[name=leaf1]/state")), codes.InvalidArgument, []string{"...", "keys"}},
		"empty element":          {&gpb.GetRequest{Path: []*gpb.Path{{Elem: []*gpb.PathElem{{}}}}}, codes.InvalidArgument, nil},
		"deprecated element":     {&gpb.GetRequest{Path: []*gpb.Path{{Element: []string{"fabric"}}}}, codes.InvalidArgument, []string{"elem"}},
		"models":                 {&gpb.GetRequest{UseModels: []*gpb.ModelData{{Name: "x"}}}, codes.Unimplemented, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Get(deadline(t), test.req)
			wantCode(t, err, test.code, test.words...)
		})
	}
}

func get(t *testing.T, options ...api.GNMIOption) *gpb.GetRequest {
	t.Helper()
	req, err := api.NewGetRequest(options...)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
