package ports

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// wire is what is wrong with the wire of a port; a port with a good wire has none. It does
// not change, but for the state of rand, which is the Set's owner's.
type wire struct {
	Impairment
	shut bool
	rand *rand.Rand
}

// chance is true for the given share of calls; always for 1 and never for 0.
func (w *wire) chance(share float64) bool {
	return share > 0 && w.rand.Float64() < share
}

// newRand starts the random numbers of one wire; seed 0 stands for a seed of its own.
func newRand(seed uint64) *rand.Rand {
	if seed == 0 {
		return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return rand.New(rand.NewPCG(seed, 0))
}

// Impair makes a port a bad wire from now on; the zero Impairment makes it good again.
// ErrNoPort, or what Validate says.
func (s *Set) Impair(number uint32, imp Impairment) error {
	if err := imp.Validate(); err != nil {
		return fmt.Errorf("impairment of port %d: %w", number, err)
	}
	return s.rewire("impairment of", number, func(w *wire) {
		w.Impairment, w.rand = imp, newRand(imp.Seed)
	})
}

// Shut takes a port out of service, or back into it: while it is shut, frames that arrive
// there or are sent there are dropped, and counted. The interface stays as it is, so that the
// other end sees a link that is up and silent. ErrNoPort.
func (s *Set) Shut(number uint32, shut bool) error {
	changed := false
	err := s.rewire("state of", number, func(w *wire) { changed, w.shut = w.shut != shut, shut })
	if err != nil || !changed {
		return err
	}
	s.find(number).since.Store(time.Now().UnixNano())
	s.changes.Add(1)
	s.Wake() // whoever looks at Changes after a Poll is to see it soon
	return nil
}

// rewire replaces a port's wire by a changed copy.
func (s *Set) rewire(what string, number uint32, change func(*wire)) error {
	p := s.find(number)
	if p == nil {
		return fmt.Errorf("%s port %d: %w", what, number, ErrNoPort)
	}
	s.wiring.Lock()
	defer s.wiring.Unlock()
	next := &wire{}
	if old := p.wire.Load(); old != nil {
		*next = *old
	}
	change(next)
	if !next.shut && next.Impairment == (Impairment{}) {
		next = nil
	}
	p.wire.Store(next)
	return nil
}

// overWire sends a frame over a bad wire.
func (s *Set) overWire(w *wire, p *port, frame []byte) {
	if w.shut {
		p.counts.txLinkDown.Add(1)
		return
	}
	s.imp.send(time.Since(s.start), p, w, frame)
}
