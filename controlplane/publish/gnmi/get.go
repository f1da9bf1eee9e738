package gnmi

import (
	"context"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Get implements gNMI's Get (specification, section 3.3). With the JSON encodings each
// node that a path leads to is one document; with PROTO and ASCII, and behind "...", each leaf is an update.
func (s *Server) Get(ctx context.Context, req *gpb.GetRequest) (*gpb.GetResponse, error) {
	defer s.metrics.since(s.metrics.get, time.Now())
	reader, err := s.reader(ctx, "Get")
	if err != nil {
		return nil, err
	}
	ext, err := parseExtensions(req.GetExtension())
	if err != nil {
		return nil, err
	}
	m := ext.moment
	if m != nil && m.until != nil {
		return nil, status.Error(codes.InvalidArgument, "a range of the past can only be asked for with Subscribe")
	}
	if m != nil {
		if _, err := s.enterPast(ctx); err != nil {
			return nil, err
		}
		late, cancel := context.WithTimeoutCause(ctx, s.cfg.PastTimeout, s.errLate())
		defer cancel()
		ctx = late
	}
	resp, err := s.getFrom(ctx, req, reader, ext)
	if cause := context.Cause(ctx); err != nil && status.Code(cause) == codes.ResourceExhausted {
		err = cause
	}
	return resp, err
}

// getFrom answers a request whose extensions are read.
func (s *Server) getFrom(ctx context.Context, req *gpb.GetRequest, reader Reader, ext extensions) (*gpb.GetResponse, error) {
	m := ext.moment
	paths := req.GetPath()
	if len(paths) == 0 {
		paths = []*gpb.Path{{}}
	}
	a, err := s.answer(ctx, m, req.GetPrefix(), paths, req.GetEncoding(), req.GetUseModels(), reader)
	if err != nil {
		return nil, err
	}
	a.levels = ext.levels
	requests, err := s.parseAll(a, req.GetPrefix(), paths)
	if err != nil {
		return nil, err
	}
	kind, err := dataType(req.GetType())
	if err != nil {
		return nil, err
	}
	parts := make([]*part, len(requests))
	for i, r := range requests {
		parts[i] = compile(a, manner{}, []request{r})
	}
	view, err := s.view(ctx, m, wantsOf(parts))
	if err != nil {
		return nil, err
	}
	at := s.now()
	if m != nil {
		at = m.at
	}
	return s.getAll(ctx, view, parts, kind, at.UnixNano())
}

// dataType gives the leaves of a type of data (specification, section 3.3.1): everything is STATE, and OPERATIONAL
// what no configuration could have set.
func dataType(t gpb.GetRequest_DataType) (filter, error) {
	switch t {
	case gpb.GetRequest_ALL, gpb.GetRequest_STATE:
		return func(*node) bool { return true }, nil
	case gpb.GetRequest_OPERATIONAL:
		return func(n *node) bool { return !n.applied }, nil
	case gpb.GetRequest_CONFIG:
		return nil, status.Error(codes.NotFound, "type CONFIG: there is no configuration, only state")
	}
	return nil, status.Errorf(codes.InvalidArgument, "type %v is not known", t)
}

// getAll gives a notification for each part, which is of one path, and for each target that it leads to.
func (s *Server) getAll(ctx context.Context, view inventory.View, parts []*part, kind filter, at int64) (*gpb.GetResponse, error) {
	resp := &gpb.GetResponse{}
	room := s.cfg.MaxGetBytes
	answered := s.shareOf(ctx, s.caller(ctx))
	for _, p := range parts {
		r := p.paths[0]
		g := getting{part: p, room: room, most: s.cfg.MaxGetBytes, share: answered, byName: map[string]*gotten{}}
		shown := g.filter
		g.filter = func(n *node) bool { return kind(n) && (shown == nil || shown(n)) }
		if err := g.read(ctx, view, r); err != nil {
			return nil, err
		}
		notifications := g.notifications(at)
		if len(notifications) == 0 {
			return nil, status.Errorf(codes.NotFound, "path %s: nothing there", r.text)
		}
		resp.Notification = append(resp.Notification, notifications...)
		size := proto.Size(resp)
		if room = g.room; size > s.cfg.MaxGetBytes {
			return nil, errTooLarge(s.cfg.MaxGetBytes)
		}
		if err := answered.grow(size); err != nil {
			return nil, err
		}
		s.counter(ctx)(g.leaves)
	}
	return resp, nil
}

func errTooLarge(limit int) error {
	return status.Errorf(codes.ResourceExhausted,
		"the answer has more than %d bytes (gnmi.max-get-bytes): ask for less, or use Subscribe with mode ONCE", limit)
}

// getting reads one path.
type getting struct {
	*part
	leaves int
	room   int // bytes that the answer may still take, roughly
	most   int // of the whole answer
	share  *share
	depth  int // of the nodes that are a document each; -1 for leaf by leaf
	within int // how many elements the path has for sure
	byName map[string]*gotten
	list   []*gotten
}

// gotten is what the path leads to in one target, or in one atomic container of it.
type gotten struct {
	notification *gpb.Notification
	documents    documents
}

func (g *getting) read(ctx context.Context, view inventory.View, r request) error {
	g.depth, g.within = len(r.elems), len(r.elems)
	if deep := slices.IndexFunc(r.elems, func(e position) bool { return e.deep }); deep >= 0 {
		g.depth, g.within = -1, deep
	}
	if e := g.answer.encoding; e == gpb.Encoding_PROTO || e == gpb.Encoding_ASCII {
		g.depth = -1
	}
	limit := g.room
	for _, sel := range g.selectors {
		var w writer
		var full error
		sel.each(view, func(k *kind, e inventory.Entry) bool {
			e, ok := g.answer.show(k, e)
			if !ok {
				return true
			}
			if found, ok := sel.render(&w, k, e, g.filter); ok {
				g.put(g.answer.targetOf(sel.space, e.Fact), found)
				full = g.share.grow(g.most - g.room)
			}
			return full == nil && g.room > 0 && ctx.Err() == nil
		})
		if full != nil {
			return full
		}
	}
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if g.room <= 0 {
		return errTooLarge(limit)
	}
	return nil
}

// put adds the leaves of a fact.
func (g *getting) put(target string, found rendered) {
	g.leaves += len(found.leaves)
	entry := cloneElems(found.entry)
	to, prefix := g.into(target, found.kind, entry)
	for _, l := range found.leaves {
		path := append(entry[prefix:len(entry):len(entry)], l.path()...)
		g.room -= len(l.node.name) + l.value.size()
		if g.depth < 0 {
			to.notification.Update = append(to.notification.Update,
				&gpb.Update{Path: &gpb.Path{Elem: protoPath(path)}, Val: l.value.typed(g.answer.encoding, l.node.wide)})
			continue
		}
		to.documents.put(path, l)
	}
}

// into gives where the leaves of an entry belong, and how many of its elements the prefix has there. All of a target is
// together, but an atomic container that the path leads to or into is by itself (specification, section 3.5.2.5).
func (g *getting) into(target string, k *kind, entry []elem) (*gotten, int) {
	name, prefix := target, 0
	if k.node.atomic && g.within >= len(k.path) {
		prefix = len(entry)
		for _, e := range entry {
			name = string(e.appendText([]byte(name)))
		}
	}
	to, ok := g.byName[name]
	if !ok {
		at := &gpb.Path{Target: target, Origin: g.answer.origin}
		if prefix > 0 {
			at.Elem = protoPath(entry)
		}
		to = &gotten{&gpb.Notification{Prefix: at, Atomic: prefix > 0}, documents{depth: g.depth - prefix, index: map[string]*document{}}}
		g.byName[name] = to
		g.list = append(g.list, to)
	}
	return to, prefix
}

// cloneElems gives a path that the writer does not change.
func cloneElems(path []elem) []elem {
	out := make([]elem, len(path))
	for i, e := range path {
		out[i] = elem{e.node, append([]string(nil), e.values...)}
	}
	return out
}

// notifications gives what was read.
func (g *getting) notifications(at int64) []*gpb.Notification {
	var out []*gpb.Notification
	for _, to := range g.list {
		to.notification.Timestamp = at
		for _, d := range to.documents.list {
			to.notification.Update = append(to.notification.Update,
				&gpb.Update{Path: &gpb.Path{Elem: protoPath(d.path)}, Val: d.tree.document(g.answer.encoding)})
		}
		out = append(out, to.notification)
	}
	return out
}

// documents collects leaves by the node at a certain depth above them.
type documents struct {
	depth int
	list  []*document
	index map[string]*document
}

type document struct {
	path []elem
	tree tree
}

func (d *documents) put(path []elem, l leaf) {
	var key []byte
	for _, e := range path[:d.depth] {
		key = e.appendText(key)
	}
	doc, ok := d.index[string(key)]
	if !ok {
		doc = &document{path: path[:d.depth]}
		if d.depth == len(path) {
			doc.tree.node = l.node
		}
		d.index[string(key)] = doc
		d.list = append(d.list, doc)
	}
	doc.tree.put(path[d.depth:], l.value)
}
