package gnmi

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// client is what somebody knows who takes notifications as the specification says: leaves by their path.
type client map[string]string

func (c client) take(t *testing.T, message []byte) *gpb.Notification {
	t.Helper()
	var resp gpb.SubscribeResponse
	if err := proto.Unmarshal(message, &resp); err != nil {
		t.Fatalf("%v: %x", err, message)
	}
	n := resp.GetUpdate()
	forget := func(path string) {
		for p := range c {
			if p == path || len(p) > len(path) && p[:len(path)] == path && p[len(path)] == '/' {
				delete(c, p)
			}
		}
	}
	full := func(p *gpb.Path) string {
		return pathText(&gpb.Path{Elem: slices.Concat(n.GetPrefix().GetElem(), p.GetElem())})
	}
	if n.GetAtomic() {
		forget(full(nil))
	}
	for _, p := range n.GetDelete() {
		forget(full(p))
	}
	for _, u := range n.GetUpdate() {
		c[full(u.GetPath())] = u.GetVal().String()
	}
	return n
}

// asked gives a part of the fabric's target for paths.
func asked(t *testing.T, paths ...string) *part {
	t.Helper()
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{encoding: gpb.Encoding_PROTO, spaces: []*space{{root: s.fabric, table: s.kinds(false)}}}
	var requests []request
	for _, p := range paths {
		r := request{text: p}
		for name := range strings.SplitSeq(p, "/") {
			r.elems = append(r.elems, position{name: name})
		}
		requests = append(requests, r)
	}
	return compile(a, manner{}, requests)
}

// randomPod is a pod in a random state; nil for none.
func randomPod(r *rand.Rand) inventory.Fact {
	if r.IntN(4) == 0 {
		return nil
	}
	p := shop.Pod("cart", "a", "uid-a", "worker1", "10.244.1.6")
	p.Ready = r.IntN(2) == 0
	p.Restarts = r.Int32N(3)
	if r.IntN(2) == 0 {
		p.ReadySince = time.Time{}
	}
	p.Labels = map[string]string{}
	for _, k := range []string{"app", "tier", "x"} {
		if r.IntN(2) == 0 {
			p.Labels[k] = fmt.Sprint(r.IntN(2))
		}
	}
	return p
}

// randomChain is a random life of one pod, update by update.
func randomChain(r *rand.Rand) []inventory.Update {
	ref := shop.Pod("cart", "a", "uid-a", "worker1", "10.244.1.6").Ref()
	state := inventory.Entry{Fact: randomPod(r)}
	var chain []inventory.Update
	for i := range 1 + r.IntN(6) {
		next := inventory.Entry{Fact: randomPod(r), Event: time.Unix(int64(i), 0)}
		if next.Fact == nil && state.Fact == nil {
			continue
		}
		chain = append(chain, inventory.Update{Version: uint64(i), Ref: ref, Entry: next, Before: state})
		state = next
	}
	return chain
}

// TestMergedChangesLeadToTheSame tells random chains of updates one by one and merged, to clients who know what was so
// before: both must end with the last state. What is merged must say how many values each leaf lost.
func TestMergedChangesLeadToTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	parts := []*part{asked(t, "kubernetes"), asked(t, "kubernetes/clusters/cluster/pods/pod/state/ready-since", "kubernetes/clusters/cluster/pods/pod/labels")}
	for range 1000 {
		chain := randomChain(r)
		if len(chain) == 0 {
			continue
		}
		p := parts[r.IntN(len(parts))]
		apart, merged, want := client{}, client{}, client{}
		ref := chain[0].Ref
		begin := inventory.Update{Ref: ref, Entry: chain[0].Before}
		if begin.Fact != nil {
			for _, m := range p.changes([]inventory.Update{begin}, 0) {
				apart.take(t, m)
				merged.take(t, m)
			}
		}
		times := map[string]uint32{}
		for _, u := range chain {
			for _, m := range p.changes([]inventory.Update{u}, 0) {
				n := apart.take(t, m)
				for _, up := range n.GetUpdate() {
					times[pathText(&gpb.Path{Elem: slices.Concat(n.GetPrefix().GetElem(), up.GetPath().GetElem())})]++
				}
			}
			if u.Fact == nil {
				clear(times) // told by itself
			}
		}
		for _, m := range p.changes(chain, 0) {
			n := merged.take(t, m)
			for _, up := range n.GetUpdate() {
				at := pathText(&gpb.Path{Elem: slices.Concat(n.GetPrefix().GetElem(), up.GetPath().GetElem())})
				if up.GetDuplicates() != times[at]-1 {
					t.Fatalf("%s changed %d times and has %d duplicates", at, times[at], up.GetDuplicates())
				}
			}
		}
		if last := chain[len(chain)-1]; last.Fact != nil {
			for _, m := range p.changes([]inventory.Update{{Ref: ref, Entry: last.Entry}}, 0) {
				want.take(t, m)
			}
		}
		if fmt.Sprint(apart) != fmt.Sprint(want) || fmt.Sprint(merged) != fmt.Sprint(want) {
			t.Fatalf("chain %+v\none by one %v\nmerged %v\nwant %v", chain, apart, merged, want)
		}
	}
}

// TestTellMergesOnlyWhenMuchWaits gives a group as many changes as it keeps apart, and one more.
func TestTellMergesOnlyWhenMuchWaits(t *testing.T) {
	g := &group{parts: []*part{asked(t, "fabric")}, metrics: newMetrics()}
	for waiting, want := range map[int]int{apartUpTo: apartUpTo, apartUpTo + 1: 1} {
		var links []*link
		var before inventory.Entry
		for i := range waiting {
			now := inventory.Entry{Fact: inventory.Accounting{Switch: "leaf1", Port: "swp1", PortPackets: uint64(i)}}
			links = append(links, &link{change: &change{Update: inventory.Update{Ref: now.Fact.Ref(), Entry: now, Before: before}}})
			before = now
		}
		got := 0
		if err := g.tell(batch{links: links}, func(*encoded) error { got++; return nil }); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%d changes wait: %d messages, want %d", waiting, got, want)
		}
	}
}

// TestNestedMessagesOfAnyLength holds the writer of lengths to the library's reader.
func TestNestedMessagesOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, 124, 125, 126, 127, 128, 16380, 16383, 16384, 1 << 21} {
		text := string(make([]byte, n))
		b, at := open([]byte{}, updateVal)
		b = shut(appendText(b, typedString, text), at)
		var u gpb.Update
		if err := proto.Unmarshal(b, &u); err != nil || u.GetVal().GetStringVal() != text {
			t.Errorf("a text of %d bytes: %v", n, err)
		}
	}
}

// TestSamplesReadOnlyWhatHasCounters wants no look at the pods for samples of TARGET_DEFINED: none of their leaves is sampled.
func TestSamplesReadOnlyWhatHasCounters(t *testing.T) {
	all := asked(t, "kubernetes")
	sampled := compile(all.answer, manner{choice: counterLeaves}, all.paths)
	for _, s := range sampled.selectors {
		if len(s.kinds) > 0 {
			t.Errorf("%d kinds would be read", len(s.kinds))
		}
	}
	all = asked(t, "flows")
	if sampled := compile(all.answer, manner{choice: counterLeaves}, all.paths); len(sampled.selectors[0].kinds) != 2 {
		t.Error("conversations and edges would not be read, or more would")
	}
}
