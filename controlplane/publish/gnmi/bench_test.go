package gnmi_test

import (
	"fmt"
	"io"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/openconfig/gnmic/pkg/api/target"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// manyPods is how many pods the benchmarks have.
const manyPods = 150_000

// crowd gives a client of a server with many pods, and their cluster.
func crowd(b *testing.B) *target.Target {
	b.Helper()
	facts := []inventory.Fact{inventory.Cluster{Name: "blue", State: "synced"}}
	for i := range manyPods {
		facts = append(facts, shop.Pod("cart", fmt.Sprint(i), fmt.Sprintf("uid-%d", i), "worker1", "10.244.1.6"))
	}
	lab := gnmitest.Start(b, facts, func(h *historyConfig, _ *gnmiConfig) { h.QueueSize = 2 * manyPods })
	client, err := api.NewTarget(api.Address(lab.Address), api.TLSCA(lab.CA))
	if err != nil {
		b.Fatal(err)
	}
	if err := client.CreateGNMIClient(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return client
}

func BenchmarkOnceOfAllPods(b *testing.B) {
	client := crowd(b)
	req, err := api.NewSubscribeRequest(api.SubscriptionListModeONCE(), api.EncodingPROTO(), api.Subscription(api.Path("/kubernetes/clusters/cluster/pods/pod/state")))
	if err != nil {
		b.Fatal(err)
	}
	leaves := 0
	for b.Loop() {
		stream, err := client.Client.Subscribe(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := stream.Send(req); err != nil {
			b.Fatal(err)
		}
		for {
			resp, err := stream.Recv()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			leaves += len(resp.GetUpdate().GetUpdate())
		}
	}
	b.ReportMetric(float64(leaves)/b.Elapsed().Seconds(), "leaves/s")
}

func BenchmarkGetOfOnePod(b *testing.B) {
	client := crowd(b)
	req, err := api.NewGetRequest(api.EncodingJSON_IETF(), api.Path("/kubernetes/clusters/cluster[name=blue]/pods/pod[uid=uid-777]"))
	if err != nil {
		b.Fatal(err)
	}
	var resp *gpb.GetResponse
	for b.Loop() {
		if resp, err = client.Get(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
	if len(resp.GetNotification()) != 1 {
		b.Fatal("no answer")
	}
}
