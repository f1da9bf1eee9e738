package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// maxNear is how many names are suggested at most.
const maxNear = 3

// near gives the names that may be meant by one that nothing has, the nearest first. Names that go on, as those of
// pods do, are compared as far as the other goes.
func near(want string, names []string) []string {
	limit := max(1, (len(want)+2)/3)
	distance := map[string]int{}
	for _, n := range names {
		d := levenshtein.ComputeDistance(strings.ToLower(want), strings.ToLower(n))
		if len(n) > len(want) {
			d = min(d, levenshtein.ComputeDistance(strings.ToLower(want), strings.ToLower(n[:len(want)])))
		}
		if n != "" && d <= limit {
			distance[n] = d
		}
	}
	list := sortedKeys(distance)
	slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(distance[a], distance[b]) })
	return list[:min(len(list), maxNear)]
}

// meant asks whether one of the names near one that nothing has is meant; empty when none is near.
func meant(want string, names []string) string {
	list := near(want, names)
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", strings.Join(list, ", "))
}

// explainWith is explain with what it has to ask for.
func (f *filters) explainWith(ctx context.Context, o *options) error {
	if f.none() {
		return nil
	}
	data, err := o.ask(ctx, namePaths()...)
	if err != nil {
		return err
	}
	f.explain(o, data)
	return nil
}

// explain says of filters by names which of them nothing has, when nothing was found.
func (f *filters) explain(o *options, data *branch) {
	names := map[string][]string{}
	add := func(kind string, name ...string) { names[kind] = append(names[kind], name...) }
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		add("cluster", c.key("name"))
	}
	for _, s := range readServices(data) {
		add("namespace", s.Namespace)
		add("service", s.Name)
	}
	for _, p := range readPods(data) {
		add("namespace", p.Namespace)
		add("pod", p.Name)
		for _, a := range p.Attachments {
			add("switch with pods behind it", a.Switch)
			add("port with pods behind it", a.Port, fmt.Sprint(a.Number))
		}
	}
	for _, w := range []struct{ kind, want string }{{"cluster", f.cluster}, {"namespace", f.namespace}, {"service", f.service}, {"pod", f.pod},
		{"switch with pods behind it", f.on}, {"port with pods behind it", f.port}} {
		if w.want != "" && !slices.ContainsFunc(names[w.kind], func(n string) bool { return strings.Contains(n, w.want) }) {
			fmt.Fprintf(o.Stderr, "No %s is called %q%s\n", w.kind, w.want, strings.TrimPrefix(cmp.Or(meant(w.want, names[w.kind]), "."), " "))
		}
	}
}
