package flowcache

import (
	"context"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// counterReader reads cells of a switch's counters; *p4rt.Session is one.
type counterReader interface {
	Counters(ctx context.Context, name string, indices ...int64) ([]p4rt.Counter, error)
}

// rounds is how often the counters of a port are read for want of a moment in which its buckets
// stood still.
const rounds = 4

// readCounters reads the counters of ports. P4Runtime reads one counter after the other, and a frame of
// a bucket that comes in between would be counted in one of them alone, as a packet that nothing
// explains. So a port is read again until its buckets were the same before and after. One whose
// buckets never stand still is as it was last: what is off by then comes right with the next read.
func readCounters(ctx context.Context, r counterReader, ports []uint32) ([]track.PortCounters, error) {
	var read []track.PortCounters
	buckets, err := readBuckets(ctx, r, ports)
	if err != nil {
		return nil, err
	}
	for round := 1; len(ports) > 0; round++ {
		totals, err := readTotals(ctx, r, ports)
		if err != nil {
			return nil, err
		}
		after, err := readBuckets(ctx, r, ports)
		if err != nil {
			return nil, err
		}
		var moved []uint32
		for _, c := range totals {
			if after[c.Number] != buckets[c.Number] && round < rounds {
				moved = append(moved, c.Number)
				continue
			}
			c.Classes = after[c.Number]
			for _, b := range []inventory.Bucket{c.Classes.Fragment, c.Classes.Malformed, c.Classes.LLDP, c.Classes.Other} {
				c.Buckets.Add(flow.Counters{Packets: b.Packets, Bytes: b.Bytes})
			}
			read = append(read, c)
		}
		ports, buckets = moved, after
	}
	return read, nil
}

// readTotals reads of ports what they received and what they dropped for its TTL.
func readTotals(ctx context.Context, r counterReader, ports []uint32) ([]track.PortCounters, error) {
	indices := make([]int64, len(ports))
	for i, p := range ports {
		indices[i] = int64(p)
	}
	totals, err := r.Counters(ctx, p4src.CounterPort, indices...)
	if err != nil {
		return nil, err
	}
	expired, err := r.Counters(ctx, p4src.CounterExpired, indices...)
	if err != nil {
		return nil, err
	}
	drops := map[int64]inventory.Bucket{}
	for _, cell := range expired {
		drops[cell.Index] = inventory.Bucket{Packets: cell.Packets, Bytes: cell.Bytes}
	}
	read := make([]track.PortCounters, len(totals))
	for i, cell := range totals {
		read[i] = track.PortCounters{Number: uint32(cell.Index), Total: flow.Counters{Packets: cell.Packets, Bytes: cell.Bytes},
			Expired: drops[cell.Index]}
	}
	return read, nil
}

// readBuckets reads the buckets of ports.
func readBuckets(ctx context.Context, r counterReader, ports []uint32) (map[uint32]inventory.Buckets, error) {
	if len(ports) == 0 {
		return nil, nil // no indices would mean all of them
	}
	var indices []int64
	for _, p := range ports {
		for class := range int64(p4src.ClassesPerPort) {
			indices = append(indices, int64(p)*p4src.ClassesPerPort+class)
		}
	}
	cells, err := r.Counters(ctx, p4src.CounterClass, indices...)
	if err != nil {
		return nil, err
	}
	buckets := map[uint32]inventory.Buckets{}
	for _, cell := range cells {
		port := uint32(cell.Index / p4src.ClassesPerPort)
		of := buckets[port]
		if b := bucket(&of, p4src.Class(cell.Index%p4src.ClassesPerPort)); b != nil {
			*b = inventory.Bucket{Packets: cell.Packets, Bytes: cell.Bytes}
		}
		buckets[port] = of
	}
	return buckets, nil
}

// bucket is that of a class; nil where the program counts nothing.
func bucket(b *inventory.Buckets, class p4src.Class) *inventory.Bucket {
	switch class {
	case p4src.ClassFragment:
		return &b.Fragment
	case p4src.ClassMalformed:
		return &b.Malformed
	case p4src.ClassLLDP:
		return &b.LLDP
	case p4src.ClassOther:
		return &b.Other
	}
	return nil
}
