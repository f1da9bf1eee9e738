package main

import (
	"context"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// minimiser makes a trial smaller as long as it shows a difference of the same kind.
type minimiser struct {
	pair  *pair
	kind  string
	left  int // trials that may still be run
	until time.Time
}

// The search is bounded in trials and in time.
const (
	maxTrials   = 600
	maxDuration = time.Minute
)

func minimise(ctx context.Context, x *pair, t trial, d *difference) trial {
	m := &minimiser{pair: x, kind: d.kind, left: maxTrials, until: time.Now().Add(maxDuration)}
	if d.packet >= 0 {
		t.packets = t.packets[:d.packet+1]
	}
	t.packets = shrink(t.packets, func(p []packet) bool { return m.fails(ctx, trial{t.setup, p}) })
	t.setup = shrink(t.setup, func(s []setup) bool { return m.fails(ctx, trial{s, t.packets}) })
	for i := range t.packets {
		m.packet(ctx, &t, i)
	}
	return t
}

// fails says whether a trial still shows it.
func (m *minimiser) fails(ctx context.Context, t trial) bool {
	if m.left == 0 || ctx.Err() != nil || time.Now().After(m.until) {
		return false
	}
	m.left--
	d, err := m.pair.run(ctx, t)
	return err == nil && d != nil && d.kind == m.kind
}

// shrink drops elements that are not needed: halves first, then smaller runs, then single ones.
func shrink[T any](list []T, fails func([]T) bool) []T {
	for size := max(1, len(list)/2); ; size /= 2 {
		for at := len(list) - size; at > -size; at -= size {
			from := max(at, 0)
			without := slices.Delete(slices.Clone(list), from, min(from+size, len(list)))
			if len(without) < len(list) && fails(without) {
				list = without
			}
		}
		if size <= 1 {
			return list
		}
	}
}

// packet makes one packet shorter and its bytes zero.
func (m *minimiser) packet(ctx context.Context, t *trial, i int) {
	try := func(frame []byte) bool {
		if len(frame) < rig.MinFrame {
			return false
		}
		packets := slices.Clone(t.packets)
		packets[i].frame = frame
		if !m.fails(ctx, trial{t.setup, packets}) {
			return false
		}
		t.packets = packets
		return true
	}
	for size := len(t.packets[i].frame) / 2; size > 0; size /= 2 {
		for f := t.packets[i].frame; try(f[:max(0, len(f)-size)]); {
			f = t.packets[i].frame
		}
	}
	for size := 16; size > 0; size /= 4 {
		for at := 0; at < len(t.packets[i].frame); at += size {
			f := slices.Clone(t.packets[i].frame)
			part := f[at:min(at+size, len(f))]
			if slices.ContainsFunc(part, func(b byte) bool { return b != 0 }) {
				clear(part)
				try(f)
			}
		}
	}
}
