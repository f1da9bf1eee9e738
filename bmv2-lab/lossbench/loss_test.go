package lossbench

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

var all = flag.Bool("all", false, "make every cable lose packets, one after the other")

const (
	lossShare = 0.01
	within    = 5 * time.Second // a cable is to be named
)

// load is how many conversations of each rate, in packets/s, go from every leaf to every other
// over every spine. A cable carries twice as many.
type load struct {
	name  string
	rates []int
	per   int
}

// loads are one rate alone, and all of them together. One that loses nothing in five seconds, as every third
// conversation of 20 packets/s does, can name the cable only because of others.
func loads() []load {
	return []load{{"20", []int{20}, 40}, {"100", []int{100}, 8}, {"500", []int{500}, 2}, {"mixed", []int{20, 50, 100, 200, 500, 1000}, 1}}
}

func (l load) onCable() (packets int) {
	for _, rate := range l.rates {
		packets += 2 * l.per * rate
	}
	return packets
}

// inBubble runs a rig in time of its own.
func inBubble(t *testing.T, seed uint64, run func(r *rig), more ...inventory.Fact) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		run(newRig(t, ctx, seed, more...))
		cancel()
		synctest.Wait()
	})
}

// everywhere are the streams of a load.
func everywhere(l load) (list []*stream) {
	port := uint16(40000)
	for from := range leaves {
		for to := range leaves {
			for via := range spines {
				for range l.per {
					for _, rate := range l.rates {
						if from != to {
							list = append(list, newStream(from, to, via, 1+int(port)%200, port, rate))
							port++
						}
					}
				}
			}
		}
	}
	return list
}

// result is how fast the conversations of one rate over a bad cable named it.
type result struct {
	crossed, named, alone int
	after                 []time.Duration
}

// TestLocalisation: with a cable that loses 1%, all conversations that cross it name it within 5 s
// while they run, no other cable is ever named, and after their end the counts are exact. Once it has lost nothing
// for a while it is not named any more.
func TestLocalisation(t *testing.T) {
	faults, tried := []cable{down(1, 0)}, []load{loads()[0], loads()[3]}
	if *all {
		faults, tried = links(), loads()
	}
	t.Logf("   load  cable, packets/s  packets/s  conversations  named within %s  by own loss  after, median     95%%  longest", within)
	for _, l := range tried {
		results := map[int]*result{}
		for _, rate := range l.rates {
			results[rate] = &result{}
		}
		for i, fault := range faults {
			inBubble(t, uint64(i+1), func(r *rig) { localise(t, r, l, fault, results) })
		}
		for _, rate := range l.rates {
			report(t, l, rate, results[rate])
		}
	}
}

func report(t *testing.T, l load, rate int, x *result) {
	slices.Sort(x.after)
	quantile := func(q float64) string {
		if len(x.after) == 0 {
			return "-"
		}
		return fmt.Sprintf("%.1fs", x.after[int(q*float64(len(x.after)-1))].Seconds())
	}
	t.Logf("%7s  %16d  %9d  %13d  %15d  %11d  %13s  %6s  %7s", l.name, l.onCable(), rate, x.crossed, x.named, x.alone,
		quantile(0.5), quantile(0.95), quantile(1))
	if x.named < x.crossed {
		t.Errorf("of %d conversations of %d packets/s, %d named the cable within %s", x.crossed, rate, x.named, within)
	}
}

func localise(t *testing.T, r *rig, l load, fault cable, results map[int]*result) {
	streams := everywhere(l)
	begin := time.Now()
	const before, during, after = 3 * time.Second, 7 * time.Second, 25 * time.Second
	for i, s := range streams {
		until := begin.Add(before + during)
		if i%10 == 0 {
			until = until.Add(after) // so that the cable is seen to be whole again
		}
		r.start(s, until)
	}
	r.run(before)
	if named := r.namedAnywhere(streams); len(named) > 0 {
		t.Errorf("without any loss: %v", named)
	}
	r.cables[fault].loss = lossShare
	broken := time.Now()
	r.run(during)
	r.cables[fault].loss = 0
	if lossy := r.said.lossy(); !slices.Equal(lossy, []string{fault.String()}) {
		t.Errorf("%v are said to lose packets, %s does", lossy, fault)
	}
	for _, s := range streams {
		r.judge(t, s, fault, broken, results[s.rate])
	}
	r.run(after + 15*time.Second) // until all is read out
	r.exact(t, streams)
	r.run(15 * time.Second) // until what the last of them lost was long ago
	if lossy := r.said.lossy(); len(lossy) > 0 {
		t.Errorf("%v are said to lose packets still", lossy)
	}
}

// judge holds which cables a stream named, and when, against the faulty one.
func (r *rig) judge(t *testing.T, s *stream, fault cable, broken time.Time, x *result) {
	_, named, own := r.said.of(s)
	crosses := slices.Contains(s.way, fault)
	for at := range named {
		if at != fault.String() || !crosses {
			t.Errorf("%v at %d packets/s: %s was named, %s loses", s.tuple, s.rate, at, fault)
		}
	}
	if !crosses {
		return
	}
	x.crossed++
	if at, ok := named[fault.String()]; ok {
		x.after = append(x.after, at.Sub(broken))
		if at.Sub(broken) <= within {
			x.named++
		}
	}
	if at, ok := own[fault.String()]; ok && at.Sub(broken) <= within {
		x.alone++
	}
}

// namedAnywhere are the cables that were named by any stream.
func (r *rig) namedAnywhere(streams []*stream) map[string]int {
	all := map[string]int{}
	for _, s := range streams {
		_, named, _ := r.said.of(s)
		for at := range maps.Keys(named) {
			all[at]++
		}
	}
	return all
}

// exact holds what is said of streams that ended against what the cables did.
func (r *rig) exact(t *testing.T, streams []*stream) {
	t.Helper()
	for _, s := range streams {
		c, _, _ := r.said.of(s)
		if c.Forward.Packets != s.sent {
			t.Errorf("%v: %d packets entered, %d were sent", s.tuple, c.Forward.Packets, s.sent)
		}
		got, want := map[string]string{}, map[string]string{}
		for _, g := range c.ForwardSegments {
			got[where(g)] = fmt.Sprintf("lost %d extra %d final %t incomplete %t", g.Lost, g.Extra, g.Final, g.Incomplete)
		}
		for i, w := range s.way {
			net := int64(s.lost[i]) - int64(s.extra[i])
			want[w.String()] = fmt.Sprintf("lost %d extra %d final true incomplete false", max(0, net), max(0, -net))
		}
		if !maps.Equal(got, want) {
			t.Errorf("%v at %d packets/s: said %v, want %v", s.tuple, s.rate, got, want)
		}
	}
}

// TestDoublesAndLatecomers: what arrives twice or in another order is no loss, and what is there
// twice is said to be.
func TestDoublesAndLatecomers(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		r.cables[up(0, 0)].hold = 0.1
		r.cables[down(1, 0)].double, r.cables[down(1, 0)].hold = 0.02, 0.05
		streams := everywhere(loads()[3])
		for _, s := range streams {
			r.start(s, time.Now().Add(6*time.Second))
		}
		r.run(20 * time.Second)
		if named := r.namedAnywhere(streams); len(named) > 0 {
			t.Errorf("losses were said: %v", named)
		}
		r.exact(t, streams)
	})
}

// TestLostReports: where digests do not arrive nothing is said to be lost that was not, and
// the segments of the flows in question are marked.
func TestLostReports(t *testing.T) {
	inBubble(t, 1, func(r *rig) {
		r.devices[spine(0)].deaf = 0.3
		var streams []*stream
		begin := time.Now()
		// More flows than the cache has slots, so that many are evicted.
		for i := range 12000 {
			s := newStream(i%leaves, (i+1)%leaves, 0, i%200+1, uint16(33000+i%30000), 4)
			streams = append(streams, s)
			s.tuple.DstPort = uint16(1 + i/30000)
			s.frame = frameOf(s.tuple)
			r.start(s, begin.Add(2*time.Second))
		}
		r.run(12 * time.Second)
		wrong, incomplete := 0, 0
		for _, s := range streams {
			c, named, _ := r.said.of(s)
			if len(named) > 0 {
				wrong++
			}
			for _, g := range segmentsOf(c) {
				if g.Lossy() || g.Extra > g.Within {
					wrong++
				}
				if g.Incomplete {
					incomplete++
				}
			}
		}
		if wrong > 0 || incomplete == 0 {
			t.Errorf("of %d conversations, none of which lost a packet, %d segments say so, and %d are incomplete", len(streams), wrong, incomplete)
		}
	})
}
