package gnmi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// hub reads the changes of the source once and passes each to those who asked for it. Subscribers who asked for the
// same are a group and share a log, in which each change is encoded once.
type hub struct {
	source  Source
	metrics *metrics
	behind  uint64       // changes that a member may have left to read, or objects of which it has
	merged  atomic.Int64 // objects in the backlogs of all members
	merging atomic.Int64 // members with backlogs
	owed    owed         // what the backlogs take

	behindBytes int64 // that the changes left to a member may take

	mu     sync.Mutex
	moved  sync.Cond             // on mu: view or closed changed
	view   inventory.View        // guarded by mu; the state that all logs lead to; nil before run
	commit time.Time             // guarded by mu; when the newest of view was known
	closed bool                  // guarded by mu
	groups map[string]*group     // guarded by mu; by key
	wants  map[interest][]*group // guarded by mu; the groups that want what is there
	turn   uint64                // guarded by mu; of the update that is passed on
}

// interest is a place where a group wants changes; a stretch, of one kind.
type interest struct {
	kind    inventory.Kind
	cluster string
	any     bool // any cluster
	id      string
}

func newHub(source Source, m *metrics, behind, behindBytes int) *hub {
	h := &hub{source: source, metrics: m, behind: uint64(behind), behindBytes: int64(behindBytes), groups: map[string]*group{}, wants: map[interest][]*group{}}
	h.moved.L = &h.mu
	return h
}

// run passes changes on until ctx ends or the source does.
func (h *hub) run(ctx context.Context) error {
	view, feed := h.source.Follow()
	defer feed.Close()
	commit := newest(view)
	h.mu.Lock()
	h.view, h.commit = view, commit
	h.moved.Broadcast()
	h.mu.Unlock()
	defer h.close()
	for {
		updates, view, err := feed.NextView(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, history.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("gnmi: follow the changes: %w", err)
		}
		h.pass(updates, view)
	}
}

// close ends every subscription that waits for changes.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.moved.Broadcast()
	for _, g := range h.groups {
		for m := range g.members {
			m.leave(errStops())
		}
	}
}

func (h *hub) pass(updates []inventory.Update, view inventory.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range updates {
		h.turn++
		var c *change
		h.interested(u.Ref, func(g *group) {
			if g.turn == h.turn { // it has asked in several ways
				return
			}
			if g.turn = h.turn; c == nil {
				c = &change{Update: u}
			}
			g.add(c, h.behind, h.behindBytes)
		})
	}
	h.view, h.commit = view, updates[len(updates)-1].Commit
	h.moved.Broadcast()
}

// newest gives the latest commit time of what there is.
func newest(view inventory.View) time.Time {
	var t time.Time
	for _, k := range fabricKinds() {
		for e := range view.All(k.fact) {
			if e.Commit.After(t) {
				t = e.Commit
			}
		}
	}
	return t
}

// interested yields the groups that want the changes of an object, some twice. h.mu is held.
func (h *hub) interested(r inventory.Ref, yield func(*group)) {
	look := func(id string) {
		for _, g := range h.wants[interest{kind: r.Kind, cluster: r.Cluster, id: id}] {
			yield(g)
		}
		if r.Cluster != "" {
			for _, g := range h.wants[interest{kind: r.Kind, any: true, id: id}] {
				yield(g)
			}
		}
	}
	look("")
	for i := range len(r.ID) {
		// What the first keys of a kind lead to ends with one of these.
		if c := r.ID[i]; (c == '/' || c == '>') && i+1 < len(r.ID) {
			look(r.ID[:i+1])
		}
	}
	look(r.ID)
}

// start is where a member begins: the state before its first change, and when the newest of that was known.
type start struct {
	view   inventory.View
	commit time.Time
}

// join makes a subscriber of the parts that want changes. It begins with not less than the source had at the call.
func (h *hub) join(ctx context.Context, parts []*part) (*member, start, error) {
	if err := h.reach(ctx, h.source.Now().Version()); err != nil {
		return nil, start{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	g := h.group(parts)
	m := newMember(h, g)
	g.members[m] = struct{}{}
	if h.closed {
		m.leave(errStops())
	}
	return m, start{h.view, h.commit}, nil
}

// reach waits until the changes up to a version were passed on.
func (h *hub) reach(ctx context.Context, version uint64) error {
	stop := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.moved.Broadcast()
	})
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.closed && ctx.Err() == nil && (h.view == nil || h.view.Version() < version) {
		h.moved.Wait()
	}
	switch {
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case h.closed:
		return errStops()
	}
	return nil
}

// group gives the group that wants the parts. h.mu is held.
func (h *hub) group(parts []*part) *group {
	key := groupKey(parts)
	if g, ok := h.groups[key]; ok {
		return g
	}
	g := &group{key: key, parts: parts, metrics: h.metrics, members: map[*member]struct{}{}, newest: &link{}}
	h.groups[key] = g
	for _, i := range g.interests() {
		h.wants[i] = append(h.wants[i], g)
	}
	return g
}

// leave is the reverse of join.
func (h *hub) leave(m *member) {
	defer m.drop()
	h.mu.Lock()
	defer h.mu.Unlock()
	g := m.group
	delete(g.members, m)
	if len(g.members) > 0 {
		return
	}
	delete(h.groups, g.key)
	for _, i := range g.interests() {
		h.wants[i] = slices.DeleteFunc(h.wants[i], func(o *group) bool { return o == g })
		if len(h.wants[i]) == 0 {
			delete(h.wants, i)
		}
	}
}

// now gives the state that the member's log leads to, and what the member has not read.
func (h *hub) now(m *member) (batch, inventory.View) {
	h.mu.Lock()
	defer h.mu.Unlock() // nothing is added meanwhile
	return m.takeAll(h.view), h.view
}

// backlogs is how many times the limit of one member the backlogs of all may hold.
const backlogs = 4

// crowds says whether the backlogs of all hold too much, and one of so many bytes has more than its share of it.
func (h *hub) crowds(bytes int64) bool {
	return h.owed.all() > backlogs*h.behindBytes && bytes*max(h.merging.Load(), 1) >= h.owed.alone.Load()
}

// size is how many groups there are.
func (h *hub) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.groups)
}

// lag is how many changes the slowest member has not read; of those that were merged each object counts once.
func (h *hub) lag() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	most := uint64(0)
	for _, g := range h.groups {
		for m := range g.members {
			most = max(most, g.newest.number-m.read.Load().number+uint64(m.merged.Load()))
		}
	}
	return most
}

// groupKey is equal for parts that give the same. Heartbeats are everybody's own.
func groupKey(parts []*part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%s\x00%d", p.answer.key(), p.choice)
		for _, r := range p.paths {
			b.WriteString("\x00" + r.text)
		}
		b.WriteString("\x01")
	}
	return b.String()
}

func errStops() error { return status.Error(codes.Unavailable, "the server stops") }

func errBehind(limit uint64) error {
	return status.Errorf(codes.ResourceExhausted, "the subscriber is more than %d changes behind (gnmi.max-behind)", limit)
}

func errHeavy(limit int64) error {
	return status.Errorf(codes.ResourceExhausted, "the changes that wait for the subscriber take more than %d bytes (gnmi.max-behind-bytes)", limit)
}

func errCrowd(limit int64) error {
	return status.Errorf(codes.ResourceExhausted, "the changes that wait for all subscribers together take more than %d bytes, and this one has a large part in it "+
		"(%d times gnmi.max-behind-bytes)", limit, backlogs)
}
