package history

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// scanned is how many parts are decoded in one piece of work.
const scanned = 256

// found is a state that was looked for.
type found struct {
	state
	place
	index int
	ref   inventory.Ref
	fact  inventory.Fact
	sum   sum // where the scan is for sums
}

func (f *found) entry() inventory.Entry {
	return inventory.Entry{Fact: f.fact, Event: moment(f.event), Commit: moment(f.commit)}
}

// packed is a part as it was read.
type packed struct {
	place
	data []byte
}

// choice says which states of parts are looked for.
type choice struct {
	holds func(*state) bool
	is    func(inventory.Ref) bool
}

// scan reads the parts that a question finds, decodes on all processors the states of them that are chosen, and gives them
// one by one, in no certain order. The text of a state is not kept.
func (d *disk) scan(ctx context.Context, q querier, what question, chosen choice, each func(found)) error {
	group, ctx := errgroup.WithContext(ctx)
	work := make(chan []packed, runtime.GOMAXPROCS(0))
	var mu sync.Mutex // held to call each and spoiled
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			u := unpacker{vocabulary: d.vocabulary, sums: what.sums}
			var some []found
			for parts := range work {
				var spoiled []*damage
				some, spoiled = u.decode(parts, chosen, some[:0])
				if len(spoiled) > 0 && what.spoiled == nil {
					return spoiled[0]
				}
				mu.Lock()
				for _, row := range spoiled {
					what.spoiled(row)
				}
				for _, f := range some {
					each(f)
				}
				mu.Unlock()
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(work)
		return readParts(ctx, q, what, func(parts []packed) error {
			select {
			case work <- parts:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	return group.Wait()
}

// readParts gives the parts that a question finds, some at a time.
func readParts(ctx context.Context, q querier, what question, give func([]packed) error) error {
	rows, err := q.QueryContext(ctx, what.text, what.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var some []packed
	for rows.Next() {
		var p packed
		if err := rows.Scan(&p.life, &p.part, &p.data); err != nil {
			return err
		}
		if some = append(some, p); len(some) == scanned {
			if err := give(some); err != nil {
				return err
			}
			some = nil
		}
	}
	if err := rows.Err(); err != nil || len(some) == 0 {
		return err
	}
	return give(some)
}

// decode appends the states of parts that are chosen, and gives the parts that are damaged, of which it appends none.
func (u *unpacker) decode(parts []packed, chosen choice, to []found) (_ []found, spoiled []*damage) {
	for _, each := range parts {
		whole, err := u.decodePart(each, chosen, to)
		if err != nil {
			spoiled = append(spoiled, &damage{place: each.place, err: err})
			continue
		}
		to = whole
	}
	return to, spoiled
}

func (u *unpacker) decodePart(each packed, chosen choice, to []found) ([]found, error) {
	if err := u.times(each.data); err != nil {
		return nil, err
	}
	if !u.p.some(chosen.holds) {
		return to, nil // the facts need not be read
	}
	p, err := u.facts()
	if err != nil {
		return nil, err
	}
	for i := range p.states {
		s := &p.states[i]
		ref := p.objects[s.object]
		if !chosen.holds(s) || !chosen.is(ref) {
			continue
		}
		fact, err := decode(ref.Kind, s.text)
		if err != nil {
			return nil, fmt.Errorf("state %d of %v: %w", i, ref, err)
		}
		f := found{state: *s, place: each.place, index: i, ref: ref, fact: fact}
		if f.text = nil; u.sums {
			f.sum = sumOf(s.text)
		}
		to = append(to, f)
	}
	return to, nil
}
