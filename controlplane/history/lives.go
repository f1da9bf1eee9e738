package history

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// lives are those that a transaction touches. Its parts are read once, changed in memory, and written by save.
type lives struct {
	sql        *statements // the transaction's
	vocabulary vocabulary
	words      words
	services   map[inventory.Ref]int64 // lives of services, by transactions that were committed
	nextLife   int64

	packer    packer
	parts     map[place]*part
	last      map[int64]int64         // the last part of each life
	owners    map[int64]int64         // life by key
	named     map[inventory.Ref]int64 // what is to be added to services
	forgotten []inventory.Ref         // owners of which nothing is left
}

func (d *disk) lives(tx *sql.Tx) lives {
	return lives{sql: d.statements.in(tx), vocabulary: d.vocabulary, words: d.words, services: d.services, nextLife: d.nextLife,
		parts: map[place]*part{}, last: map[int64]int64{}, owners: map[int64]int64{}, named: map[inventory.Ref]int64{}}
}

// learn takes over the numbers that a committed transaction gave.
func (d *disk) learn(l *lives) {
	d.nextLife = l.nextLife
	maps.Copy(d.services, l.named)
}

// ownerOf gives the number of the life that r is part of, and whether there was something of it before.
func (l *lives) ownerOf(r inventory.Ref) (life int64, known bool, err error) {
	key := keyOf(ownerOf(r))
	if life, ok := l.owners[key]; ok {
		return life, true, nil
	}
	result, err := l.sql.newOwner.Exec(key, l.nextLife)
	if err != nil {
		return 0, false, err
	}
	fresh, err := result.RowsAffected()
	if err != nil {
		return 0, false, err
	}
	if fresh > 0 {
		life = l.nextLife
		l.nextLife++
	} else if err := l.sql.owner.QueryRow(key).Scan(&life); err != nil {
		return 0, false, err
	}
	l.owners[key] = life
	if fresh > 0 {
		l.last[life] = -1
	}
	return life, fresh == 0, nil
}

// service gives the number of the life of the service that a member is of.
func (l *lives) service(member inventory.Ref) (int64, error) {
	r := serviceOf(member)
	for _, known := range []map[inventory.Ref]int64{l.services, l.named} {
		if life, ok := known[r]; ok {
			return life, nil
		}
	}
	life, _, err := l.ownerOf(r)
	if err == nil {
		l.named[r] = life
	}
	return life, err
}

// load gives a part.
func (l *lives) load(at place) (*part, error) {
	if p, ok := l.parts[at]; ok {
		return p, nil
	}
	var data []byte
	if err := l.sql.part.QueryRow(at.life, at.part).Scan(&data); err != nil {
		return nil, fmt.Errorf("part %d of life %d: %w", at.part, at.life, err)
	}
	p, err := unpack(data, l.vocabulary)
	if err != nil {
		return nil, &damage{place: at, err: err}
	}
	if p.stored, err = l.spans(p); err != nil {
		return nil, err
	}
	p.sealed = p.expiry()
	l.parts[at] = p
	return p, nil
}

// lastPart gives the number of the last part of a life; -1 if it has none.
func (l *lives) lastPart(life int64) (int64, error) {
	last, ok := l.last[life]
	if ok {
		return last, nil
	}
	var number sql.NullInt64
	if err := l.sql.lastPart.QueryRow(life).Scan(&number); err != nil {
		return 0, err
	}
	if last = -1; number.Valid {
		last = number.Int64
	}
	l.last[life] = last
	return last, nil
}

// add puts a state at the end of a life, in a part with room.
func (l *lives) add(life int64, r inventory.Ref, s state) (row, error) {
	last, err := l.lastPart(life)
	if err != nil {
		return row{}, err
	}
	var p *part
	if last >= 0 {
		if p, err = l.load(place{life, last}); err != nil {
			return row{}, err
		}
	}
	if p == nil || p.full() {
		last++
		p = &part{}
		l.parts[place{life, last}], l.last[life] = p, last
	}
	return row{place: place{life, last}, index: p.add(r, s)}, nil
}

// overruleAll makes all intervals of an object hold by event time until just before event at most.
func (l *lives) overruleAll(r inventory.Ref, life, event int64) error {
	last, err := l.lastPart(life)
	if err != nil || last < 0 {
		return err
	}
	return l.overrule(r, place{life, last}, -1, event)
}

// overrule makes the intervals of an object that were recorded before one, the state of an index of a part, hold by event time
// until just before event at most: what was recorded later knows better. An interval holds until the next one begins or
// earlier, so those before one that begins earlier need no look. Index -1 means all of the part.
func (l *lives) overrule(r inventory.Ref, at place, index int, event int64) error {
	for ; at.part >= 0; at.part, index = at.part-1, -1 {
		p, err := l.load(at)
		if errors.Is(err, sql.ErrNoRows) {
			continue // past its retention
		}
		if err != nil {
			return err
		}
		if index < 0 {
			index = len(p.states)
		}
		object := slices.Index(p.objects, r)
		for i := index - 1; i >= 0; i-- {
			s := &p.states[i]
			if s.object != object {
				continue
			}
			if s.until > event {
				s.until, p.changed = event, true
			}
			if s.event <= event {
				return nil
			}
		}
	}
	return nil
}

// spans gives where the tree has a part.
func (l *lives) spans(p *part) ([]span, error) { return p.spans(l.service) }

// spans gives where the tree has a part: under the kind of its owner, and under each service that it has members of, of whose
// life service gives the number.
func (p *part) spans(service func(member inventory.Ref) (int64, error)) (spans []span, err error) {
	begin, until := p.cover()
	s := span{node: fork(begin, until), begin: begin, until: until}
	for _, r := range p.objects {
		s.scope = int64(codeOf(ownerOf(r).Kind))
		if !slices.Contains(spans, s) {
			spans = append(spans, s)
		}
		if r.Kind != inventory.KindMember {
			continue
		}
		life, err := service(r)
		if err != nil {
			return nil, err
		}
		if s.scope = firstService + life; !slices.Contains(spans, s) {
			spans = append(spans, s)
		}
	}
	return spans, nil
}

// save writes what was changed, in the order of the tables' keys.
func (l *lives) save() error {
	var inserts, deletes []located
	for _, at := range slices.SortedFunc(maps.Keys(l.parts), place.compare) {
		p := l.parts[at]
		if !p.changed {
			continue
		}
		spans, err := l.spans(p)
		if err != nil {
			return err
		}
		write := l.sql.updatePart
		if p.stored == nil {
			write = l.sql.insertPart
		}
		if _, err := write.Exec(at.life, at.part, l.packer.pack(p, l.words)); err != nil {
			return err
		}
		if err := l.seal(at, p); err != nil {
			return err
		}
		inserts, deletes = moved(inserts, at, spans, p.stored), moved(deletes, at, p.stored, spans)
		p.stored, p.changed = spans, false
	}
	for _, change := range []struct {
		by    *sql.Stmt
		spans []located
	}{{l.sql.deleteSpan, deletes}, {l.sql.insertSpan, inserts}} {
		slices.SortFunc(change.spans, located.compare)
		for _, s := range change.spans {
			if _, err := change.by.Exec(s.scope, s.node, s.begin, s.until, s.life, s.part); err != nil {
				return err
			}
		}
	}
	_, err := l.sql.numbering.Exec(l.nextLife)
	return err
}

// seal notes when the last state of a part ended, once all have; a part with room may go on after that.
func (l *lives) seal(at place, p *part) error {
	expiry := p.expiry()
	if p.sealed == expiry {
		return nil
	}
	if p.sealed != 0 {
		if _, err := l.sql.deleteEnded.Exec(p.sealed, at.life, at.part); err != nil {
			return err
		}
	}
	if p.sealed = expiry; expiry == 0 {
		return nil
	}
	_, err := l.sql.insertEnded.Exec(expiry, at.life, at.part)
	return err
}

// located is a span of a part.
type located struct {
	span
	place
}

// moved appends the spans that are not among the others.
func moved(to []located, at place, spans, others []span) []located {
	for _, s := range spans {
		if !slices.Contains(others, s) {
			to = append(to, located{s, at})
		}
	}
	return to
}

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.life, b.life), cmp.Compare(a.part, b.part))
}

func (a located) compare(b located) int {
	return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.node, b.node), cmp.Compare(a.begin, b.begin),
		cmp.Compare(a.until, b.until), a.place.compare(b.place))
}
