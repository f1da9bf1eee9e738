package engine

import (
	"maps"
	"slices"
)

// SetPortsDown tells which ports are down; all others are up, and all are in the beginning. It
// may be called at any time by any goroutine. Frames are sent to ports that are down all the
// same, except by groups whose members watch them and by replicas with backups.
func (s *Switch) SetPortsDown(down map[uint32]bool) {
	down = maps.Clone(down)
	s.down.Store(&down)
	for _, p := range s.profiles {
		p.follow()
	}
}

// portsDown is what SetPortsDown was told.
func (s *Switch) portsDown() map[uint32]bool {
	if d := s.down.Load(); d != nil {
		return *d
	}
	return nil
}

// live is the replica or the backup that makes the copy.
func (r *Replica) live(down map[uint32]bool) *Replica {
	if !down[r.Port] {
		return r
	}
	for i := range r.Backups {
		if b := &r.Backups[i]; !down[b.Port] {
			return b
		}
	}
	return r
}

func cloneReplicas(list []Replica) []Replica {
	list = slices.Clone(list)
	for i := range list {
		list[i].Backups = cloneReplicas(list[i].Backups)
	}
	return list
}
