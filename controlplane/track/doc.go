// Package track turns what switches report of their flow caches into exact records, and
// joins those of both directions and all hops into conversations.
//
// A switch counts every packet in exactly one generation of one slot. Its reports give the
// counters of a generation since it began, so a ledger per switch needs only the newest
// report of each generation: the difference to the one before is added to the hop, a report
// that comes twice adds nothing, and a generation that is missing in the chain is a lost
// digest that can be counted.
//
//	reports ─> ledger (slot, generation) ─> hop (port, outer, tuple) ─> conversation
//	              │ silent slots
//	              └─> read-out requests ─> switch
package track
