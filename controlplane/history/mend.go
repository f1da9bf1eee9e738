package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// mend makes what leads to parts what it has to be, and says so. Suspects were found in what the file had a moment ago: what is
// wrong is looked at again.
func (s *Store) mend(suspects []suspect) error {
	if len(suspects) == 0 {
		return nil
	}
	mended, err := s.disk.mend(suspects)
	if err != nil {
		return fmt.Errorf("mend: %w", err)
	}
	for _, x := range mended {
		s.log.Error("what leads to a row of the history was damaged, and is mended; answers since then may have been short of it",
			"file", s.disk.path, "life", x.life, "part", x.part, "why", x.because)
	}
	if len(mended) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mended += uint64(len(mended))
	s.damage = fmt.Errorf("%w: what leads to rows was damaged at %d places and is mended, the last: part %d of life %d: %s",
		ErrCorrupt, s.mended, mended[len(mended)-1].part, mended[len(mended)-1].life, mended[len(mended)-1].because)
	return nil
}

// mend mends, all of it or nothing, and gives those of which something was wrong still.
func (d *disk) mend(suspects []suspect) (mended []suspect, err error) {
	tx, err := d.writer.Begin()
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	indexed := false
	for _, x := range suspects {
		var wrong bool
		switch {
		case x.flows && indexed:
			continue
		case x.flows:
			indexed, wrong = true, true
			_, err = tx.Exec(`REINDEX flow_record`)
		default:
			wrong, err = d.mendPart(tx, x)
		}
		if err != nil {
			return nil, err
		}
		if wrong {
			mended = append(mended, x)
		}
	}
	return mended, tx.Commit()
}

// mender makes changes to what leads to one part, until one fails.
type mender struct {
	tx      *sql.Tx
	changed bool
	err     error
}

func (m *mender) do(text string, args ...any) {
	if m.err != nil {
		return
	}
	result, err := m.tx.Exec(text, args...)
	if m.err = err; err == nil {
		n, _ := result.RowsAffected() // SQLite knows
		m.changed = m.changed || n > 0
	}
}

// mendPart mends what leads to one part, and says whether something was wrong. Where a service is not found by its name, it cannot be
// mended before that is.
func (d *disk) mendPart(tx *sql.Tx, x suspect) (wrong bool, err error) {
	p := &part{}
	var data []byte
	switch err := tx.QueryRow(`SELECT states FROM life WHERE life = ? AND part = ?`, x.life, x.part).Scan(&data); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return false, err
	default:
		if p, err = unpack(data, d.vocabulary); err != nil {
			return false, nil // it is to be taken out
		}
	}
	m := mender{tx: tx}
	for _, r := range p.objects {
		m.do(`INSERT INTO owner VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET life = ?2 WHERE life <> ?2`, keyOf(ownerOf(r)), x.life)
		delete(d.services, ownerOf(r))
	}
	var spans []span
	expiry := int64(0)
	if len(p.objects) > 0 && m.err == nil {
		expiry = p.expiry()
		spans, err = p.spans(func(member inventory.Ref) (int64, error) { return lifeOf(context.Background(), tx, serviceOf(member)) })
		if errors.Is(err, sql.ErrNoRows) {
			return true, nil
		}
	}
	if err != nil || m.err != nil {
		return false, errors.Join(err, m.err)
	}
	m.lead(x, spans, expiry)
	return m.changed, m.err
}

// lead brings the rows of the tree and of what has ended to what they have to be.
func (m *mender) lead(x suspect, spans []span, expiry int64) {
	if x.span != nil && !slices.Contains(spans, *x.span) {
		m.do(`DELETE FROM span WHERE scope = ? AND node = ? AND begin = ? AND until = ? AND life = ? AND part = ?`,
			x.span.scope, x.span.node, x.span.begin, x.span.until, x.life, x.part)
	}
	for _, s := range spans {
		m.do(`INSERT OR IGNORE INTO span VALUES (?, ?, ?, ?, ?, ?)`, s.scope, s.node, s.begin, s.until, x.life, x.part)
	}
	if x.ended != 0 && x.ended != expiry {
		m.do(`DELETE FROM ended WHERE at = ? AND life = ? AND part = ?`, x.ended, x.life, x.part)
	}
	if expiry != 0 {
		m.do(`INSERT OR IGNORE INTO ended VALUES (?, ?, ?)`, expiry, x.life, x.part)
	}
}
