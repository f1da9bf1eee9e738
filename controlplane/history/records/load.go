package records

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// loadSegments finds the segments, takes away what a kill has left, and isolates what is damaged.
func (s *Store) loadSegments() error {
	entries, err := os.ReadDir(s.path(segmentDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := s.path(segmentDir, e.Name())
		switch {
		case strings.HasSuffix(e.Name(), newSuffix):
			s.log.Info("segment was not finished; its records are in the log", "file", path)
			if err := os.Remove(path); err != nil {
				return err
			}
		case strings.HasSuffix(e.Name(), segmentSuffix):
			g, err := openSegment(path)
			if errors.Is(err, ErrCorrupt) {
				if err := s.isolate(path, err); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			s.segments = append(s.segments, g)
		}
	}
	return s.dropCovered()
}

// dropCovered deletes segments whose batches are all in another: compaction was killed before it could.
func (s *Store) dropCovered() error {
	slices.SortFunc(s.segments, func(a, b *segment) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last))
	})
	kept := s.segments[:0]
	for _, g := range s.segments {
		if n := len(kept); n > 0 && g.last <= kept[n-1].last {
			s.log.Info("segment was compacted before; deleting it", "file", g.path)
			if err := os.Remove(g.path); err != nil {
				return err
			}
			continue
		}
		kept = append(kept, g)
		s.number = max(s.number, g.last)
	}
	s.segments = kept
	return nil
}

// isolate moves a damaged file to quarantine.
func (s *Store) isolate(path string, why error) error {
	to := s.path(quarantineDir, filepath.Base(path))
	if err := os.Rename(path, to); err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	s.log.Error("damaged file is isolated; its records are missing", "file", path, "now", to, "error", why)
	s.isolated = append(s.isolated, to)
	return nil
}

// replay reads the log: what is in no segment is the head.
func (s *Store) replay() error {
	stored := s.number
	in := newInterner()
	var d *batchDecoder
	found, err := replay(s.path(walDir), func() { d = newBatchDecoder(in) }, func(payload []byte) error {
		if len(payload) > 0 && (payload[0] == totalsVersion || payload[0] == totalsVersion2) {
			all, err := d.totals(payload)
			if err == nil {
				s.totals = all
			}
			return err
		}
		number, batch, err := d.batch(payload)
		switch {
		case err != nil:
			return err
		case number <= s.number && number > stored: // written twice, after a failure
		case number > stored:
			of := s.totalsOf(batch)
			s.enter(number, s.batches.batch(number, batch, of), batch, of) // whatever version the log is of
			s.number = number
		default:
			for i, t := range s.totalsOf(batch) { // it is in a segment
				t.add(&batch[i])
			}
		}
		return nil
	})
	s.batches.begin() // the log's next file has none of these
	if err != nil {
		return err
	}
	if s.head.records > 0 {
		s.log.Info("flow records are read back from the log", "records", s.head.records)
	}
	return s.reportDamage(found)
}

// reportDamage says what of the log could not be read, and keeps a copy of what may be worth a look.
func (s *Store) reportDamage(found []damage) error {
	for _, d := range found {
		if d.torn {
			s.log.Warn("the log ends within a batch, which was not acknowledged if the daemon was killed then; what was before it is whole", "file", d.file)
			continue
		}
		to := s.path(quarantineDir, "wal-"+filepath.Base(d.file))
		if err := os.Link(d.file, to); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("isolate: %w", err)
		}
		s.log.Error("a file of the log is damaged; the batches behind the damage are missing", "file", d.file, "copy", to, "error", d.err)
		s.isolated = append(s.isolated, to)
	}
	return nil
}
