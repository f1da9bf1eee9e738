package main

import (
	"slices"
	"sync"
	"time"
)

// delays pairs what the other watcher saw with what the subscriber heard.
type delays struct {
	mu    sync.Mutex
	open  map[what]time.Time // guarded by mu; seen and not heard of yet
	early map[what]time.Time // guarded by mu; heard of and not seen yet
	took  []time.Duration    // guarded by mu
}

// what happened to a pod: it became ready or went.
type what struct {
	uid   string
	ready bool
}

func newDelays() *delays { return &delays{open: map[what]time.Time{}, early: map[what]time.Time{}} }

func (d *delays) seen(s sight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := what{s.uid, s.ready}
	if at, ok := d.early[w]; ok {
		delete(d.early, w)
		d.took = append(d.took, max(0, at.Sub(s.at)))
		return
	}
	d.open[w] = s.at
}

func (d *delays) heard(uid string, ready bool, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := what{uid, ready}
	if seen, ok := d.open[w]; ok {
		delete(d.open, w)
		d.took = append(d.took, at.Sub(seen))
		return
	}
	d.early[w] = at
}

// progress gives how many changes were heard of, and how many there were.
func (d *delays) progress() (int, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.took), len(d.took) + len(d.open)
}

func (d *delays) sorted() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(slices.Values(d.took))
}
