package history

import (
	"context"
	"database/sql"
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

// packed are parts as they were read, one behind the other.
type packed struct {
	places []place
	ends   []int // of each, in data
	data   []byte
}

// add copies a part behind the others.
func (p *packed) add(at place, data []byte) {
	p.places, p.data = append(p.places, at), append(p.data, data...)
	p.ends = append(p.ends, len(p.data))
}

// each gives the parts.
func (p *packed) each(yield func(at place, data []byte) bool) {
	begin := 0
	for i, at := range p.places {
		if !yield(at, p.data[begin:p.ends[i]]) {
			return
		}
		begin = p.ends[i]
	}
}

func (p *packed) reset() { p.places, p.ends, p.data = p.places[:0], p.ends[:0], p.data[:0] }

// choice says which states of parts are looked for.
type choice struct {
	holds func(*state) bool
	of    func(inventory.Kind) bool // nil for every kind
	is    func(inventory.Ref) bool
}

// scan reads the parts that a question finds, decodes on all processors the states of them that are chosen, and gives them
// one by one, in no certain order. The text of a state is not kept.
func (d *disk) scan(ctx context.Context, q querier, what question, chosen choice, each func(*found)) error {
	group, ctx := errgroup.WithContext(ctx)
	work, free := make(chan *packed, runtime.GOMAXPROCS(0)), make(chan *packed, 2*runtime.GOMAXPROCS(0))
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
				select {
				case free <- parts:
				default:
				}
				mu.Lock()
				for _, row := range spoiled {
					what.spoiled(row)
				}
				for i := range some {
					each(&some[i])
				}
				mu.Unlock()
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(work)
		return readParts(ctx, q, what, func(parts *packed) (*packed, error) {
			select {
			case work <- parts:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			select {
			case next := <-free:
				return next, nil
			default:
				return &packed{}, nil
			}
		})
	})
	return group.Wait()
}

// readParts gives the parts that a question finds, some at a time. What give returns is for the next ones.
func readParts(ctx context.Context, q querier, what question, give func(*packed) (*packed, error)) error {
	rows, err := q.QueryContext(ctx, what.text, what.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	some := &packed{}
	var at place
	var data sql.RawBytes
	into := []any{&at.life, &at.part, &data}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		some.add(at, data)
		if len(some.places) < scanned {
			continue
		}
		if some, err = give(some); err != nil {
			return err
		}
		some.reset()
	}
	if err := rows.Err(); err != nil || len(some.places) == 0 {
		return err
	}
	_, err = give(some)
	return err
}

// decode appends the states of parts that are chosen, and gives the parts that are damaged, of which it appends none.
func (u *unpacker) decode(parts *packed, chosen choice, to []found) (_ []found, spoiled []*damage) {
	for at, data := range parts.each {
		whole, err := u.decodePart(at, data, chosen, to)
		if err != nil {
			spoiled = append(spoiled, &damage{place: at, err: err})
			continue
		}
		to = whole
	}
	return to, spoiled
}

func (u *unpacker) decodePart(at place, data []byte, chosen choice, to []found) ([]found, error) {
	if err := u.times(data); err != nil {
		return nil, err
	}
	if !u.p.some(chosen.holds) {
		return to, nil // the facts need not be read
	}
	if err := u.body(); err != nil {
		return nil, err
	}
	for i := range u.p.states {
		s := &u.p.states[i]
		if !chosen.holds(s) || chosen.of != nil && !chosen.of(u.named[s.object].kind) {
			continue
		}
		ref := u.ref(s.object)
		if !chosen.is(ref) {
			continue
		}
		fact, err := decode(ref.Kind, s.text)
		if err != nil {
			return nil, fmt.Errorf("state %d of %v: %w", i, ref, err)
		}
		f := found{state: *s, place: at, index: i, ref: ref, fact: fact}
		if f.text = nil; u.sums {
			f.sum = sumOf(s.text)
		}
		to = append(to, f)
	}
	return to, nil
}
