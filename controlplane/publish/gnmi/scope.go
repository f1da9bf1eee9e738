package gnmi

import (
	"context"
	"slices"
	"strconv"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	models "github.com/fabricscope/fabricscope/models/schema"
)

// anyTarget addresses the fabric and every switch at once.
const anyTarget = "*"

// space is a tree of data that a request addresses.
type space struct {
	root      *node
	table     []*kind
	perSwitch bool   // the trees of switches, not that of the fabric
	device    string // the only switch; "" for all
}

// has says whether a fact shows in the space.
func (s *space) has(f inventory.Fact) bool {
	return !s.perSwitch || s.device == "" || s.device == deviceOf(f)
}

// deviceOf is the switch in whose target a fact shows; "" for none.
func deviceOf(f inventory.Fact) string {
	switch f := f.(type) {
	case inventory.Port:
		return f.Switch
	case inventory.Accounting:
		return f.Switch
	}
	return ""
}

// answer says what a request addresses, and how what it gets is written.
type answer struct {
	spaces   []*space
	target   string // as asked, and given back
	origin   string // likewise
	encoding gpb.Encoding
	models   []string // names of the only modules; nil for all
	levels   int      // beneath the paths; 0 for all
	reader   Reader   // nil sees everything
}

// targetOf gives the target that a notification about a fact in a space names.
func (a *answer) targetOf(s *space, f inventory.Fact) string {
	switch {
	case a.target != anyTarget:
		return a.target
	case s.perSwitch:
		return deviceOf(f)
	}
	return FabricTarget
}

// show gives a fact as it may be shown. Everything that is sent goes through here.
func (a *answer) show(k *kind, e inventory.Entry) (inventory.Entry, bool) {
	if a.reader == nil {
		return e, true
	}
	f, ok := a.reader.Show(k.node.path, e.Fact)
	e.Fact = f
	return e, ok
}

// filter says which leaves may be shown; nil for all.
func (a *answer) filter() filter {
	if a.models == nil && a.reader == nil {
		return nil
	}
	return func(n *node) bool {
		return (a.models == nil || a.knows(n)) && (a.reader == nil || a.reader.Reads(n.path))
	}
}

// knows says whether the models of the request have a leaf, and its values (specification, section 2.6).
func (a *answer) knows(n *node) bool {
	return slices.Contains(a.models, n.module) && (n.values == "" || slices.Contains(a.models, n.values))
}

// key identifies the answer: requests with equal keys and paths get the same.
func (a *answer) key() string {
	who := ""
	if a.reader != nil {
		who = "as " + a.reader.Key()
	}
	return strings.Join([]string{a.target, a.origin, a.encoding.String(), strings.Join(a.models, " "), strconv.Itoa(a.levels), who}, "\x00")
}

// answer resolves the target, the origin, the encoding and the models of a request about a moment.
func (s *Server) answer(ctx context.Context, m *moment, prefix *gpb.Path, paths []*gpb.Path, enc gpb.Encoding, use []*gpb.ModelData, reader Reader) (*answer, error) {
	a := &answer{target: prefix.GetTarget(), encoding: enc, reader: reader}
	if !slices.Contains(encodings(), enc) {
		return nil, status.Errorf(codes.Unimplemented, "encoding %v is not supported; %v are", enc, encodings())
	}
	var err error
	if a.origin, err = originOf(prefix, paths); err != nil {
		return nil, err
	}
	if a.models, err = useModels(use); err != nil {
		return nil, err
	}
	a.spaces, err = s.spaces(ctx, m, a.target, reader)
	return a, err
}

// encodings are those that the server speaks (specification, section 2.3).
func encodings() []gpb.Encoding {
	return []gpb.Encoding{gpb.Encoding_JSON, gpb.Encoding_JSON_IETF, gpb.Encoding_PROTO, gpb.Encoding_ASCII}
}

// spaces gives the trees of a target, as of a moment.
func (s *Server) spaces(ctx context.Context, m *moment, target string, reader Reader) ([]*space, error) {
	fabric := &space{root: s.schema.fabric, table: s.fabricKinds}
	switch target {
	case "", FabricTarget:
		return []*space{fabric}, nil
	case anyTarget:
		return []*space{fabric, {root: s.schema.device, table: s.deviceKinds, perSwitch: true}}, nil
	}
	ref := inventory.Switch{Name: target}.Ref()
	view, err := s.view(ctx, m, []history.Want{{Kind: ref.Kind, ID: ref.ID, Exact: true}})
	if err != nil {
		return nil, err
	}
	_, ok := view.Get(ref)
	if ok && reader != nil { // who sees none of its ports is not told that there is the switch
		_, ok = reader.Show(s.deviceKinds[0].node.path, inventory.Port{Switch: target})
	}
	if !ok {
		return nil, status.Errorf(codes.NotFound, "target %q: neither %s nor a switch", target, FabricTarget)
	}
	return []*space{{root: s.schema.device, table: s.deviceKinds, perSwitch: true, device: target}}, nil
}

// originOf gives the origin of a request (specification, section 2.7): it stands in the prefix or in the paths, not in
// both, and beside elements in the prefix only there.
func originOf(prefix *gpb.Path, paths []*gpb.Path) (string, error) {
	origin := prefix.GetOrigin()
	for _, p := range paths {
		switch {
		case p.GetOrigin() == "":
			continue
		case prefix.GetOrigin() != "":
			return "", status.Errorf(codes.InvalidArgument, "origin: %q in the prefix and %q in path %s", prefix.GetOrigin(), p.GetOrigin(), pathText(p))
		case len(prefix.GetElem()) > 0:
			return "", status.Errorf(codes.InvalidArgument, "origin: %q in path %s belongs into the prefix, which has elements", p.GetOrigin(), pathText(p))
		case origin != "" && origin != p.GetOrigin():
			return "", status.Errorf(codes.Unimplemented, "origin: %q and %q in one request", origin, p.GetOrigin())
		}
		origin = p.GetOrigin()
	}
	if origin != "" && origin != "openconfig" {
		return "", status.Errorf(codes.Unimplemented, "origin %q: only openconfig is provided", origin)
	}
	return origin, nil
}

// useModels checks the models that a request restricts itself to (specification, section 2.6).
func useModels(use []*gpb.ModelData) ([]string, error) {
	var names []string
	for _, m := range use {
		ok := slices.ContainsFunc(models.Modules(), func(have models.Module) bool {
			return have.Name == m.GetName() && (m.GetOrganization() == "" || have.Organization == m.GetOrganization()) &&
				(m.GetVersion() == "" || have.Version == m.GetVersion())
		})
		if !ok {
			return nil, status.Errorf(codes.Unimplemented, "use_models: %q is not supported; Capabilities has what is",
				strings.Join(strings.Fields(m.GetName()+" "+m.GetVersion()+" "+m.GetOrganization()), " "))
		}
		names = append(names, m.GetName())
	}
	slices.Sort(names)
	return names, nil
}

// parseAll parses the paths of a request.
func (s *Server) parseAll(a *answer, prefix *gpb.Path, paths []*gpb.Path) ([]request, error) {
	if len(paths) > s.cfg.MaxPaths {
		return nil, status.Errorf(codes.ResourceExhausted, "%d paths in a request, more than %d (gnmi.max-paths)", len(paths), s.cfg.MaxPaths)
	}
	requests := make([]request, len(paths))
	for i, p := range paths {
		if t := p.GetTarget(); t != "" && t != a.target {
			return nil, status.Errorf(codes.InvalidArgument, "path %s: target %q belongs into the prefix", pathText(p), t)
		}
		r, err := parse(a.spaces, prefix, p)
		if err != nil {
			return nil, err
		}
		requests[i] = r
	}
	return requests, nil
}
