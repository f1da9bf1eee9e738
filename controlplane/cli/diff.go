package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/spf13/cobra"
)

// difference is a thing that is not at one moment as it is at another, in JSON output.
type difference struct {
	Change    string `json:"change"` // added, removed or changed
	Kind      string `json:"kind"`   // pod, service, member, node, link, port or endpoint
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Was       string `json:"was,omitempty"`
	Is        string `json:"is,omitempty"`
}

func diffCommand(o *options) *cobra.Command {
	f := &filters{}
	var toText string
	c := &cobra.Command{
		Use:   "diff --at A [--to B]",
		Short: "Show how pods, services, nodes, links and ports differ between two moments",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.prepare(); err != nil {
				return err
			}
			if o.at.IsZero() {
				return fmt.Errorf("--at: the earlier moment is needed")
			}
			to, err := parseTime("--to", toText, o.now)
			if err != nil {
				return err
			}
			list, err := f.differences(c.Context(), o, o.later(toText, to))
			if err != nil {
				return err
			}
			o.to = cmp.Or(to, o.now)
			return show(o, "differences", list, differenceColumns(), differenceColumns())
		},
	}
	f.addClusterFlags(c.Flags())
	c.Flags().StringVar(&toText, "to", "", "the later moment, as --at (default: now)")
	return c
}

// later is the options for a question about the moment of --to.
func (o *options) later(text string, to time.Time) *options {
	then := *o
	then.at, then.atText, then.atFlag = to, text, "--to"
	return &then
}

// differences asks for both moments and compares the answers.
func (f *filters) differences(ctx context.Context, from, to *options) ([]difference, error) {
	moments := []*options{from, to}
	answers, found, err := f.askServiceAt(ctx, moments)
	if err != nil {
		return nil, err
	}
	states := []map[thingID]line{{}, {}}
	var pods []*pod
	var services []service
	var clusters []string
	for i, then := range moments {
		data := answers[i]
		if !found {
			if data, err = then.ask(ctx, f.differencePaths()...); err != nil {
				return nil, err
			}
		}
		f.warnOfClusters(then, data)
		for _, p := range readPods(data) {
			p.moment = i
			pods = append(pods, p)
		}
		for _, s := range readServices(data) {
			s.moment = i
			services = append(services, s)
		}
		for _, c := range data.each("kubernetes", "clusters", "cluster") {
			clusters = append(clusters, c.key("name"))
		}
		if !f.things() {
			f.infrastructure(data, states[i])
		}
	}
	// A name that something has at one of the moments is meant as a whole at both.
	for _, p := range f.pods(pods) {
		p.describe(states[p.moment])
	}
	for _, s := range f.services(services) {
		s.describe(states[s.moment])
	}
	named := nameAmong(f.cluster, clusters, func(c string) []string { return []string{c} })
	for _, all := range states {
		maps.DeleteFunc(all, func(id thingID, _ line) bool { return id.kind == "node" && !named.admits(id.cluster) })
	}
	return compared(states[0], states[1]), nil
}

// askServiceAt asks at each of the moments for the service that the filters name, if it was there at one.
func (f *filters) askServiceAt(ctx context.Context, moments []*options) (answers []*branch, found bool, err error) {
	for _, then := range moments {
		data, there, err := f.askService(ctx, then, func(cluster, uid string) []*gpb.Path {
			return []*gpb.Path{inCluster(cluster, elem("pods"), entry("pod", "uid", uid))}
		})
		if err != nil {
			return nil, false, err
		}
		answers, found = append(answers, data), found || there
	}
	return answers, found, nil
}

// compared gives how things differ, by cluster, namespace, kind and key.
func compared(was, is map[thingID]line) []difference {
	type identified struct {
		id thingID
		difference
	}
	var list []identified
	add := func(change string, id thingID, named, was, is line) {
		list = append(list, identified{id, difference{Change: change, Kind: id.kind, Cluster: id.cluster,
			Namespace: named.namespace, Name: named.name, Was: was.text, Is: is.text}})
	}
	for id, before := range was {
		switch after, there := is[id]; {
		case !there:
			add("removed", id, before, before, line{})
		case before.text != after.text:
			add("changed", id, after, before, after)
		}
	}
	for id, after := range is {
		if _, before := was[id]; !before {
			add("added", id, after, line{}, after)
		}
	}
	slices.SortFunc(list, func(a, b identified) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.id.key, b.id.key))
	})
	var differences []difference
	for _, d := range list {
		differences = append(differences, d.difference)
	}
	return differences
}

// thingID tells a thing from others, at any moment.
type thingID struct{ kind, cluster, key string }

// line is a thing with what matters of its state.
type line struct{ namespace, name, text string }

// describe adds what matters of a pod.
func (p *pod) describe(all map[thingID]line) {
	var at []string
	for _, a := range p.Attachments {
		at = append(at, a.Switch+"/"+a.Port)
	}
	parts := []string{readiness(p.Ready), strings.Join(p.IPs, ","), p.Node, strings.Join(at, "+")}
	text := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
	all[thingID{"pod", p.Cluster, p.UID}] = line{p.Namespace, p.Name, text}
}

// describe adds what matters of a service and of its members.
func (s service) describe(all map[thingID]line) {
	text := strings.Join([]string{s.Type, joined(s.VIPs, func(v vip) string { return v.Address }), joined(s.Ports, servicePort.String)}, " ")
	name := s.Namespace + "/" + s.Name
	all[thingID{"service", s.Cluster, name}] = line{s.Namespace, s.Name, text}
	for _, m := range s.Members {
		all[thingID{"member", s.Cluster, name + "/" + m.Address + m.PodUID}] =
			line{s.Namespace, s.Name, strings.TrimSpace(m.Pod+" "+m.Address) + " " + readiness(m.Ready)}
	}
}

func readiness(ready bool) string {
	if ready {
		return "ready"
	}
	return "not ready"
}

// things says that what is asked about has no nodes and cables.
func (f *filters) things() bool { return f.namespace+f.service+f.pod+f.selectorText != "" }

// infrastructure adds nodes, and where no cluster is asked about links, ports and endpoints.
func (f *filters) infrastructure(data *branch, all map[thingID]line) {
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, n := range c.each("nodes", "node") {
			s := n.in("state")
			text := readiness(s.truth("ready"))
			if s.truth("unschedulable") {
				text += ", unschedulable"
			}
			if problems := s.texts("problem"); len(problems) > 0 {
				text += ", " + strings.Join(problems, ", ")
			}
			all[thingID{"node", c.key("name"), n.key("name")}] = line{"", n.key("name"), text}
		}
	}
	if f.cluster != "" {
		return
	}
	for _, l := range readLinks(data) {
		name := l.A.String() + ">" + l.B.String()
		all[thingID{"link", "", name}] = line{"", name, "up"}
	}
	for _, s := range readSwitches(data) {
		for _, p := range s.Ports {
			name := s.Name + "/" + p.Name
			all[thingID{"port", "", name}] = line{"", name, p.status()}
		}
	}
	for _, e := range readEndpoints(data) {
		all[thingID{"endpoint", "", e.Address + e.Switch + e.Port}] = line{"", e.Address, e.Switch + "/" + e.Port + " " + e.MAC}
	}
}

func differenceColumns() []column[difference] {
	return []column[difference]{
		{"CHANGE", func(d difference) string { return d.Change }},
		{"KIND", func(d difference) string { return d.Kind }},
		{"CLUSTER", func(d difference) string { return d.Cluster }},
		{"NAMESPACE", func(d difference) string { return d.Namespace }},
		{"NAME", func(d difference) string { return d.Name }},
		{"WAS", func(d difference) string { return d.Was }},
		{"IS", func(d difference) string { return d.Is }},
	}
}
