package track

import "sync"

// A switch gives up what it holds of a flow when the controller asks for it, so the controller has
// to have stored it before: the daemon may be killed, and the answer may get lost. Every hop knows
// the batch that it was published with.

// progress says which batches are stored by now.
type progress struct {
	mu      sync.Mutex // guards the fields below
	stored  uint32     // batches before this one outlive a crash
	waiting []given    // not stored yet, in order
}

// given is a batch that the sink has been given.
type given struct {
	number  uint32
	version uint64 // of the sink, behind all of it
}

// given notes that the sink has a batch.
func (p *progress) given(number uint32, versions func() (given, stored uint64)) {
	var version uint64
	if versions != nil {
		version, _ = versions()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, given{number, version})
}

// look gives the first batch that is not known to outlive a crash.
func (p *progress) look(versions func() (given, stored uint64)) uint32 {
	var stored uint64
	if versions != nil {
		_, stored = versions()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.waiting) && p.waiting[n].version <= stored {
		p.stored = p.waiting[n].number + 1
		n++
	}
	p.waiting = p.waiting[n:]
	return p.stored
}
