package flow

import "math"

// OpenEpoch ends the snapshot of a hop that has counted its last packet.
const OpenEpoch = math.MaxUint32

// Snapshot is what a hop had counted when each of the epochs From to To began. Epochs of a
// tuple begin at the same moments at all switches, so the snapshots of two hops of a direction
// for one epoch can be compared while packets pass.
type Snapshot struct {
	From, To uint32
	Packets  uint64
}

// Snapshots are the newest snapshots of a hop, oldest first.
type Snapshots []Snapshot

// KeptSnapshots is how many snapshots a hop has at most, and how many epochs back hops can be
// compared: switches report within an epoch of each other, and a digest list may be late.
const KeptSnapshots = 4

// With adds a snapshot, which is newer than the others, and forgets the oldest.
func (s Snapshots) With(n Snapshot) Snapshots {
	if len(s) > 0 && n.To <= s[len(s)-1].To || n.From > n.To {
		return s
	}
	if len(s) == KeptSnapshots {
		copy(s, s[1:])
		s = s[:KeptSnapshots-1]
	}
	return append(s, n)
}

// At gives the packets that were counted when an epoch began, if that is known.
func (s Snapshots) At(epoch uint32) (packets uint64, known bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].From <= epoch && epoch <= s[i].To {
			return s[i].Packets, true
		}
	}
	return 0, false
}
