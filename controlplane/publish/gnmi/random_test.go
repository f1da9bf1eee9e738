package gnmi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api/target"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// object is something that TestRandomSubscriptions changes, and ends, and has come back. Each change counts it up by one.
type object struct {
	fact  func(r *rand.Rand, n uint64) inventory.Fact
	n     uint64
	alive bool
}

// numbered are the leaves that have the number of their object's change.
func numbered() []string {
	return []string{counterAt, "/state/counters/forward/pkts", "/state/restarts"}
}

// world gives some objects of each kind that there is a number in, and of others.
func world() (all []*object) {
	add := func(fact func(r *rand.Rand, n uint64) inventory.Fact) { all = append(all, &object{fact: fact}) }
	for i := range 3 {
		name, uid := fmt.Sprint("leaf", i), fmt.Sprint("uid-", i)
		add(func(r *rand.Rand, _ uint64) inventory.Fact {
			return inventory.Switch{Name: name, Role: []string{"leaf", "spine", "border"}[r.IntN(3)]}
		})
		add(func(_ *rand.Rand, n uint64) inventory.Fact {
			return inventory.Accounting{Switch: name, Port: "swp1", Number: 1, PortPackets: n, PortBytes: 100 * n}
		})
		add(func(r *rand.Rand, n uint64) inventory.Fact {
			p := shop.Pod("cart", fmt.Sprint(i), uid, fmt.Sprint("worker", r.IntN(3)), "10.244.1.6")
			p.Restarts, p.Ready = int32(n), r.IntN(2) == 0
			p.Labels = map[string]string{}
			for _, key := range []string{"a", "b/c", "d]"} {
				if r.IntN(2) == 0 {
					p.Labels[key] = fmt.Sprint(r.IntN(3))
				}
			}
			return p
		})
		add(func(r *rand.Rand, n uint64) inventory.Fact {
			return inventory.Attachment{Cluster: "blue", Namespace: "shop", PodUID: uid, Switch: name, PortName: "swp1", Port: 1,
				Since: shop.Epoch().Add(time.Duration(n)), How: "both", Confidence: uint8(r.IntN(100))}
		})
		add(func(r *rand.Rand, _ uint64) inventory.Fact {
			return inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: netip.MustParseAddr(fmt.Sprint("10.244.1.", i)), PodUID: uid, Ready: r.IntN(2) == 0}
		})
		add(func(_ *rand.Rand, n uint64) inventory.Fact {
			return inventory.Finding{ID: fmt.Sprint("port-down:port:", name, "/swp1"), Kind: "port-down", Severity: inventory.Major,
				Subject: inventory.Subject{Kind: "port", Name: name + "/swp1"}, Since: shop.Epoch(), Evidence: n}
		})
		add(func(_ *rand.Rand, n uint64) inventory.Fact {
			return flow.Conversation{ID: fmt.Sprint("c", i), Protocol: flow.TCP, Forward: flow.Counters{Packets: n, Bytes: 100 * n},
				First: shop.Epoch(), Last: shop.Epoch().Add(time.Duration(n))}
		})
	}
	return all
}

// step changes an object, or ends it.
func (o *object) step(r *rand.Rand, lab *gnmitest.Lab) {
	if o.alive && r.IntN(10) == 0 {
		o.alive = false
		lab.End(o.fact(r, o.n))
		return
	}
	o.alive = true
	o.n++
	lab.Record(o.fact(r, o.n))
}

// randomPath gives a path that leads to leaves of the world or above: cut off, keys left out or any, elements any, or any number of
// them.
func randomPath(r *rand.Rand, leaves []*gpb.Path) *gpb.Path {
	p := proto.CloneOf(leaves[r.IntN(len(leaves))])
	p.Elem = p.GetElem()[:1+r.IntN(len(p.GetElem()))]
	for _, e := range p.GetElem() {
		for key := range e.GetKey() {
			switch r.IntN(4) {
			case 0:
				e.Key[key] = "*"
			case 1:
				delete(e.Key, key)
			}
		}
		if r.IntN(8) == 0 {
			e.Name = "*"
		}
	}
	if n := len(p.GetElem()); n > 1 && r.IntN(5) == 0 {
		from := r.IntN(n - 1)
		to := from + r.IntN(n-from)
		p.Elem = append(append(p.Elem[:from:from], &gpb.PathElem{Name: "..."}), p.Elem[to:]...)
	}
	return p
}

// randomList gives a subscription list and a reader for it. All of its changes come if nothing but changes was asked for.
func randomList(r *rand.Rand, leaves []*gpb.Path, paused <-chan struct{}) (*reader, *gpb.SubscriptionList) {
	list := &gpb.SubscriptionList{Encoding: gpb.Encoding_PROTO}
	if r.IntN(3) == 0 {
		list.Prefix = &gpb.Path{Target: gnmi.FabricTarget}
	}
	mode := []gpb.SubscriptionMode{gpb.SubscriptionMode_ON_CHANGE, gpb.SubscriptionMode_ON_CHANGE, gpb.SubscriptionMode_SAMPLE, gpb.SubscriptionMode_TARGET_DEFINED}[r.IntN(4)]
	one := &gpb.Subscription{Mode: mode}
	if mode == gpb.SubscriptionMode_SAMPLE {
		one.SampleInterval, one.SuppressRedundant = uint64(100*time.Millisecond), r.IntN(2) == 0
	}
	if r.IntN(4) == 0 {
		one.HeartbeatInterval = uint64(100 * time.Millisecond)
	}
	name := fmt.Sprint(mode, " heartbeat ", one.GetHeartbeatInterval(), " suppress ", one.GetSuppressRedundant())
	for range 1 + r.IntN(4) {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: randomPath(r, leaves), Mode: one.GetMode(), SampleInterval: one.GetSampleInterval(),
			SuppressRedundant: one.GetSuppressRedundant(), HeartbeatInterval: one.GetHeartbeatInterval()})
		name += " " + pathOf(list.GetSubscription()[len(list.GetSubscription())-1].GetPath())
	}
	who := &reader{name: name, changes: mode == gpb.SubscriptionMode_ON_CHANGE && one.HeartbeatInterval == 0, numbered: numbered()}
	if r.IntN(3) == 0 {
		who.paused = paused
	}
	return who, list
}

// TestRandomSubscriptions has subscribers ask for anything in any way while objects change, end and come back. Each must
// see the numbers of changes go on without a gap or a repetition, as far as it asked for changes, and end with what is so.
func TestRandomSubscriptions(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	lab := gnmitest.Start(t, []inventory.Fact{inventory.Cluster{Name: "blue"}}, func(_ *historyConfig, c *gnmiConfig) { c.SampleDefault = 100 * time.Millisecond })
	objects := world()
	for _, o := range objects {
		o.step(r, lab)
	}
	client := dial(t, lab)
	leaves := pathsOf(t, client)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	paused := make(chan struct{})
	readers := map[*reader]*gpb.SubscriptionList{}
	var reading sync.WaitGroup
	for range 16 {
		who, list := randomList(r, leaves, paused)
		readers[who] = list
		who.begin()
		stream := asks(t, ctx, dial(t, lab).Client, list) // on a connection of its own: who takes nothing holds up its others
		reading.Go(func() {
			if err := who.read(stream, false); ctx.Err() == nil {
				t.Errorf("%s: %v", who.name, err)
				cancel()
			}
		})
		for range 20 { // others begin amid changes
			objects[r.IntN(len(objects))].step(r, lab)
		}
	}
	for range 600 {
		objects[r.IntN(len(objects))].step(r, lab)
	}
	close(paused)
	for who, list := range readers {
		ask := proto.CloneOf(list)
		ask.Mode = gpb.SubscriptionList_ONCE
		want, err := leavesUntilSync(t, asks(t, ctx, client.Client, ask))
		if err != nil {
			t.Fatal(err)
		}
		who.expect(want)
	}
	for who := range readers {
		who.await(t, ctx)
	}
	cancel()
	reading.Wait()
}

// pathsOf gives the path of every leaf.
func pathsOf(t *testing.T, client *target.Target) (paths []*gpb.Path) {
	t.Helper()
	stream := asks(t, deadline(t), client.Client, &gpb.SubscriptionList{Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO, Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}}})
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			return paths
		}
		for _, u := range resp.GetUpdate().GetUpdate() {
			paths = append(paths, &gpb.Path{Elem: slices.Concat(resp.GetUpdate().GetPrefix().GetElem(), u.GetPath().GetElem())})
		}
	}
}

// asks begins a call with a list.
func asks(t *testing.T, ctx context.Context, client gpb.GNMIClient, list *gpb.SubscriptionList) gpb.GNMI_SubscribeClient {
	t.Helper()
	stream, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}); err != nil {
		t.Fatal(err)
	}
	return stream
}
