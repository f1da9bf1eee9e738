package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Sums guard what is read of a row, and not what leads to it: where a bit of the tree, of an owner or of an index is another, a row is
// not found, and an answer is short of it without a word. All of these follow from the rows. So once a day, a few rows
// at a time and mostly resting, it is looked whether they are as they have to be. What is not is mended, and reported.

const (
	firstAudit   = 5 * time.Minute // after the start
	auditEvery   = 24 * time.Hour
	auditedAtOne = 256 // rows of one look
	restAfter    = 20  // times as long as a look took
)

// suspect is a part of which something else in the file says what is not so.
type suspect struct {
	place
	span    *span // the tree's row that is wrong; nil if it is one that is missing
	ended   int64 // the second by which ended has it wrongly; 0 if that is right or missing
	flows   bool  // it is no part, but an index of the flow records
	because string
}

// audit looks through the file now and then until ctx ends.
func (s *Store) audit(ctx context.Context) {
	timer := time.NewTimer(firstAudit)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			s.auditAll(ctx, restAfter)
			timer.Reset(auditEvery)
		}
	}
}

// auditAll looks through the whole file once, and rests some times as long as each look took.
func (s *Store) auditAll(ctx context.Context, rest int) {
	begun, rows := time.Now(), 0
	for _, look := range []func(context.Context, *sql.Tx, *audit) error{auditParts, auditSpans, auditEnded, auditFlows} {
		for a := (&audit{disk: s.disk}); !a.done; {
			from := time.Now()
			err := s.lookOnce(ctx, a, look)
			if ctx.Err() != nil {
				return
			}
			if err = s.judge(err); err != nil {
				s.log.Error("the history cannot be looked through", "file", s.disk.path, "error", err)
				break
			}
			rows += a.rows
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(rest) * time.Since(from)):
			}
		}
	}
	s.log.Info("the history was looked through", "file", s.disk.path, "rows", rows, "took", time.Since(begun))
}

// audit is how far a table was looked through, and what was found in the last rows.
type audit struct {
	disk     *disk
	after    []any // key of the last row; nil before the first
	done     bool
	rows     int
	spoiled  []*damage
	suspects []suspect
}

// lookOnce takes a few rows, and hands what is wrong to the writer.
func (s *Store) lookOnce(ctx context.Context, a *audit, look func(context.Context, *sql.Tx, *audit) error) error {
	tx, err := s.disk.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	a.rows, a.spoiled, a.suspects = 0, nil, nil
	err = errors.Join(look(ctx, tx, a), tx.Rollback())
	for _, row := range a.spoiled {
		_ = s.judge(row) // which has it taken out
	}
	if len(a.suspects) > 0 {
		s.mu.Lock()
		s.suspects = append(s.suspects, a.suspects...)
		s.mu.Unlock()
		s.nudge()
	}
	return err
}

// part reads a part; gone says that there is none, or that it is damaged, which then is noted.
func (a *audit) part(ctx context.Context, tx *sql.Tx, at place) (p *part, gone bool, err error) {
	var data []byte
	err = tx.QueryRowContext(ctx, `SELECT states FROM life WHERE life = ? AND part = ?`, at.life, at.part).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	if p, err = unpack(data, a.disk.vocabulary); err != nil {
		a.spoiled = append(a.spoiled, &damage{place: at, err: err})
		return nil, true, nil
	}
	return p, false, nil
}

// spans gives where the tree has to have a part.
func (a *audit) spans(ctx context.Context, tx *sql.Tx, p *part) ([]span, error) {
	return p.spans(func(member inventory.Ref) (int64, error) { return lifeOf(ctx, tx, serviceOf(member)) })
}

// has says whether a row is there.
func has(ctx context.Context, tx *sql.Tx, query string, args ...any) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+query+`)`, args...).Scan(&n)
	return n == 1, err
}

// auditParts looks for parts that something does not lead to.
func auditParts(ctx context.Context, tx *sql.Tx, a *audit) error {
	places, err := a.next(ctx, tx, "life", "life", "part")
	if err != nil {
		return err
	}
	for _, key := range places {
		at := place{key[0], key[1]}
		p, gone, err := a.part(ctx, tx, at)
		if err != nil {
			return err
		}
		if gone {
			continue
		}
		why, err := a.unreachable(ctx, tx, at, p)
		if err != nil {
			return err
		}
		if why != "" {
			a.suspects = append(a.suspects, suspect{place: at, because: why})
		}
	}
	return nil
}

// unreachable says what does not lead to a part, if anything.
func (a *audit) unreachable(ctx context.Context, tx *sql.Tx, at place, p *part) (why string, err error) {
	for _, r := range p.objects {
		life, err := lifeOf(ctx, tx, ownerOf(r))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return "", err
		}
		if err != nil || life != at.life {
			return "its owner is not found by its name", nil
		}
	}
	spans, err := a.spans(ctx, tx, p)
	if errors.Is(err, sql.ErrNoRows) {
		return "a service that it has a member of is not found by its name", nil
	}
	if err != nil {
		return "", err
	}
	for _, s := range spans {
		there, err := has(ctx, tx, `span WHERE scope = ? AND node = ? AND begin = ? AND until = ? AND life = ? AND part = ?`,
			s.scope, s.node, s.begin, s.until, at.life, at.part)
		if err != nil || !there {
			return "the tree of times does not have it", err
		}
	}
	if expiry := p.expiry(); expiry != 0 {
		there, err := has(ctx, tx, `ended WHERE at = ? AND life = ? AND part = ?`, expiry, at.life, at.part)
		if err != nil || !there {
			return "it is not among what has ended", err
		}
	}
	return "", nil
}

// auditSpans looks for rows of the tree that lead to what is not there, or not then.
func auditSpans(ctx context.Context, tx *sql.Tx, a *audit) error {
	rows, err := a.next(ctx, tx, "span", "scope", "node", "begin", "until", "life", "part")
	if err != nil {
		return err
	}
	for _, key := range rows {
		at, s := place{key[4], key[5]}, span{scope: key[0], node: key[1], begin: key[2], until: key[3]}
		p, gone, err := a.part(ctx, tx, at)
		if err != nil {
			return err
		}
		var spans []span
		if !gone {
			if spans, err = a.spans(ctx, tx, p); errors.Is(err, sql.ErrNoRows) {
				continue // as auditParts has told
			} else if err != nil {
				return err
			}
		}
		if !slices.Contains(spans, s) {
			a.suspects = append(a.suspects, suspect{place: at, span: &s, because: "the tree of times has it where it is not"})
		}
	}
	return nil
}

// auditEnded looks for parts that would be deleted too early.
func auditEnded(ctx context.Context, tx *sql.Tx, a *audit) error {
	rows, err := a.next(ctx, tx, "ended", "at", "life", "part")
	if err != nil {
		return err
	}
	for _, key := range rows {
		at := place{key[1], key[2]}
		p, gone, err := a.part(ctx, tx, at)
		if err != nil {
			return err
		}
		if gone || p.expiry() != key[0] {
			a.suspects = append(a.suspects, suspect{place: at, ended: key[0], because: "it is said to have ended when it did not"})
		}
	}
	return nil
}

// auditFlows looks for flow records that are damaged, or that an index does not have.
func auditFlows(ctx context.Context, tx *sql.Tx, a *audit) error {
	rows, err := a.next(ctx, tx, "flow_record", "id", "event_ns", "commit_ns", "last_ns")
	if err != nil {
		return err
	}
	a.after = a.after[:min(1, len(a.after))] // the others are no key
	for _, key := range rows {
		var r flowRow
		if err := tx.QueryRowContext(ctx, selectFlow+`WHERE id = ?`, key[0]).Scan(r.into(&r.text)...); err != nil {
			return err
		}
		if _, err := r.decode(); err != nil {
			a.spoiled = append(a.spoiled, &damage{flow: key[0], err: err})
			continue
		}
		for i, index := range []string{"event", "commit", "last"} {
			there, err := has(ctx, tx, `flow_record INDEXED BY flow_record_by_`+index+` WHERE `+index+`_ns = ? AND id = ?`, key[i+1], key[0])
			if err != nil {
				return err
			}
			if !there {
				a.suspects = append(a.suspects, suspect{flows: true, because: fmt.Sprintf("flow record %d is not found by its time", key[0])})
			}
		}
	}
	return nil
}

// next gives numbers of the next rows of a table, in the order of the first ones, its key.
func (a *audit) next(ctx context.Context, tx *sql.Tx, table string, columns ...string) (rows [][]int64, err error) {
	key := columns
	if table == "flow_record" {
		key = columns[:1]
	}
	query := `SELECT ` + strings.Join(columns, ", ") + ` FROM ` + table
	if len(a.after) > 0 {
		query += ` WHERE (` + strings.Join(key, ", ") + `) > (` + strings.Repeat("?, ", len(key)-1) + "?" + `)`
	}
	found, err := tx.QueryContext(ctx, query+` ORDER BY `+strings.Join(key, ", ")+fmt.Sprintf(` LIMIT %d`, auditedAtOne), a.after...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		numbers, into := make([]int64, len(columns)), make([]any, len(columns))
		for i := range numbers {
			into[i] = &numbers[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		rows = append(rows, numbers)
	}
	if a.rows, a.done = len(rows), len(rows) < auditedAtOne; len(rows) > 0 {
		a.after = a.after[:0]
		for _, n := range rows[len(rows)-1] {
			a.after = append(a.after, n)
		}
	}
	return rows, found.Err()
}
