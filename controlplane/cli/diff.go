package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
			list, err := f.differences(c.Context(), o, to)
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

// differences asks for both moments and compares the answers.
func (f *filters) differences(ctx context.Context, o *options, to time.Time) ([]difference, error) {
	var states [2]map[string]line
	for i, at := range []time.Time{o.at, to} {
		then := *o
		then.at = at
		data, err := then.ask(ctx, f.differencePaths()...)
		if err != nil {
			return nil, err
		}
		f.warnOfClusters(&then, data)
		states[i] = f.lines(data)
	}
	var list []difference
	keys := maps.Clone(states[0])
	maps.Copy(keys, states[1])
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, before := states[0][key]
		is, after := states[1][key]
		d := difference{Change: "changed", Kind: keys[key].kind, Cluster: keys[key].cluster, Namespace: keys[key].namespace, Name: keys[key].name,
			Was: was.text, Is: is.text}
		switch {
		case !before:
			d.Change = "added"
		case !after:
			d.Change = "removed"
		case was.text == is.text:
			continue
		}
		list = append(list, d)
	}
	slices.SortStableFunc(list, func(a, b difference) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace))
	})
	return list, nil
}

// line is a thing with what matters of its state.
type line struct{ kind, cluster, namespace, name, text string }

// lines describes everything that the filters admit, by a key that stays.
func (f *filters) lines(data *branch) map[string]line {
	all := map[string]line{}
	add := func(key string, l line) { all[l.kind+" "+l.cluster+" "+key] = l }
	for _, p := range f.pods(readPods(data)) {
		var at []string
		for _, a := range p.Attachments {
			at = append(at, a.Switch+"/"+a.Port)
		}
		state := "not ready"
		if p.Ready {
			state = "ready"
		}
		add(p.UID, line{"pod", p.Cluster, p.Namespace, p.Name, strings.Join(slices.DeleteFunc([]string{state, strings.Join(p.IPs, ","),
			p.Node, strings.Join(at, "+")}, func(s string) bool { return s == "" }), " ")})
	}
	for _, s := range f.services(readServices(data)) {
		text := strings.Join([]string{s.Type, joined(s.VIPs, func(v vip) string { return v.Address }), joined(s.Ports, servicePort.String)}, " ")
		add(s.Namespace+"/"+s.Name, line{"service", s.Cluster, s.Namespace, s.Name, text})
		for _, m := range s.Members {
			state := "not ready"
			if m.Ready {
				state = "ready"
			}
			add(s.Namespace+"/"+s.Name+"/"+m.Address+m.PodUID, line{"member", s.Cluster, s.Namespace, s.Name, strings.TrimSpace(m.Pod+" "+m.Address) + " " + state})
		}
	}
	if !f.things() {
		f.infrastructure(data, add)
	}
	return all
}

// things says that what is asked about has no nodes and cables.
func (f *filters) things() bool { return f.namespace+f.service+f.pod+f.selectorText != "" }

// infrastructure describes nodes, links and endpoints.
func (f *filters) infrastructure(data *branch, add func(string, line)) {
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, n := range c.each("nodes", "node") {
			s := n.in("state")
			text := "not ready"
			if s.truth("ready") {
				text = "ready"
			}
			if s.truth("unschedulable") {
				text += ", unschedulable"
			}
			if problems := s.texts("problem"); len(problems) > 0 {
				text += ", " + strings.Join(problems, ", ")
			}
			if strings.Contains(c.key("name"), f.cluster) {
				add(n.key("name"), line{"node", c.key("name"), "", n.key("name"), text})
			}
		}
	}
	if f.cluster != "" {
		return
	}
	for _, l := range readLinks(data) {
		name := l.A.String() + ">" + l.B.String()
		add(name, line{"link", "", "", name, "up"})
	}
	for _, s := range readSwitches(data) {
		for _, p := range s.Ports {
			name := s.Name + "/" + p.Name
			add(name, line{"port", "", "", name, p.status()})
		}
	}
	for _, e := range readEndpoints(data) {
		add(e.Address+e.Switch+e.Port, line{"endpoint", "", "", e.Address, e.Switch + "/" + e.Port + " " + e.MAC})
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
