package correlate

import (
	"math"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The losses of a cable are judged over lossWindow, second by second.
const (
	lossWindow = 30 // seconds
	leastShare = 1e-4
)

// cable is one direction of a link: what entered it against what came out, by all flows that are
// compared at its ends.
//
//	bound = packets that may be under way at once: most in a second, times the way's time
//	lossy from   lost > bound + 3 √bound + 3, and more than 0.01%
//	until        lost <= bound
//
// Lost is what the flows lost for certain, by the rule of two epochs, in the last 30 s. Of packets under
// way at the beginning and at the end of that time no more than bound are expected to be taken for
// lost; they are Poisson's at worst, so three deviations are added, and three packets for small numbers.
type cable struct {
	link    inventory.Link
	counted mark             // by now
	marks   [lossWindow]mark // at the last beginnings of seconds, a ring
	next    int              // in the ring
	error   time.Duration    // greatest of the clocks at its ends
	lossy   bool
	since   time.Time // when lossy became so
	told    inventory.LinkLoss
}

// mark is what a cable had counted by a moment.
type mark struct {
	packets uint64
	lost    int64  // less what was there twice
	expired uint64 // whose TTL ended at the switch that the cable begins at: they are not lost on the cable
}

// before gives the mark of n seconds ago, at most lossWindow.
func (c *cable) before(n int) mark { return c.marks[(c.next+lossWindow-n)%lossWindow] }

// lost is how many packets were lost between two marks.
func (m mark) lostSince(o mark) int64 {
	lost, expired := m.lost-o.lost, int64(m.expired-o.expired)
	if lost > 0 {
		return max(0, lost-expired)
	}
	return lost
}

// underWay is how many packets may be on the cable at once.
func (c *cable) underWay() float64 {
	window := underWay + 4*c.error
	var most uint64 // of a second
	later := c.counted
	for n := 1; n <= lossWindow; n++ {
		m := c.before(n)
		most, later = max(most, later.packets-m.packets), m
	}
	return float64(most) * window.Seconds()
}

// judge says whether the cable loses packets.
func (c *cable) judge(now time.Time) {
	oldest := c.before(lossWindow)
	lost, bound := float64(c.counted.lostSince(oldest)), c.underWay()
	switch {
	case c.lossy:
		c.lossy = lost > bound
	case lost > bound+3*math.Sqrt(bound)+3 && lost > leastShare*float64(c.counted.packets-oldest.packets):
		c.lossy, c.since = true, now
	}
}

// recent is what was lost since the cable began to lose packets, within the window.
func (c *cable) recent() inventory.LossShare {
	oldest := c.before(lossWindow)
	from, little := oldest, c.counted.lostSince(oldest)/20
	for n := lossWindow - 1; n > 0; n-- {
		if m := c.before(n); m.lostSince(oldest) <= little {
			from = m
		}
	}
	return inventory.LossShare{Packets: c.counted.packets - from.packets, Lost: uint64(max(0, c.counted.lostSince(from)))}
}

// tick ends a second.
func (c *cable) tick() {
	c.marks[c.next] = c.counted
	c.next = (c.next + 1) % lossWindow
}

// fact gives what there is to say of the cable.
func (c *cable) fact() inventory.LinkLoss {
	f := inventory.LinkLoss{A: c.link.A, B: c.link.B, Packets: max(c.told.Packets, c.counted.packets),
		Lost: max(c.told.Lost, uint64(max(0, c.counted.lost))), Lossy: c.lossy}
	if c.lossy {
		f.Since, f.Recent = c.since, c.recent()
	}
	return f
}

// name is how conversations name the cable.
func (c *cable) name() flow.LossyCable {
	return flow.LossyCable{Out: c.link.A, In: c.link.B, Since: c.since, LossShare: c.recent()}
}
