package gnmi

import (
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Names with a meaning in a request path (gNMI path conventions, "Wildcards in paths").
const (
	anyElement  = "*"
	anyElements = "..."
)

// maxElements is how many elements a path may have: more than twice what the models have.
const maxElements = 32

// request is a path asked for.
type request struct {
	elems []position
	text  string // for messages
}

// parse joins a path to its prefix and checks it against the schemas of the target. A path that is
// in no model is INVALID_ARGUMENT; one that a model has and the server does not give is
// UNIMPLEMENTED.
func parse(spaces []*space, prefix, path *gpb.Path) (request, error) {
	r := request{}
	for _, p := range []*gpb.Path{prefix, path} {
		// Some clients fill both forms of a path for servers older than gNMI 0.4: elem counts.
		//nolint:staticcheck // Deprecated, and read to reject it.
		if len(p.GetElement()) > 0 && len(p.GetElem()) == 0 {
			return r, status.Error(codes.InvalidArgument, "path: element is deprecated; use elem")
		}
		for _, e := range p.GetElem() {
			if e.GetName() == "" {
				return r, status.Errorf(codes.InvalidArgument, "path %s: an element without a name", pathText(path))
			}
			at := position{name: e.GetName(), keys: e.GetKey()}
			switch e.GetName() {
			case anyElement:
				at.name = ""
			case anyElements:
				if len(at.keys) > 0 {
					return r, status.Errorf(codes.InvalidArgument, "path %s: %s stands for elements and their keys, and has none itself", pathText(path), anyElements)
				}
				if n := len(r.elems); n > 0 && r.elems[n-1].deep {
					continue // twice any number is any number
				}
				at.name, at.deep = "", true
			}
			r.elems = append(r.elems, at)
		}
	}
	r.text = pathText(&gpb.Path{Elem: append(slices.Clone(prefix.GetElem()), path.GetElem()...)})
	if len(r.elems) > maxElements {
		return r, status.Errorf(codes.InvalidArgument, "path: %d elements, more than %d", len(r.elems), maxElements)
	}
	return r, r.checkAll(spaces)
}

// checkAll wants one of the spaces to serve the path; of their errors it gives the one that knows the path best.
func (r request) checkAll(spaces []*space) error {
	var worst error
	for _, s := range spaces {
		err := r.check(s.root)
		if err == nil {
			return nil
		}
		if worst == nil || status.Code(err) == codes.Unimplemented {
			worst = err
		}
	}
	return worst
}

// check looks for nodes of the schema that the path leads to.
func (r request) check(root *node) error {
	var p program
	p.add(r.elems)
	w := schemaWalk{program: &p}
	w.walk(root, p.start)
	switch {
	case w.served:
		return nil
	case w.badKey != "":
		return status.Errorf(codes.InvalidArgument, "path %s: %s", r.text, w.badKey)
	case w.found:
		return status.Errorf(codes.Unimplemented, "path %s: is in the model, but not provided here", r.text)
	}
	hint := ""
	if !slices.ContainsFunc(r.elems, func(e position) bool { return e.deep }) { // which lead everywhere
		hint = "; " + w.deepest()
	}
	return status.Errorf(codes.InvalidArgument, "path %s: no model of this target has it%s", r.text, hint)
}

// schemaWalk finds what a path matches in the schema.
type schemaWalk struct {
	program       *program
	found, served bool
	badKey        string
	depth         int
	last          *node // the deepest node that the path led to
	level         int
}

func (w *schemaWalk) walk(n *node, s states) {
	if w.last == nil || w.level > w.depth || w.level == w.depth && n.path < w.last.path {
		w.depth, w.last = w.level, n
	}
	if w.program.accepts(s) {
		w.found = true
		w.served = w.served || n.served || n.parent == nil
		return
	}
	w.level++
	defer func() { w.level-- }()
	for _, child := range n.children {
		next := w.program.step(s, child.name, child.keys, nil)
		if next.empty() || w.wrongKey(s, child) {
			continue
		}
		w.walk(child, next)
	}
}

// wrongKey notes keys in the path that the list child does not have.
func (w *schemaWalk) wrongKey(s states, child *node) bool {
	wrong := false
	s.each(func(i int) {
		at := &w.program.positions[i]
		if at.name != child.name {
			return
		}
		for key := range at.keys {
			switch {
			case slices.Contains(child.keys, key):
			case child.keys == nil:
				wrong, w.badKey = true, fmt.Sprintf("%s is no list and has no key %q", child.name, key)
			default:
				wrong, w.badKey = true, fmt.Sprintf("the list %s has no key %q; it has %s", child.name, key, strings.Join(child.keys, ", "))
			}
		}
	})
	return wrong
}

// deepest tells what there would have been.
func (w *schemaWalk) deepest() string {
	if w.last.leaf {
		return w.last.name + " is a leaf"
	}
	names := make([]string, 0, len(w.last.children))
	for name := range w.last.children {
		names = append(names, name)
	}
	slices.Sort(names)
	where := "it"
	if w.last.parent != nil {
		where = w.last.name
	}
	return fmt.Sprintf("%s has %s", where, strings.Join(names, ", "))
}

// pathText writes a path as people do (gNMI path strings, "String Representation of a Single Element"). Paths of equal
// text are equal.
func pathText(p *gpb.Path) string {
	var b strings.Builder
	for _, e := range p.GetElem() {
		b.WriteByte('/')
		b.WriteString(e.GetName())
		keys := make([]string, 0, len(e.GetKey()))
		for k := range e.GetKey() {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			fmt.Fprintf(&b, "[%s=%s]", k, escaped(e.GetKey()[k]))
		}
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// escaped gives the value of a key as it stands in the text of a path.
func escaped(value string) string {
	if !strings.ContainsAny(value, "\\]\n\r") {
		return value
	}
	return strings.NewReplacer(`\`, `\\`, `]`, `\]`, "\n", `\n`, "\r", `\r`).Replace(value)
}
