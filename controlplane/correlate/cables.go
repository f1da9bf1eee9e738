package correlate

import (
	"maps"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// balance is what one direction of a conversation had given to a cable, and of that lost for
// certain, by an epoch.
type balance struct {
	in          portKey // where the cable ends
	packets     uint64
	lost        int64  // less what was there twice
	generations uint32 // of the slots that count it: with others, what was counted between may be unknown
	error       time.Duration
	known       bool
	final       bool
	whole       bool // counted from the beginning, in one generation
}

// newBalance is that of hops, before anything is counted.
func newBalance(hops []*flow.Hop) balance {
	b := balance{whole: true}
	for _, h := range hops {
		b.error = max(b.error, h.ClockError)
		if h.Again {
			b.whole = false
			if h.Live != nil {
				b.generations = b.generations*31 + h.Live.Slot<<16 + uint32(h.Live.Generation) + 1
			}
		}
	}
	return b
}

// crossing is what a cable has counted of one direction of a conversation. There are some for every conversation
// that lives, so they are short.
type crossing struct {
	cable       *cable
	packets     uint64 // doubled, and one more in the reverse direction
	generations uint32
	lost        int32 // modulo 2^32: what it grew by is asked for
}

func newCrossing(c *cable, reverse bool) crossing {
	if reverse {
		return crossing{cable: c, packets: 1}
	}
	return crossing{cable: c}
}

func (x *crossing) reverse() bool { return x.packets&1 == 1 }

// counted is how many packets have crossed.
func (x *crossing) counted() uint64 { return x.packets >> 1 }

func (x *crossing) set(packets uint64, lost int64, generations uint32) {
	x.packets = packets<<1 | x.packets&1
	x.lost, x.generations = int32(lost), generations
}

// cables add up what conversations lose by the cables they cross. One conversation may lose nothing for
// seconds where a cable loses 1%; all of them together do not.
type cables struct {
	byEnd    map[portKey]*cable
	links    map[portKey]inventory.Link // that there are, by their ends
	expired  map[inventory.Ref]uint64   // packets, by the accounting of a port
	ofSwitch map[string]uint64          // expired packets of all its ports
	crossed  recent[[]crossing]
	ticked   time.Time
	metrics  *cableMetrics
}

func newCables(span time.Duration, m *cableMetrics) *cables {
	return &cables{byEnd: map[portKey]*cable{}, links: map[portKey]inventory.Link{}, expired: map[inventory.Ref]uint64{},
		ofSwitch: map[string]uint64{}, crossed: newRecent[[]crossing](span), metrics: m}
}

// load takes what a conversation had counted when it was recorded last: of that nothing is new.
func (t *cables) load(conv *flow.Conversation) {
	var list []crossing
	for i, segments := range [][]flow.Segment{conv.ForwardSegments, conv.ReverseSegments} {
		for _, s := range segments {
			if len(s.In) != 1 || s.Incomplete {
				continue
			}
			if c := t.at(portKey{s.In[0].Switch, s.In[0].Port}); c != nil {
				x := newCrossing(c, i == 1)
				x.set(s.Packets, int64(s.Lost)-int64(s.Extra), 0)
				list = append(list, x)
			}
		}
	}
	if list != nil {
		t.crossed.put(conv.ID, list)
	}
}

// link takes that a link came, or went; then what was said of it ends.
func (t *cables) link(r inventory.Ref, e inventory.Entry) []inventory.Change {
	if l, ok := e.Fact.(inventory.Link); ok {
		t.links[portKey{l.B.Switch, l.B.Port}] = l
		return nil
	}
	for end, l := range t.links {
		if l.Ref() != r {
			continue
		}
		delete(t.links, end)
		c := t.byEnd[end]
		if c == nil || c.link.Ref() != r {
			return nil
		}
		delete(t.byEnd, end)
		t.metrics.forget(c)
		if c.told != (inventory.LinkLoss{}) {
			return []inventory.Change{inventory.Ended(c.told.Ref(), e.Event)}
		}
		return nil
	}
	return nil
}

// account takes how many packets a port has dropped because their TTL ended.
func (t *cables) account(a inventory.Accounting) {
	r := a.Ref()
	before := t.expired[r]
	if a.Expired.Packets < before {
		before = 0 // the switch counts anew
	}
	t.ofSwitch[a.Switch] += a.Expired.Packets - before
	t.expired[r] = a.Expired.Packets
}

// at gives the cable that ends at a port, nil where no link does.
func (t *cables) at(end portKey) *cable {
	l, ok := t.links[end]
	if !ok {
		return nil
	}
	c := t.byEnd[end]
	if c == nil || c.link != l {
		c = &cable{link: l}
		c.counted.expired = t.ofSwitch[l.A.Switch]
		for i := range c.marks {
			c.marks[i] = c.counted
		}
		t.byEnd[end] = c
	}
	return c
}

// count adds what is new in the balances of a conversation to the cables. Those of its reverse direction
// begin at index reverse.
func (t *cables) count(conv *flow.Conversation, balances []balance, reverse int, now time.Time) {
	before, again := t.crossed.get(conv.ID)
	if len(balances) == 0 {
		return
	}
	if !again {
		before = make([]crossing, 0, len(balances))
	}
	fresh := !again && now.Sub(conv.First) < lossWindow*time.Second
	for i := range balances {
		b := &balances[i]
		c := t.at(b.in)
		if c == nil {
			continue
		}
		k := slices.IndexFunc(before, func(x crossing) bool { return x.cable == c && x.reverse() == (i >= reverse) })
		if k < 0 {
			before = append(before, newCrossing(c, i >= reverse))
			k = len(before) - 1
			if fresh && b.whole {
				c.add(b.packets, b.lost)
			}
		} else if x := &before[k]; b.packets >= x.counted() && (b.final || b.generations == x.generations) {
			c.add(b.packets-x.counted(), int64(int32(b.lost)-x.lost))
		}
		c.error = max(c.error, b.error)
		before[k].set(b.packets, b.lost, b.generations)
	}
	if len(before) > 0 {
		t.crossed.put(conv.ID, before)
	}
}

func (c *cable) add(packets uint64, lost int64) {
	c.counted.packets += packets
	c.counted.lost += lost
}

// judge says which cables lose packets now. Once a second it gives what changed of what is said of them.
func (t *cables) judge(now time.Time) []inventory.Change {
	for _, c := range t.byEnd {
		c.counted.expired = t.ofSwitch[c.link.A.Switch]
		c.judge(now)
	}
	t.crossed.turn(now)
	seconds := int(now.Sub(t.ticked) / time.Second)
	if t.ticked.IsZero() || seconds > lossWindow {
		seconds, t.ticked = 1, now
	} else {
		t.ticked = t.ticked.Add(time.Duration(seconds) * time.Second)
	}
	if seconds <= 0 {
		return nil
	}
	return t.tick(seconds, now)
}

// tick ends seconds, and gives what is said of cables that has changed.
func (t *cables) tick(seconds int, now time.Time) []inventory.Change {
	var changes []inventory.Change
	for _, end := range slices.SortedFunc(maps.Keys(t.byEnd), portKey.compare) {
		c := t.byEnd[end]
		for range seconds {
			c.tick()
		}
		if f := c.fact(); f != c.told && f.Packets > 0 {
			t.metrics.count(c.told, f)
			c.told = f
			changes = append(changes, inventory.Became(f, now))
		}
	}
	return changes
}

// name notes in the segments of a conversation which of their cables lose packets.
func (t *cables) name(segments []flow.Segment) {
	for i := range segments {
		s := &segments[i]
		for _, in := range s.In {
			c := t.byEnd[portKey{in.Switch, in.Port}]
			if c == nil || !c.lossy || slices.ContainsFunc(s.Cables, func(l flow.LossyCable) bool { return l.In == c.link.B }) {
				continue
			}
			s.Cables = append(s.Cables, c.name())
		}
	}
}
