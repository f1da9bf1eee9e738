package correlate

import (
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// leafSpine is an index with two leaves and two spines, cabled port 1 to spine1 and 2 to spine2.
func leafSpine() *index {
	x := newIndex()
	ref := func(sw, port string) inventory.PortRef { return inventory.PortRef{Switch: sw, Port: port} }
	for leaf, down := range map[string]string{"leaf1": "1", "leaf2": "2"} {
		for spine, up := range map[string]string{"spine1": "1", "spine2": "2"} {
			a, b := ref(leaf, up), ref(spine, down)
			for _, l := range []inventory.Link{{A: a, B: b}, {A: b, B: a}} {
				x.update(l.Ref(), inventory.Entry{Fact: l})
			}
		}
	}
	return x
}

// hop is one that had counted these packets at the beginnings of epochs 10, 11, ...
func hop(sw, port string, packets ...uint64) flow.Hop {
	h := flow.Hop{Switch: sw, Port: port, First: t0, Last: t0.Add(time.Duration(len(packets)) * time.Second),
		Snapshots: flow.Snapshots{{To: 9}}}
	for i, n := range packets {
		h.Packets = n
		h.Snapshots = h.Snapshots.With(flow.Snapshot{From: uint32(10 + i), To: uint32(10 + i), Packets: n})
	}
	return h
}

// silent is a hop that has counted its last packet.
func silent(h flow.Hop) flow.Hop {
	last := h.Snapshots[len(h.Snapshots)-1].To
	h.Snapshots = h.Snapshots.With(flow.Snapshot{From: last + 1, To: flow.OpenEpoch, Packets: h.Packets})
	return h
}

func TestSegments(t *testing.T) {
	x := leafSpine()
	type want struct {
		at      string // switch, or the cable's far end
		packets uint64
		lost    int64 // less than 0 for more that arrived
		lossy   bool
		final   bool
	}
	for name, c := range map[string]struct {
		hops []flow.Hop
		want []want
	}{
		"nothing lost, compared where all have counted": {
			[]flow.Hop{hop("leaf1", "3", 100, 200, 300), hop("spine1", "1", 100, 200), hop("leaf2", "1", 100, 200)},
			[]want{{"spine1/1", 200, 0, false, false}, {"leaf2/1", 200, 0, false, false}},
		},
		"lost on the second cable": {
			[]flow.Hop{hop("leaf1", "3", 1000, 2000), hop("spine1", "1", 1000, 2000), hop("leaf2", "1", 990, 1980)},
			[]want{{"spine1/1", 2000, 0, false, false}, {"leaf2/1", 2000, 10, true, false}}, // in the epoch before
		},
		"one on its way is none lost": {
			[]flow.Hop{hop("leaf1", "3", 1000), hop("spine1", "1", 999), hop("leaf2", "1", 999)},
			[]want{{"spine1/1", 1000, 0, false, false}, {"leaf2/1", 999, 0, false, false}},
		},
		"a burst on its way is not lost": {
			[]flow.Hop{hop("leaf1", "3", 1000, 2000), hop("spine1", "1", 1000, 1950), hop("leaf2", "1", 950, 1950)},
			[]want{{"spine1/1", 2000, 0, false, false}, {"leaf2/1", 1950, 0, false, false}},
		},
		"at the end one lost is one lost": {
			[]flow.Hop{silent(hop("leaf1", "3", 5)), silent(hop("spine1", "1", 5)), silent(hop("leaf2", "1", 4))},
			[]want{{"spine1/1", 5, 0, false, true}, {"leaf2/1", 5, 1, true, true}},
		},
		"two ways": {
			[]flow.Hop{silent(hop("leaf1", "3", 10)), silent(hop("spine1", "1", 6)), silent(hop("spine2", "1", 4)),
				silent(hop("leaf2", "1", 6)), silent(hop("leaf2", "2", 1))},
			[]want{{"spine1/1|spine2/1", 10, 0, false, true}, {"leaf2/1", 6, 0, false, true}, {"leaf2/2", 4, 3, true, true}},
		},
		"nothing arrived": {
			[]flow.Hop{silent(hop("leaf1", "3", 7))},
			[]want{{"leaf1", 7, 7, true, true}},
		},
		"nothing arrived behind the spine": {
			[]flow.Hop{silent(hop("leaf1", "3", 7)), silent(hop("spine1", "1", 7))},
			[]want{{"spine1/1", 7, 0, false, true}, {"leaf2/1", 7, 7, true, true}},
		},
		"more arrived than left": {
			[]flow.Hop{silent(hop("leaf1", "3", 5)), silent(hop("spine1", "1", 5)), silent(hop("leaf2", "1", 7))},
			[]want{{"spine1/1", 5, 0, false, true}, {"leaf2/1", 5, -2, false, true}},
		},
		"nothing arrived yet": {[]flow.Hop{hop("leaf1", "3", 7)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := x.segments(x.path(c.hops), "leaf2", false, nil)
			if len(got) != len(c.want) {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
			for i, s := range got {
				at := ""
				for _, in := range s.In {
					if at != "" {
						at += "|"
					}
					at += in.String()
				}
				if at == "" {
					at = s.Switch
				}
				if g := (want{at, s.Packets, int64(s.Lost) - int64(s.Extra), s.Lossy(), s.Final}); g != c.want[i] {
					t.Errorf("segment %d: got %+v, want %+v", i, g, c.want[i])
				}
			}
		})
	}
}

// A hop of which a report was lost has no snapshots: what it does not know is not held against others.
func TestNoLossIsSaidOfWhatIsNotKnown(t *testing.T) {
	broken := silent(hop("spine1", "1", 2))
	broken.Snapshots, broken.Incomplete = nil, true
	x := leafSpine()
	got, _ := x.segments(x.path([]flow.Hop{silent(hop("leaf1", "3", 5)), broken, silent(hop("leaf2", "1", 5))}), "leaf2", false, nil)
	for i, at := range []string{"leaf1/1>spine1/1", "spine1/2>leaf2/1"} {
		if i >= len(got) || !got[i].Incomplete || got[i].Lost+got[i].Packets != 0 || got[i].Out[0].String()+">"+got[i].In[0].String() != at {
			t.Fatalf("got %+v, want an incomplete segment at %s", got, at)
		}
	}
}

// TestOutPorts names the ports that packets left by, on two ways, and at the end of the way.
func TestOutPorts(t *testing.T) {
	x := leafSpine()
	given := []flow.Hop{hop("leaf2", "1", 6), hop("leaf2", "2", 1), hop("leaf1", "3", 10), hop("spine1", "1", 6), hop("spine2", "1", 4)}
	p := x.path(given)
	p.leave(&flow.Identity{Switch: "leaf2", Port: "7"})
	want := map[string]string{"leaf1/3": "1|2", "spine1/1": "2", "spine2/1": "2", "leaf2/1": "7", "leaf2/2": "7"}
	for _, h := range p.hops {
		if at := h.Switch + "/" + h.Port; strings.Join(h.Out, "|") != want[at] {
			t.Errorf("%s: out by %v, want %s", at, h.Out, want[at])
		}
	}
	for _, h := range given {
		if h.Out != nil {
			t.Errorf("the list that was given has changed: %+v", h)
		}
	}
	lost := x.path([]flow.Hop{hop("leaf1", "3", 10)})
	lost.leave(&flow.Identity{Switch: "leaf2", Port: "7"})
	if len(lost.hops[0].Out) != 0 {
		t.Errorf("nothing arrived, and it left by %v", lost.hops[0].Out)
	}
}
