package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// inquiryPaths is how many paths are asked for at once: with more, the server takes longer for each. scanPaths is the same of
// what it looks at all of; it takes no more than gnmi.max-paths.
const (
	inquiryPaths = 60
	scanPaths    = 200
)

// inquiry asks what happened between two moments, again and again for what the answers before led to: the server finds an
// object by its name at once, among however many.
type inquiry struct {
	client       gpb.GNMIClient
	o            *options
	since, until time.Time
	asked        map[string]bool // paths
	steps        []step
}

// path is where to ask: plain elements with slashes between, and behind them elements with keys or none.
func path(plain string, elems ...*gpb.PathElem) *gpb.Path {
	p := &gpb.Path{}
	for name := range strings.SplitSeq(plain, "/") {
		p.Elem = append(p.Elem, &gpb.PathElem{Name: name})
	}
	p.Elem = append(p.Elem, elems...)
	return p
}

// entry is an element with keys, each a name and a value; an empty value is any.
func entry(name string, keys ...string) *gpb.PathElem {
	e := &gpb.PathElem{Name: name}
	for i := 0; i < len(keys); i += 2 {
		if keys[i+1] == "" {
			continue
		}
		if e.Key == nil {
			e.Key = map[string]string{}
		}
		e.Key[keys[i]] = keys[i+1]
	}
	return e
}

// keyless writes a path without its keys.
func keyless(p *gpb.Path) string {
	var names []string
	for _, e := range p.GetElem() {
		names = append(names, e.GetName())
	}
	return strings.Join(names, "/")
}

// elementOf is an element of a path that is asked for.
func elementOf(e *gpb.PathElem) element {
	out := element{name: e.GetName()}
	for _, name := range sortedKeys(e.GetKey()) {
		out.keys = append(out.keys, key{name, e.GetKey()[name]})
	}
	return out
}

func elem(name string) *gpb.PathElem { return &gpb.PathElem{Name: name} }

// inCluster is where to ask in a cluster, "" for any.
func inCluster(cluster string, elems ...*gpb.PathElem) *gpb.Path {
	return path("kubernetes/clusters", append([]*gpb.PathElem{entry("cluster", "name", cluster)}, elems...)...)
}

// ask asks for those of the paths that were not asked for yet.
func (q *inquiry) ask(ctx context.Context, paths ...*gpb.Path) error {
	var fresh []*gpb.Path
	for _, p := range paths {
		name := ""
		for _, e := range p.GetElem() {
			name += "/" + string(elementOf(e).appendText(nil))
		}
		if !q.asked[name] {
			q.asked[name] = true
			fresh = append(fresh, p)
		}
	}
	// A question about all of a kind costs the same for one path as for many: those of one kind are asked together.
	slices.SortStableFunc(fresh, func(a, b *gpb.Path) int { return strings.Compare(keyless(a), keyless(b)) })
	for len(fresh) > 0 {
		n := together(fresh)
		err := q.o.replay(ctx, q.client, q.since, q.until, fresh[:n], func(s step) { q.steps = append(q.steps, s) })
		if err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

// together is how many of the first paths are asked for at once: those of one kind, and of links and endpoints, which the server
// finds by a look at all, as many as it takes.
func together(paths []*gpb.Path) int {
	first, most := keyless(paths[0]), inquiryPaths
	if strings.HasPrefix(first, linksPath) || strings.HasPrefix(first, endpointsPath) {
		most = scanPaths
	}
	n := 1
	for n < min(len(paths), most) && keyless(paths[n]) == first {
		n++
	}
	return n
}

// about asks for everything that a topic depends on.
func (q *inquiry) about(ctx context.Context, topic []string, f *filters) error {
	found, err := q.find(ctx, topic, f)
	if err != nil {
		return err
	}
	if err := q.ask(ctx, append(found, path(findingsPath))...); err != nil {
		return err
	}
	if topic[0] == "port" {
		return nil
	}
	// Members lead to pods, those to nodes and ports.
	for done := 0; done < len(q.steps); {
		fresh := q.steps[done:]
		done = len(q.steps)
		if err := q.ask(ctx, leads(fresh)...); err != nil {
			return err
		}
	}
	if topic[0] != "node" {
		return nil
	}
	ports, err := q.portsOf(ctx, topic[1])
	if err != nil {
		return err
	}
	return q.ask(ctx, ports...)
}

// portsOf gives where to ask for the ports at which addresses of a node were learned: a node without pods is somewhere too.
func (q *inquiry) portsOf(ctx context.Context, node string) (paths []*gpb.Path, err error) {
	var where []*gpb.Path
	for _, s := range q.steps {
		if s.after.keys["node-name"] != node {
			continue
		}
		for _, a := range s.after.texts("address") {
			if !slices.ContainsFunc(where, func(p *gpb.Path) bool { return p.GetElem()[2].GetKey()["address"] == a }) {
				where = append(where, path("fabric/endpoints", entry("endpoint", "address", a)))
			}
		}
	}
	if len(where) == 0 {
		return nil, nil
	}
	return paths, q.o.replay(ctx, q.client, q.since, q.until, where, func(s step) {
		paths = append(paths, ofPort(s.after.keys["switch"], s.after.keys["interface"])...)
	})
}

// find gives the paths of what has the name of the topic. What is named by its whole name is found at once; else the names
// of all are read first.
func (q *inquiry) find(ctx context.Context, topic []string, f *filters) ([]*gpb.Path, error) {
	var found []*gpb.Path
	look := func(is func(*thing) bool, paths ...*gpb.Path) error {
		seen := map[string]bool{}
		return q.o.replay(ctx, q.client, q.since, q.until, paths, func(s step) {
			t := s.after
			if id := t.keys["name"] + " " + t.keys["uid"] + t.keys["namespace"] + "/" + t.keys["service-name"]; is(t) && !seen[id] {
				seen[id] = true
				found = append(found, whole(t))
			}
		})
	}
	pods := func(elems ...*gpb.PathElem) *gpb.Path {
		return inCluster(f.cluster, append([]*gpb.PathElem{elem("pods"), elem("pod")}, elems...)...)
	}
	switch topic[0] {
	case "service":
		namespace, name := f.split(topic[1])
		if namespace != "" && f.cluster != "" {
			return []*gpb.Path{inCluster(f.cluster, elem("services"), entry("service", "namespace", namespace, "name", name))}, nil
		}
		err := look(func(*thing) bool { return true },
			inCluster(f.cluster, elem("services"), entry("service", "namespace", namespace, "name", name), elem("state"), elem("name")))
		return found, err
	case "pod":
		err := look(func(t *thing) bool { return f.named(t.keys["name"], t.text("namespace")+"/"+t.text("name"), topic[1]) },
			pods(elem("state"), elem("name")), pods(elem("state"), elem("namespace")))
		return found, err
	case "node":
		err := look(func(t *thing) bool { return t.text("node") == topic[1] }, pods(elem("state"), elem("node")))
		return append(found, inCluster(f.cluster, elem("nodes"), entry("node", "name", topic[1]))), err
	}
	on, port := topic[1], topic[2]
	err := look(func(*thing) bool { return true },
		inCluster("", elem("pods"), elem("pod"), elem("attachments"), entry("attachment", "switch", on, "interface", port)))
	return append(found, ofPort(on, port)...), err
}

// split gives the namespace, if it is known, and the name of what an argument names.
func (f *filters) split(argument string) (namespace, name string) {
	if namespace, name, ok := strings.Cut(argument, "/"); ok {
		return namespace, name
	}
	return f.namespace, argument
}

// whole is the path of a service, or of the pod that a thing is of.
func whole(t *thing) *gpb.Path {
	if uid := t.keys["uid"]; uid != "" {
		return inCluster(t.keys["name"], elem("pods"), entry("pod", "uid", uid))
	}
	return inCluster(t.keys["name"], elem("services"), entry("service", "namespace", t.keys["namespace"], "name", t.keys["service-name"]))
}

// ofPort is what happens to a port: to its switch, its cable and the addresses at it.
func ofPort(on, port string) []*gpb.Path {
	return []*gpb.Path{
		path("fabric/switches", entry("switch", "name", on), elem("state")),
		path("fabric/switches", entry("switch", "name", on), elem("ports"), entry("port", "name", port)),
		path("fabric/links", entry("link", "b-switch", on)),
		path("fabric/endpoints", entry("endpoint", "switch", on, "interface", port)),
	}
}

// leads are the paths of what things depend on.
func leads(steps []step) []*gpb.Path {
	var paths []*gpb.Path
	for _, s := range steps {
		t := s.after
		cluster := t.keys["name"]
		switch t.list[strings.LastIndexByte(t.list, '/')+1:] {
		case "member":
			if uid := t.keys["pod-uid"]; uid != "NONE" {
				paths = append(paths, inCluster(cluster, elem("pods"), entry("pod", "uid", uid)))
			}
			paths = append(paths, ofCluster(cluster)...)
		case "pod":
			if node := t.text("node"); node != "" {
				paths = append(paths, inCluster(cluster, elem("nodes"), entry("node", "name", node)))
			}
			paths = append(paths, ofCluster(cluster)...)
		case "service", "node":
			paths = append(paths, ofCluster(cluster)...)
		case "attachment":
			paths = append(paths, ofPort(t.keys["switch"], t.keys["interface"])...)
		}
	}
	return paths
}

// ofCluster is what happens to a whole cluster, and what it tells of its objects.
func ofCluster(cluster string) []*gpb.Path {
	return []*gpb.Path{inCluster(cluster, elem("state")), inCluster(cluster, elem("events"))}
}
