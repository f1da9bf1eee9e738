package track

// gap is a run of generations of one slot that went unreported.
type gap struct {
	slot        uint32
	first, last uint16
	generations uint16 // of these, the others were read out
	unfinished  bool   // something was known of it, and its last report did not come
	flow        uint32 // of an unfinished one, as the receiver of the deltas calls it
	at          uint64 // switch time when that became known
}
