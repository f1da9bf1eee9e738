package gnmi

import (
	"context"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Get implements gNMI's Get (specification, section 3.3). With the JSON encodings each
// node that a path leads to is one document; with PROTO each leaf is an update.
func (s *Server) Get(ctx context.Context, req *gpb.GetRequest) (*gpb.GetResponse, error) {
	resp, err := s.get(ctx, req)
	s.metrics.rpcs.WithLabelValues("get", status.Code(err).String()).Inc()
	return resp, err
}

func (s *Server) get(ctx context.Context, req *gpb.GetRequest) (*gpb.GetResponse, error) {
	m, err := parseMoment(req.GetExtension())
	if err != nil {
		return nil, err
	}
	view, err := s.view(ctx, m)
	if err != nil {
		return nil, err
	}
	to, err := s.answer(view, req.GetPrefix(), req.GetEncoding(), len(req.GetUseModels()) > 0)
	if err != nil {
		return nil, err
	}
	paths := req.GetPath()
	if len(paths) == 0 {
		paths = []*gpb.Path{{}}
	}
	requests, err := s.parseAll(&to.scope, req.GetPrefix(), paths)
	if err != nil {
		return nil, err
	}
	if req.GetType() == gpb.GetRequest_CONFIG {
		return nil, status.Error(codes.NotFound, "type CONFIG: there is no configuration, only state")
	}
	at := s.now()
	if m != nil {
		at = m.at
	}
	resp := &gpb.GetResponse{}
	for _, r := range requests {
		n := s.getPath(view, to, r)
		if len(n.Update) == 0 {
			return nil, status.Errorf(codes.NotFound, "path %s: nothing there", r.text)
		}
		n.Timestamp = at.UnixNano()
		resp.Notification = append(resp.Notification, n)
	}
	return resp, nil
}

// getPath gives what one path leads to.
func (s *Server) getPath(view inventory.View, to answer, r request) *gpb.Notification {
	var p program
	p.add(r.elems)
	sel := newSelector(s.table(to.scope), to.scope.device, &p, []request{r})
	n := &gpb.Notification{Prefix: to.prefix(nil)}
	depth := len(r.elems)
	for _, e := range r.elems {
		if e.deep || to.encoding == gpb.Encoding_PROTO {
			depth = -1 // leaf by leaf
		}
	}
	documents := documents{depth: depth, index: map[string]*document{}}
	sel.each(view, func(k *kind, e inventory.Entry) bool {
		found, ok := k.render(e, &p, nil)
		if !ok {
			return true
		}
		for _, l := range found.leaves {
			path := append(found.entry[:len(found.entry):len(found.entry)], l.path...)
			if depth < 0 {
				n.Update = append(n.Update, &gpb.Update{Path: &gpb.Path{Elem: protoPath(path)}, Val: l.value.typed(to.encoding, l.node.wide)})
				continue
			}
			documents.put(path, l)
		}
		return true
	})
	for _, d := range documents.list {
		n.Update = append(n.Update, &gpb.Update{Path: &gpb.Path{Elem: protoPath(d.path)}, Val: d.tree.document(to.encoding)})
	}
	return n
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
