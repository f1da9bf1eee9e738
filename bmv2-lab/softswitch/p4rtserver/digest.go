package p4rtserver

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// digest is a digest as the P4Info declares it.
type digest struct {
	id   uint32
	name string
	data dataType
}

func (s *schema) bindDigests(sw *engine.Switch) error {
	names := s.digestNames(sw)
	for _, d := range s.info.GetDigests() {
		id, name, err := preamble("digest", d.GetPreamble())
		if err != nil {
			return err
		}
		inProgram, ok := names[name]
		if !ok {
			return disagree("the program has no digest %q", name)
		}
		fields, _ := sw.DigestFields(inProgram)
		t, err := s.resolveType(d.GetTypeSpec())
		if err != nil {
			return within(err, "digest %q", name)
		}
		if n := t.leaves(); n != len(fields) {
			return disagree("digest %q has %d values, and %d in the program", name, n, len(fields))
		}
		bound := &digest{id: id, name: name, data: t}
		s.digests[id], s.byDigest[inProgram] = bound, bound
	}
	return nil
}

// digestNames are the program's names of the P4Info's digests. Those of tuples, which have no
// name in P4, are numbered differently on the two sides, and in the same order.
func (s *schema) digestNames(sw *engine.Switch) map[string]string {
	names := map[string]string{}
	var ours []string
	theirs := sw.Digests()
	for _, d := range s.info.GetDigests() {
		name := d.GetPreamble().GetName()
		if i := slices.Index(theirs, name); i >= 0 {
			names[name] = name
			theirs = slices.Delete(theirs, i, i+1)
		} else {
			ours = append(ours, name)
		}
	}
	for i, name := range ours {
		if len(ours) == len(theirs) {
			names[name] = theirs[i]
		}
	}
	return names
}

// raised is a digest message on its way from the packets to its buffer.
type raised struct {
	pipeline *pipeline
	digest   *digest
	values   [][]byte
}

// key identifies a message by its values, whose lengths are part of it.
func (r raised) key() string {
	n := 0
	for _, v := range r.values {
		n += 4 + len(v)
	}
	b := make([]byte, 0, n)
	for _, v := range r.values {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
		b = append(b, v...)
	}
	return string(b)
}

// digester gathers digests and sends the lists. Messages that come faster than it works are
// dropped and counted; it drops those that nobody asked for and lists that no primary takes.
type digester struct {
	raised  chan raised
	changed chan struct{} // the deadlines may have changed
	send    func(*p4.DigestList) bool
	metrics *metrics
	clock   func() time.Time

	mu       sync.Mutex // guards the fields below
	pipeline *pipeline  // whose digests are taken
	buffers  map[uint32]*digestBuffer
}

func newDigester(queue int, send func(*p4.DigestList) bool, m *metrics) *digester {
	return &digester{
		raised: make(chan raised, queue), changed: make(chan struct{}, 1),
		send: send, metrics: m, clock: time.Now, buffers: map[uint32]*digestBuffer{},
	}
}

// offer takes a message from the packets' goroutine; it never blocks. The memory of the
// values is not kept.
func (g *digester) offer(p *pipeline, d engine.Digest) {
	bound := p.schema.byDigest[d.Name]
	if bound == nil {
		g.metrics.digestDrops.WithLabelValues("not_in_p4info").Inc()
		return
	}
	n := 0
	for _, v := range d.Values {
		n += len(v)
	}
	arena, values := make([]byte, 0, n), make([][]byte, len(d.Values))
	for i, v := range d.Values {
		at := len(arena)
		arena = append(arena, v...)
		values[i] = arena[at:len(arena):len(arena)]
	}
	select {
	case g.raised <- raised{p, bound, values}:
	default:
		g.metrics.digestDrops.WithLabelValues("queue_full").Inc()
	}
}

// run gathers until ctx ends.
func (g *digester) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-g.raised:
			g.gather(r)
		case <-g.changed:
		case <-timer.C:
		}
		if at, ok := g.pass(); ok {
			timer.Reset(max(at.Sub(g.clock()), 0))
		} else {
			timer.Stop()
		}
	}
}

// gather adds a message to its buffer, with those that wait behind it.
func (g *digester) gather(r raised) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	for n := len(g.raised); ; n-- {
		g.gatherOne(now, r)
		if n <= 0 {
			return
		}
		r = <-g.raised
	}
}

func (g *digester) gatherOne(now time.Time, r raised) {
	b := g.buffers[r.digest.id]
	if r.pipeline != g.pipeline || b == nil {
		g.metrics.digestDrops.WithLabelValues("not_enabled").Inc()
		return
	}
	key := r.key()
	if b.known(key) {
		g.metrics.digestDuplicates.Inc()
		return
	}
	data, _ := r.digest.data.encode(r.values)
	if b.add(now, key, data) {
		g.flush(now, r.digest.id, b)
	}
}

// flush sends a buffer's list. Called with mu.
func (g *digester) flush(now time.Time, id uint32, b *digestBuffer) {
	list, data := b.take(now)
	sent := g.send(&p4.DigestList{DigestId: id, ListId: list, Data: data, Timestamp: now.UnixNano()})
	if sent {
		g.metrics.digestsSent.Add(float64(len(data)))
		return
	}
	// Nobody will acknowledge it, and what is in it may be learned again.
	b.ack(list)
	g.metrics.digestDrops.WithLabelValues("no_receiver").Add(float64(len(data)))
}

// pass sends what is due, expires what is old and returns the next deadline.
func (g *digester) pass() (next time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	for id, b := range g.buffers {
		if b.due(now) {
			g.flush(now, id, b)
		}
		b.expire(now)
		if at, has := b.deadline(); has && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}

// poke makes run look at the deadlines again.
func (g *digester) poke() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// follow takes the digests of another pipeline, with its settings, and forgets all others.
func (g *digester) follow(p *pipeline) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pipeline = p
	clear(g.buffers)
	for id, c := range p.digests {
		s, err := newDigestSettings(c)
		if err == nil {
			g.buffers[id] = newDigestBuffer(s)
		}
	}
}

// configure turns a digest of the running pipeline on, or off if s is nil.
func (g *digester) configure(p *pipeline, id uint32, s *digestSettings) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p != g.pipeline {
		return // saved and not committed: follow reads the settings then
	}
	switch b := g.buffers[id]; {
	case s == nil:
		delete(g.buffers, id)
	case b == nil:
		g.buffers[id] = newDigestBuffer(*s)
	default:
		b.settings = *s
	}
	g.poke()
}

// ack handles a client's acknowledgement.
func (g *digester) ack(a *p4.DigestListAck) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipeline == nil || g.pipeline.schema.digests[a.GetDigestId()] == nil {
		return fail(codes.InvalidArgument, "acknowledgement: no digest has id %#x", a.GetDigestId())
	}
	if b := g.buffers[a.GetDigestId()]; b != nil {
		b.ack(a.GetListId())
	}
	g.poke()
	return nil
}

// forget empties the buffers and caches: the primary has changed, and the new one knows
// nothing of what was sent to the old one.
func (g *digester) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.buffers {
		b.lists = nil
		clear(b.unacked)
	}
}

func (p *pipeline) writeDigest(g *digester, op p4.Update_Type, e *p4.DigestEntry) error {
	if e.GetDigestId() == 0 {
		return fail(codes.InvalidArgument, "digest id is not set")
	}
	d := p.schema.digests[e.GetDigestId()]
	if d == nil {
		return fail(codes.NotFound, "no digest has id %#x", e.GetDigestId())
	}
	_, enabled := p.digests[d.id]
	switch {
	case op == p4.Update_INSERT && enabled:
		return fail(codes.AlreadyExists, "digest %q is enabled already", d.name)
	case op != p4.Update_INSERT && !enabled:
		return fail(codes.NotFound, "digest %q is not enabled", d.name)
	case op == p4.Update_DELETE:
		p.setDigest(g, d.id, nil)
		return nil
	}
	if _, err := newDigestSettings(e.GetConfig()); err != nil {
		return within(err, "digest %q", d.name)
	}
	p.setDigest(g, d.id, e.GetConfig())
	return nil
}

// setDigest enables a digest with a configuration that was checked, or disables it for nil.
func (p *pipeline) setDigest(g *digester, id uint32, c *p4.DigestEntry_Config) {
	old := p.digests[id]
	p.sw.Undo(func() { p.setDigest(g, id, old) })
	if c == nil {
		delete(p.digests, id)
		g.configure(p, id, nil)
		return
	}
	p.digests[id] = c
	s, _ := newDigestSettings(c)
	g.configure(p, id, &s)
}

func (p *pipeline) readDigest(e *p4.DigestEntry, out entities) error {
	if id := e.GetDigestId(); id != 0 && p.schema.digests[id] == nil {
		return fail(codes.NotFound, "no digest has id %#x", id)
	}
	for _, d := range p.schema.info.GetDigests() {
		id := d.GetPreamble().GetId()
		c, enabled := p.digests[id]
		if !enabled || e.GetDigestId() != 0 && e.GetDigestId() != id {
			continue
		}
		out.add(&p4.Entity{Entity: &p4.Entity_DigestEntry{DigestEntry: &p4.DigestEntry{DigestId: id, Config: c}}})
	}
	return nil
}
