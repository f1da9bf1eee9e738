package track

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

func keyOf(n int) flow.Key {
	return flow.Key{IngressPort: uint32(1 + n%3), Tuple: flow.Tuple{Protocol: flow.UDP,
		Src: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), Dst: netip.MustParseAddr("10.1.0.1"),
		SrcPort: uint16(1000 + n), DstPort: 53}}
}

// model is a flow cache of one way as the P4 program has it: the truth the ledger is held to.
type model struct {
	slots   []modelSlot
	now     uint64
	offset  uint64 // of the fabric's time
	truth   map[flow.Key]flow.Counters
	reports []Report // digests, in order
}

type modelSlot struct {
	generation uint16
	half       Half
	epoch      uint16
}

func (m *model) packet(k flow.Key, bytes uint64) {
	m.now += 1000
	t := m.truth[k]
	t.Add(flow.Counters{Packets: 1, Bytes: bytes})
	m.truth[k] = t
	index := uint32(k.Tuple.SrcPort) % uint32(len(m.slots))
	s := &m.slots[index]
	epoch := uint16(epochs{bits: 20, offset: m.offset}.of(m.now, k.Tuple))
	fresh := Half{Key: k, Counters: flow.Counters{Packets: 1, Bytes: bytes}, First: m.now, Last: m.now}
	switch {
	case s.half.Counters.Packets == 0:
		s.generation++
		s.half, s.epoch = fresh, epoch
		m.reports = append(m.reports, Report{Epoch: epoch, Cause: flow.CauseNew, Slot: index, Generation: s.generation, Now: m.now, New: fresh})
	case s.half.Key == k:
		before := s.half
		s.half.Counters.Add(flow.Counters{Packets: 1, Bytes: bytes})
		s.half.Last = m.now
		if epoch != s.epoch {
			s.epoch = epoch
			m.reports = append(m.reports, Report{Epoch: epoch, Cause: flow.CauseActive, Slot: index, Generation: s.generation, Now: m.now, Old: before})
		}
	default:
		m.reports = append(m.reports, Report{Epoch: epoch, Cause: flow.CauseEvict, Slot: index, Generation: s.generation, Now: m.now, Old: s.half, New: fresh})
		s.generation++
		s.half, s.epoch = fresh, epoch
	}
}

// read is the in-band read-out, which overtakes digests that are still being batched.
func (m *model) read(index uint32, free bool) Report {
	s := &m.slots[index]
	r := Report{Cause: flow.CauseRead, Slot: index, Generation: s.generation, Now: m.now, Old: s.half}
	if free && s.half.Counters.Packets > 0 {
		r.Cause = flow.CauseFreed
		s.half.Counters = flow.Counters{}
	}
	return r
}

// Whatever the order of packets, evictions, overtaking read-outs and repeated digests: after
// a read-out of all slots the ledger equals the truth.
func TestLedgerIsExact(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := &model{slots: make([]modelSlot, 8), truth: map[flow.Key]flow.Counters{}}
		for i := range m.slots {
			m.slots[i].generation = uint16(random.Uint32()) // close to wrapping for some
		}
		l := newLedger(8)
		got := map[flow.Key]flow.Counters{}
		keys := []flow.Key{{}}
		live := 0
		take := func(d *delta) {
			if d.began {
				live++
				d.flow = uint32(len(keys))
				keys = append(keys, d.half.Key)
			}
			if d.ended {
				live--
				return
			}
			k := keys[d.flow]
			c := got[k]
			c.Add(d.add)
			got[k] = c
		}
		for range 3000 {
			switch n := random.IntN(100); {
			case n < 80:
				m.packet(keyOf(random.IntN(20)), uint64(60+random.IntN(1400)))
			case n < 82: // digests are held up for so long that they are given up
				l.reap(m.now+1<<40, 1, take)
			case n < 90:
				r := m.read(uint32(random.IntN(8)), random.IntN(2) == 0)
				l.apply(&r, take)
			default:
				for i := range m.reports {
					l.apply(&m.reports[i], take)
					if random.IntN(10) == 0 { // a list that is sent again
						l.apply(&m.reports[i], take)
					}
				}
				m.reports = nil
			}
		}
		for i := range m.reports {
			l.apply(&m.reports[i], take)
		}
		for i := range m.slots {
			r := m.read(uint32(i), true)
			l.apply(&r, take)
		}
		for k, want := range m.truth {
			if got[k] != want {
				t.Fatalf("seed %d: %v: %+v, want %+v (stats %+v)", seed, k, got[k], want, l.stats)
			}
		}
		if len(got) != len(m.truth) || live != 0 || l.live != 0 || len(l.aside) != 0 || l.stats.gaps != 0 || l.stats.unfinished != 0 {
			t.Fatalf("seed %d: %d flows of %d, %d live, %+v", seed, len(got), len(m.truth), live, l.stats)
		}
	}
}

// While older digests come, those behind them may; when none comes any more, what is awaited is lost. If it
// comes after all, nothing counts twice.
func TestDigestsThatAreHeldUp(t *testing.T) {
	m := &model{slots: make([]modelSlot, 1), truth: map[flow.Key]flow.Counters{}, now: 1 << 30}
	l := newLedger(1)
	ignore := func(*delta) {}
	m.packet(keyOf(1), 100)
	m.packet(keyOf(2), 100) // takes the slot
	l.apply(&m.reports[0], ignore)
	r := m.read(0, false) // and is read before that is heard
	l.apply(&r, ignore)
	const grace = 30_000_000
	for range 10 {
		m.now += grace / 2
		l.came = coarse(m.now) // of before
		l.reap(m.now, grace, ignore)
	}
	if l.stats.unfinished != 0 {
		t.Fatalf("given up while digests come: %+v", l.stats)
	}
	m.now += 2 * grace
	l.reap(m.now, grace, ignore)
	if l.stats.unfinished != 1 || l.live != 1 {
		t.Fatalf("%d live, %+v, want one that is given up", l.live, l.stats)
	}
	l.apply(&m.reports[1], ignore)
	var total flow.Counters
	for _, c := range l.total {
		total.Add(*c)
	}
	if total.Packets != 2 || l.stats.unfinished != 0 || l.stats.gaps != 0 || l.live != 1 {
		t.Errorf("%d packets, %d live, %+v, want 2 packets and nothing lost", total.Packets, l.live, l.stats)
	}
}

func TestLostDigestsAreCounted(t *testing.T) {
	m := &model{slots: make([]modelSlot, 1), truth: map[flow.Key]flow.Counters{}}
	l := newLedger(1)
	for i := range 10 {
		m.packet(keyOf(i), 100)
	}
	for i := range m.reports {
		if i >= 3 && i < 6 {
			continue // three evictions are lost
		}
		l.apply(&m.reports[i], func(*delta) {})
	}
	// Report 6 ends generation 6, of which nothing was known, as of 4 and 5.
	if l.stats.gaps == 0 {
		t.Error("no gap counted")
	}
	var total flow.Counters
	for _, c := range l.total {
		total.Add(*c)
	}
	if missing := 10 - total.Packets; missing != 2 {
		t.Errorf("%d packets missing, want 2: those of generations 4 and 5", missing)
	}
	if l.stats.gaps != 2 {
		t.Errorf("%d generations lost, want 2", l.stats.gaps)
	}
}

func TestAnEmptySlotEndsWhatWasThere(t *testing.T) {
	l := newLedger(8)
	h := Half{Key: keyOf(1), Counters: flow.Counters{Packets: 1, Bytes: 60}}
	l.apply(&Report{Cause: flow.CauseNew, Slot: 4, Generation: 9, New: h}, func(*delta) {})
	var ended bool
	l.apply(&Report{Cause: flow.CauseRead, Slot: 4, Generation: 9}, func(d *delta) { ended = ended || d.ended })
	if !ended || l.stats.unfinished != 1 || l.live != 0 {
		t.Errorf("ended %t, %+v", ended, l.stats)
	}
}
