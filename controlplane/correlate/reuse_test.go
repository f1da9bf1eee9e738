package correlate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// tenure is a pod of a test with the time for which it had the one address of all.
type tenure struct {
	name        string
	created     time.Time // as the API tells
	has, leaves time.Time
	known, gone time.Time // when the address, and the end, were heard of
	waits       bool      // it was seen before it had the address
}

// tenures are pods that live for seconds and have an address one after the other; some wait for it while others have it.
func tenures(r *rand.Rand, n int) (all []tenure) {
	free := at(0)
	between := func(least, most int) time.Duration {
		return time.Duration(least+r.IntN(most-least)) * time.Millisecond
	}
	for i := range n {
		has := free.Add(between(0, 1500))
		p := tenure{name: fmt.Sprintf("pod-%02d", i), has: has, waits: r.IntN(2) == 0, leaves: has.Add(between(1000, 8000))}
		p.created = has.Add(-between(0, 500)).Truncate(time.Second)
		if p.waits {
			p.created = has.Add(-between(1000, 20_000)).Truncate(time.Second)
		}
		p.known, p.gone = has.Add(between(0, 400)), p.leaves.Add(between(0, 100))
		all = append(all, p)
		free = p.gone
	}
	return all
}

// moment is something that a correlator is told at a time.
type moment struct {
	at   time.Time
	tell func()
}

// heard has the correlator hear of a pod.
func (p tenure) heard(c *Correlator, ip string) []moment {
	o := pod(p.name, "worker1", ip, p.created)
	all := []moment{{p.known, func() { became(c, o, p.known) }}, {p.gone, func() { ended(c, o.Ref(), p.gone) }}}
	if p.waits {
		waiting := o
		waiting.IPs = nil
		all = append(all, moment{p.created, func() { became(c, waiting, p.created) }})
	}
	return all
}

// TestAddressesAreReusedWithinSeconds has conversations of pods that have the same address one after the other, each while it has
// it, and all is heard in the order of time: a conversation once a second and at its end. Nobody is named in the end without a word of doubt who
// was not the one.
func TestAddressesAreReusedWithinSeconds(t *testing.T) {
	const ip = "10.244.1.5"
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	right, wrong := 0, 0
	for range 20 {
		c, w := start(t)
		fabric(c)
		var story []moment
		all := tenures(r, 30)
		last := map[string]flow.Identity{}
		for _, p := range all {
			story = append(story, p.heard(c, ip)...)
			from := p.has.Add(time.Duration(r.Int64N(int64(p.leaves.Sub(p.has) * 3 / 4))))
			to := from.Add(time.Duration(r.Int64N(int64(p.leaves.Sub(from)))))
			for now := from; ; now = now.Add(time.Second) {
				until := now
				if !now.Before(to) {
					until = to
				}
				story = append(story, moment{until.Add(50 * time.Millisecond), func() {
					got, _ := record(c, w, spoke(p.name, ip, from, until))
					last[p.name] = got.Client.Identity
				}})
				if until.Equal(to) {
					break
				}
			}
		}
		slices.SortStableFunc(story, func(a, b moment) int { return a.at.Compare(b.at) })
		for _, m := range story {
			m.tell()
		}
		for _, p := range all {
			switch id := last[p.name]; {
			case id.Pod == p.name:
				right++
			case id.Pod == "" || strings.HasPrefix(id.Why, guess):
				wrong++
			default:
				t.Errorf("%s had the address from %v to %v, and is said to be %+v", p.name, p.has, p.leaves, id)
			}
		}
	}
	t.Logf("of %d conversations %d are of the right pod", right+wrong, right)
	if wrong > right/10 {
		t.Errorf("%d are right, %d are not known or guessed wrong", right, wrong)
	}
}

// spoke is a conversation with somebody outside, for so long.
func spoke(id, ip string, from, to time.Time) flow.Conversation {
	h := flow.Hop{Switch: "leaf1", Port: "host", Number: 3}
	h.Packets, h.First, h.Last = 1, from, to
	return flow.Conversation{ID: id, Protocol: flow.TCP, Client: flow.End{Address: addr(ip), Port: 4000},
		Server: flow.End{Address: addr("192.0.2.1"), Port: 443}, First: from, Last: to, ForwardHops: []flow.Hop{h}}
}

// TestAPodThatEndedBefore is named for what came after it only with the doubt that belongs to it.
func TestAPodThatEndedBefore(t *testing.T) {
	c, w := start(t)
	fabric(c)
	p := pod("old", "worker1", "10.244.1.5", at(0))
	became(c, p, at(0))
	ended(c, p.Ref(), at(7))
	conv := between("10.244.1.5", "192.0.2.1", flow.Hop{Port: "host", Number: 3}) // from 10 s to 20 s
	if got, _ := record(c, w, conv); got.Client.Identity.Pod != "old" || !strings.HasPrefix(got.Client.Identity.Why, "a guess: the pod had ended before") {
		t.Errorf("%+v", got.Client.Identity)
	}
	// The one that got the address comes to be known, and then there is no doubt.
	next := pod("next", "worker1", "10.244.1.5", at(8))
	became(c, next, at(12))
	if got, _ := record(c, w, conv); got.Client.Identity.Pod != "next" || got.Client.Identity.Why != "" {
		t.Errorf("%+v", got.Client.Identity)
	}
}
