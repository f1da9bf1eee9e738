package p4rt

import (
	"time"

	"google.golang.org/grpc/codes"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// A switch remembers the highest election id that it was ever given, and no controller with a
// lower one becomes primary, even when there is no other (P4Runtime 1.4, section 5.3). The high
// half of an id is the configured one, so that of two controllers the preferred one wins; the low
// half is the time, so that of two connections of one controller the later one does. When the
// primary is gone a backup borrows its high half and goes beyond its low half: the preferred
// controller is still preferred when it comes back, by its later time.

// bid is the election id that a connection begins with.
func (s *Session) bid() *p4v1.Uint128 {
	if b := s.borrowed; b != nil {
		// Above our own last connection, of which the switch may not have noticed that it is
		// dead, and below whoever has become primary since.
		s.borrowed = &p4v1.Uint128{High: b.High, Low: b.Low + 1}
		return s.borrowed
	}
	return &p4v1.Uint128{High: s.cfg.ElectionID, Low: uint64(time.Now().UnixNano())}
}

// outbid raises the election id over the highest that there was when the switch says that its
// owner is gone (NOT_FOUND: there is no primary). By how much makes the backup that is configured
// with the highest id win, whichever is first.
func (s *Session) outbid(c *connection, a *p4v1.MasterArbitrationUpdate) bool {
	highest, own := a.GetElectionId(), c.election.Load()
	if a.GetStatus().GetCode() != int32(codes.NotFound) || !less(own, highest) {
		return false
	}
	next := &p4v1.Uint128{High: highest.GetHigh(), Low: highest.GetLow() + s.cfg.ElectionID}
	c.election.Store(next)
	if s.borrowed = nil; next.High > s.cfg.ElectionID {
		s.borrowed = next
	}
	return true
}

// less compares election ids.
func less(a, b *p4v1.Uint128) bool {
	return a.GetHigh() < b.GetHigh() || a.GetHigh() == b.GetHigh() && a.GetLow() < b.GetLow()
}
