package gnmi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openconfig/gnmi/client"
	gnmiclient "github.com/openconfig/gnmi/client/gnmi"
	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// cached asks with the client that gnmi_cli is made of, which keeps what it hears in a tree.
func cached(t *testing.T, lab *gnmitest.Lab, kind client.Type) *client.CacheClient {
	t.Helper()
	c := client.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Subscribe(ctx, client.Query{
			Addrs: []string{lab.Address}, Target: "fabric", Queries: []client.Path{{"fabric", "switches"}, {"kubernetes", "...", "pods"}},
			Type: kind, Timeout: patience, TLS: clientTLS(t, lab.CA), Encoding: gpb.Encoding_PROTO,
		}, gnmiclient.Type)
	}()
	select {
	case <-c.Synced():
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
		ended <- nil
	case <-time.After(patience):
		t.Fatal("no sync_response")
	}
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(c.Close(), <-ended); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
			t.Error(err)
		}
	})
	return c
}

// tree gives what a client has kept.
func tree(c *client.CacheClient) map[string]string {
	leaves := map[string]string{}
	for _, l := range c.Leaves() {
		leaves[strings.Join(l.Path, "/")] = fmt.Sprint(l.Val)
	}
	return leaves
}

// TestReferenceClient wants what openconfig/gnmi's client has kept of a stream of changes to be what it is told at once.
func TestReferenceClient(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	stream, poll := cached(t, lab, client.Stream), cached(t, lab, client.Poll)
	if began := tree(poll); !maps.Equal(tree(stream), began) || len(began) < 100 {
		t.Errorf("a stream begins with %d leaves, and a poll with %d", len(tree(stream)), len(began))
	}
	lab.SetNow(shop.Epoch().Add(time.Hour))
	changed := shop.Pod("cart", "7f6b-bbbbb", "uid-cart-1", "worker2", "10.244.2.7")
	changed.Restarts, changed.Labels = 3, map[string]string{"app": "cart"}
	lab.Record(changed, shop.Pod("cart", "new", "uid-cart-9", "worker1", "10.244.1.9"))
	lab.End(shop.Attachment("uid-cart-1", "leaf2", 3, "swp3"), shop.Pod("cart", "7f6b-ccccc", "uid-cart-2", "worker1", "10.244.1.6"))
	i := slices.IndexFunc(shop.Facts(), isSwitch("spine1"))
	lab.Record(readySwitch(shop.Facts()[i]), inventory.Switch{Name: "leaf8"})
	want := tree(cached(t, lab, client.Once))
	for limit := time.Now().Add(patience); !maps.Equal(tree(stream), want); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("the stream leads to\n%v\nand not to\n%v", tree(stream), want)
		}
	}
	if err := poll.Poll(); err != nil {
		t.Fatal(err)
	}
	for path, v := range want { // a poll says nothing of what went
		for limit := time.Now().Add(patience); tree(poll)[path] != v; time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s is %q, polled %q", path, v, tree(poll)[path])
			}
		}
	}
}
