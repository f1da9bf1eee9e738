package engine

import "slices"

// journal is how to take back what the control plane has changed, the first change first.
// From Begin to Commit there is one writer, who is also the one to call these methods.
type journal struct{ undo []func() }

// Begin starts to remember how to take back what methods of the switch and of its objects
// change.
func (s *Switch) Begin() { s.journal.Store(&journal{}) }

// Commit forgets how to take back what was changed since Begin.
func (s *Switch) Commit() { s.journal.Store(nil) }

// Rollback takes back everything that was changed since Begin, the last change first. What
// packets have counted meanwhile stays counted; packets that run meanwhile see the steps.
func (s *Switch) Rollback() {
	j := s.journal.Swap(nil)
	for _, undo := range slices.Backward(j.undo) {
		undo()
	}
	s.journal.Store(&journal{})
}

// Undo adds a step to what Rollback takes back: for callers that keep something beside the
// switch. Without Begin it does nothing.
func (s *Switch) Undo(step func()) {
	if j := s.journal.Load(); j != nil {
		j.undo = append(j.undo, step)
	}
}

// undoing says whether Undo remembers.
func (s *Switch) undoing() bool { return s.journal.Load() != nil }
