package track

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// How many losses of a port and gaps of a switch are kept, and how many gaps a loss names.
const (
	keptLosses = 8
	keptGaps   = 256
	namedGaps  = 8
)

// gap is a run of generations of one slot that went unreported.
type gap struct {
	slot        uint32
	first, last uint16
	generations uint16 // of these, the others were read out
	flow        uint32 // whose last report it was, as the receiver of the deltas calls it; 0 if that is not known
	at          uint64 // switch time when that became known
}

// gaps are those of one switch, the newest.
type gaps struct {
	list  []knownGap        // oldest first
	count uint64            // of all that ever were
	any   uint64            // generations whose packets may have been any port's
	own   map[uint32]uint64 // and those of flows of one
}

type knownGap struct {
	inventory.SlotGap
	port  uint32 // whose packets it may have held
	any   bool   // they may have been any port's
	count uint64 // of gaps up to this one
}

// mark is how many gaps there were at a time, as one port has them.
type mark struct{ count, generations uint64 }

func (g *gaps) mark(port uint32) mark { return mark{g.count, g.any + g.own[port]} }

// loses notes a gap that the ledger found.
func (a *account) loses(j *joiner, g gap) {
	a.gaps.count++
	k := knownGap{any: true, count: a.gaps.count, SlotGap: inventory.SlotGap{Slot: g.slot, First: g.first, Last: g.last, Generations: g.generations, Seen: a.clock.at(g.at)}}
	if g.flow == 0 {
		a.gaps.any += uint64(g.generations)
	} else {
		h := j.hops.at(g.flow)
		k.any, k.port = false, j.places.list[h.place].number
		if a.gaps.own == nil {
			a.gaps.own = map[uint32]uint64{}
		}
		a.gaps.own[k.port] += uint64(g.generations)
		k.Conversation = hex.EncodeToString(binary.BigEndian.AppendUint64(nil, j.conversations.at(h.conversation).id))
	}
	if len(a.gaps.list) == keptGaps {
		a.gaps.list = slices.Delete(a.gaps.list, 0, 1)
	}
	a.gaps.list = append(a.gaps.list, k)
}

// losses are those of one port.
type losses struct {
	list      []inventory.Loss // oldest first; the last may be unsettled
	number    uint32           // of the last
	explained flow.Counters    // by the settled ones
	since     time.Time        // when all that was missing had been explained
	gaps      mark             // that were then
	rest      flow.Counters    // the residue when it was last looked at
	still     time.Time        // since when neither it nor the port's counters changed; zero: they just did
	reread    bool             // the cache was read again since
}

// explain brings the losses of a port up to its residue. Moved says that the port's counters did
// since the last time. While packets come some of the residue is only on its way. What is still
// there when the port has been quiet for longer than any slot stays unread, and when the whole
// cache was read once more (a flow whose first report was lost is still in it), is lost.
func (a *account) explain(p *portBooks, number uint32, moved bool, t *Tracker, now time.Time) {
	l := &p.losses
	rest, known := a.residue(number, p)
	if !known {
		return
	}
	if l.since.IsZero() {
		l.since = now
	}
	if moved || rest != l.rest || l.still.IsZero() {
		l.rest, l.still, l.reread = rest, now, false
	}
	quiet := now.Sub(l.still) >= t.cfg.IdleTimeout+2*t.cfg.CounterInterval && a.settled(t)
	missing := rest.Sub(l.explained)
	switch {
	case quiet && missing.Packets != 0 && !l.reread:
		l.reread = true
		a.readout.begin(t.cfg.Slots, now)
	case quiet && int64(missing.Packets) < 0: // found after all
		l.found(-missing.Packets, -missing.Bytes)
		l.explained = rest
	case quiet:
		l.settle(a, number, missing, now)
	case int64(missing.Packets) > 0 && a.gaps.mark(number).generations > l.gaps.generations:
		l.open(a, number, missing, now)
	}
}

// settled says that nothing is awaited of the switch.
func (a *account) settled(t *Tracker) bool {
	return a.sw != nil && a.readout.complete() && a.pass == t.cfg.Slots && len(a.asked) == 0 && !a.ledger.awaits()
}

// open says that packets are missing and reports were lost: not all of them need be lost.
func (l *losses) open(a *account, number uint32, missing flow.Counters, now time.Time) {
	gaps, generations := a.gaps.since(l.gaps, number)
	loss := inventory.Loss{Since: l.since, Until: now, Packets: int64(missing.Packets), Bytes: int64(missing.Bytes), Generations: generations, Gaps: gaps}
	if n := len(l.list); n > 0 && !l.list[n-1].Settled {
		loss.Number = l.list[n-1].Number
		l.list[n-1] = loss
		return
	}
	l.number++
	loss.Number = l.number
	if len(l.list) == keptLosses {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, loss)
}

// settle says that what is missing is lost: nothing, mostly.
func (l *losses) settle(a *account, number uint32, missing flow.Counters, now time.Time) {
	if n := len(l.list); n > 0 && !l.list[n-1].Settled {
		l.list = l.list[:n-1]
		l.number--
	}
	if missing.Packets != 0 || missing.Bytes != 0 {
		gaps, generations := a.gaps.since(l.gaps, number)
		l.number++
		if len(l.list) == keptLosses {
			l.list = slices.Delete(l.list, 0, 1)
		}
		l.list = append(l.list, inventory.Loss{Number: l.number, Since: l.since, Until: l.still, Settled: true,
			Packets: int64(missing.Packets), Bytes: int64(missing.Bytes), Generations: generations, Gaps: gaps})
		l.explained.Add(missing)
	}
	l.since, l.gaps = now, a.gaps.mark(number)
}

// found takes packets out of the newest losses.
func (l *losses) found(packets, bytes uint64) {
	for i := len(l.list) - 1; i >= 0 && packets > 0; i-- {
		loss := &l.list[i]
		n := min(packets, uint64(max(0, loss.Packets)))
		b := min(bytes, uint64(max(0, loss.Bytes)))
		packets, bytes = packets-n, bytes-b
		loss.Packets -= int64(n)
		loss.Bytes -= int64(b)
	}
	l.list = slices.DeleteFunc(l.list, func(loss inventory.Loss) bool { return loss.Packets <= 0 })
}

// since gives the newest gaps after a mark of a port that may have held its packets, and how many
// generations all of these had.
func (g *gaps) since(m mark, port uint32) (newest []inventory.SlotGap, generations uint64) {
	for _, k := range slices.Backward(g.list) {
		if k.count <= m.count || len(newest) == namedGaps {
			break
		}
		if k.any || k.port == port {
			newest = append(newest, k.SlotGap)
		}
	}
	slices.Reverse(newest)
	return newest, g.mark(port).generations - m.generations
}
