package gnmi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openconfig/gnmic/pkg/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// TestLaggingSubscriberIsCutOff has a subscriber who takes nothing while more changes come than may wait.
func TestLaggingSubscriberIsCutOff(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.MaxBehind = 1024 })
	lagging := openStream(t, lab, subscribe("/fabric/switches/switch/accounting", api.SubscriptionModeON_CHANGE()))
	prompt := openStream(t, lab, subscribe(role, api.SubscriptionModeON_CHANGE()))
	if _, err := leavesUntilSync(t, prompt); err != nil {
		t.Fatal(err)
	}
	for n := uint64(0); lab.Server.Subscribers() > 1; n++ {
		if n > 1<<20 {
			t.Fatal("the lagging subscriber stays")
		}
		lab.Record(inventory.Accounting{Switch: "leaf1", Number: 1, Port: "swp1", PortPackets: 1000 + n})
	}
	var err error
	for err == nil {
		_, err = lagging.Recv()
	}
	wantCode(t, err, codes.ResourceExhausted, "1024 changes behind", "gnmi.max-behind")
	lab.Record(inventory.Switch{Name: "leaf1", Role: "spine"})
	next(t, prompt, map[string]string{role: "SPINE"})
}

// TestLimits wants errors that name the limit.
func TestLimits(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.MaxGetBytes, c.MaxRequestBytes = 4096, 4096 })
	client := dial(t, lab)
	for _, enc := range []api.GNMIOption{api.EncodingPROTO(), api.EncodingJSON_IETF()} {
		_, err := client.Get(deadline(t), get(t, enc, api.Path("/kubernetes")))
		wantCode(t, err, codes.ResourceExhausted, "4096 bytes", "gnmi.max-get-bytes", "ONCE")
	}
	_, err := client.Get(deadline(t), get(t, api.Path("/fabric/switches/switch[name="+strings.Repeat("x", 5000)+"]")))
	wantCode(t, err, codes.ResourceExhausted, "4096")
}

// onlyNamespace lets a caller see one namespace, and no addresses; its own name comes with the call.
type onlyNamespace struct{ name string }

func (o onlyNamespace) Reader(_ context.Context, method string) (gnmi.Reader, error) {
	if method == "/gnmi.gNMI/Capabilities" {
		return nil, status.Error(codes.PermissionDenied, "not for you")
	}
	return o, nil
}

func (o onlyNamespace) Caller(context.Context) string { return "user " + o.name }
func (o onlyNamespace) Key() string                   { return o.name }
func (o onlyNamespace) Show(_ string, f inventory.Fact) (inventory.Fact, bool) {
	p, ok := f.(inventory.Pod)
	return f, ok && p.Namespace == o.name
}
func (o onlyNamespace) Renames(string) bool    { return false }
func (o onlyNamespace) Reads(path string) bool { return !strings.HasSuffix(path, "/pod/state/ip") }

// TestAccess asks by every way for what a reader may not see.
func TestAccess(t *testing.T) {
	lab := gnmitest.StartWithAccess(t, shop.Facts(), onlyNamespace{"kube-system"})
	client := dial(t, lab)
	_, err := client.Capabilities(deadline(t))
	wantCode(t, err, codes.PermissionDenied, "not for you")
	const agent = "/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-agent-1]"
	check := func(leaves map[string]string) {
		t.Helper()
		for path := range leaves {
			if !strings.HasPrefix(path, agent) || strings.HasSuffix(path, "/ip") {
				t.Errorf("%s is shown", path)
			}
		}
		if leaves[agent+"/state/namespace"] != "kube-system" {
			t.Errorf("of the own namespace: %v", leaves)
		}
	}
	all, err := once(t, client, subscribe("/"))
	if err != nil {
		t.Fatal(err)
	}
	check(all)
	past, err := once(t, client, subscribe("/"), api.Extension_HistorySnapshotTime(shop.Epoch().Add(time.Minute)))
	if err != nil {
		t.Fatal(err)
	}
	check(past)
	resp, err := client.Get(deadline(t), get(t, api.EncodingPROTO(), api.Path("/")))
	if err != nil {
		t.Fatal(err)
	}
	check(updates(resp.GetNotification()[0]))
	_, err = client.Get(deadline(t), get(t, api.Path(onePod)))
	wantCode(t, err, codes.NotFound)

	stream := openStream(t, lab, subscribe("/", api.SubscriptionModeON_CHANGE()))
	first, err := leavesUntilSync(t, stream)
	if err != nil {
		t.Fatal(err)
	}
	check(first)
	lab.SetNow(shop.Epoch().Add(6 * time.Minute))
	hidden := shop.Pod("cart", "7f6b-bbbbb", "uid-cart-1", "worker2", "10.244.2.8")
	mine := hidden
	mine.Namespace, mine.UID = "kube-system", "uid-mine"
	lab.Record(hidden, mine)
	resp1, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if got := updates(resp1.GetUpdate()); got["/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-mine]/uid"] == "" {
		t.Errorf("%v came", got)
	}
	_, rest := replay(t, lab, subscribe("/"), api.Extension_HistoryRange(shop.Epoch().Add(time.Minute), shop.Epoch().Add(time.Hour)))
	if len(rest) != 1 {
		t.Errorf("the range shows %d changes", len(rest))
	}
}
