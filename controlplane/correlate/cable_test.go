package correlate

import (
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// cabled are the cables of an index with one link, from leaf1 to spine1/1.
func cabled() (*cables, portKey) {
	t := newCables(time.Minute, newCableMetrics())
	l := inventory.Link{A: inventory.PortRef{Switch: "leaf1", Port: "1"}, B: inventory.PortRef{Switch: "spine1", Port: "1"}}
	t.link(l.Ref(), inventory.Entry{Fact: l})
	return t, portKey{"spine1", "1"}
}

// TestCable judges a cable by what its conversations tell second by second.
func TestCable(t *testing.T) {
	type second struct{ packets, lost uint64 } // so far, of one conversation
	steady := func(n int, rate, lost uint64) (list []second) {
		for i := range uint64(n) {
			list = append(list, second{(i + 1) * rate, (i + 1) * lost})
		}
		return list
	}
	for name, c := range map[string]struct {
		told  []second
		lossy bool
	}{
		"nothing lost":                          {steady(20, 1000, 0), false},
		"one of a hundred":                      {steady(5, 400, 4), true},
		"one of a hundred for a second":         {[]second{{400, 4}}, false},
		"as many as may be under way":           {[]second{{100_000, 0}, {200_000, 200}}, false},
		"one of 20,000":                         {steady(30, 100_000, 5), false},
		"lost long ago":                         {append(steady(10, 1000, 10), steady(60, 1000, 0)[10:]...), false},
		"lost a while ago":                      {append(steady(10, 1000, 10), second{11_000, 100}, second{12_000, 100}), true},
		"the switch counts from zero once more": {append(steady(10, 1000, 0), second{5, 5}, second{1005, 5}), false},
	} {
		t.Run(name, func(t *testing.T) {
			cables, end := cabled()
			conv, now := flow.Conversation{ID: "a", First: t0}, t0
			lost := int64(0)
			for _, s := range c.told {
				now = now.Add(time.Second)
				if s.lost > 0 {
					lost = int64(s.lost)
				}
				cables.count(&conv, []balance{{in: end, packets: s.packets, lost: lost, known: true, whole: true}}, 1, now)
				cables.judge(now)
			}
			if got := cables.byEnd[end].lossy; got != c.lossy {
				t.Errorf("lossy is %t", got)
			}
		})
	}
}

// TestCableCountsWhatItKnows leaves out what may be the doing of a lost report, of an earlier daemon, or of
// the switch itself.
func TestCableCountsWhatItKnows(t *testing.T) {
	now := t0.Add(10 * time.Second)
	for name, c := range map[string]struct {
		told []balance
		load bool // the conversation was recorded with 100 packets, of which it lost 50
		old  bool // it began long ago
		want mark
	}{
		"all from the beginning":    {told: []balance{{packets: 100, lost: 3, whole: true}}, want: mark{packets: 100, lost: 3}},
		"not from the beginning":    {told: []balance{{packets: 100, lost: 3}, {packets: 150, lost: 4}}, want: mark{packets: 50, lost: 1}},
		"from before the window":    {told: []balance{{packets: 100, lost: 3, whole: true}}, old: true},
		"in another slot":           {told: []balance{{packets: 100, whole: true}, {packets: 200, lost: 50, generations: 7}, {packets: 300, lost: 51, generations: 7}}, want: mark{packets: 200, lost: 1}},
		"in another slot, and over": {told: []balance{{packets: 100, whole: true}, {packets: 200, lost: 2, generations: 7, final: true}}, want: mark{packets: 200, lost: 2}},
		"before the daemon began":   {told: []balance{{packets: 120, lost: 51}}, load: true, want: mark{packets: 20, lost: 1}},
		"twice there":               {told: []balance{{packets: 100, lost: -5, whole: true}}, want: mark{packets: 100, lost: -5}},
	} {
		t.Run(name, func(t *testing.T) {
			cables, end := cabled()
			conv := flow.Conversation{ID: "a", First: t0}
			if c.old {
				conv.First = t0.Add(-time.Hour)
			}
			if c.load {
				conv.ForwardSegments = []flow.Segment{{Packets: 100, Lost: 50, In: []inventory.PortRef{{Switch: "spine1", Port: "1"}}}}
				cables.load(&conv)
			}
			for _, b := range c.told {
				b.in, b.known = end, true
				cables.count(&conv, []balance{b}, 1, now)
			}
			if got := cables.byEnd[end].counted; got != c.want {
				t.Errorf("counted %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestProbesAreNotLost: packets whose TTL ended at the switch did not enter the cable.
func TestProbesAreNotLost(t *testing.T) {
	cables, end := cabled()
	conv, now := flow.Conversation{ID: "a", First: t0}, t0
	for i := range uint64(20) {
		now = now.Add(time.Second)
		cables.account(inventory.Accounting{Switch: "leaf1", Port: "3", Expired: inventory.Bucket{Packets: i + 1}})
		cables.count(&conv, []balance{{in: end, packets: 2 * (i + 1), lost: int64(i + 1), known: true, whole: true}}, 1, now)
		cables.judge(now)
	}
	if cables.byEnd[end].lossy {
		t.Error("the cable is said to lose what never entered it")
	}
}

// TestCableThatIsUnplugged ends what is said of it.
func TestCableThatIsUnplugged(t *testing.T) {
	cables, end := cabled()
	l := cables.links[end]
	cables.count(&flow.Conversation{ID: "a", First: t0}, []balance{{in: end, packets: 10, known: true, whole: true}}, 1, t0)
	if said := cables.judge(t0.Add(time.Second)); len(said) != 1 {
		t.Fatalf("%d facts", len(said))
	}
	ends := cables.link(l.Ref(), inventory.Entry{Event: t0})
	if len(ends) != 1 || ends[0].Fact != nil || cables.at(end) != nil {
		t.Errorf("%+v", ends)
	}
}
