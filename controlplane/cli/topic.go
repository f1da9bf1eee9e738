package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// checkTopic gives the parts of what a timeline is about: what it is, and its name or names.
func checkTopic(args []string) ([]string, error) {
	want := map[string]int{"service": 2, "pod": 2, "node": 2, "port": 3}
	n, known := want[args[0]]
	if args[0] == "port" {
		args = append([]string{"port"}, apart(args[1:])...)
	}
	switch {
	case !known:
		return nil, fmt.Errorf("timeline: %q is not service, pod, node or port", args[0])
	case len(args) != n:
		return nil, fmt.Errorf("timeline %s: %d names are given", args[0], len(args)-1)
	}
	return args, nil
}

// when is the options for a question about a moment.
func (o *options) when(t time.Time) *options {
	then := *o
	then.at = t
	if !t.Before(o.now) {
		then.at = time.Time{}
	}
	return &then
}

// resolvePort gives the topic with the name of the port, which may be named by its number, as it was at one of two moments.
func (o *options) resolvePort(ctx context.Context, topic []string, since, until time.Time) ([]string, error) {
	var failed error
	for _, at := range []time.Time{until, since} {
		data, err := o.when(at).ask(ctx, switchesPath+"/switch/state", portsPath)
		if err != nil {
			return nil, err
		}
		if len(data.each("fabric", "switches", "switch")) == 0 {
			continue
		}
		p, err := findPort(data, topic[1], topic[2])
		if err == nil {
			return []string{topic[0], topic[1], p.Name}, nil
		}
		if failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return nil, failed
	}
	return topic, nil // who may not see switches may see what is at their ports
}

// missing says that there was nothing of a name, and which names near it there are at the end.
func (o *options) missing(ctx context.Context, topic []string, f *filters, since, until time.Time) error {
	between := fmt.Sprintf("between %s and %s", o.local(since), o.local(until))
	data, err := o.when(until).ask(ctx, podsPath+"/pod/state/name", servicesPath+"/service/state/name", nodesPath+"/node/state/name", clusterStatePath)
	if err != nil {
		return fail("there was no %s %q %s", topic[0], topic[1], between)
	}
	f.warnOfClusters(o, data)
	var names []string
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, b := range c.each(topic[0]+"s", topic[0]) {
			names = append(names, b.in("state").text("name"))
		}
	}
	slices.Sort(names)
	name := topic[1][strings.LastIndexByte(topic[1], '/')+1:]
	if slices.Contains(names, name) {
		return fail("there was no %s %q %s in the cluster and namespace that are asked about", topic[0], topic[1], between)
	}
	return fail("there was no %s %q %s%s", topic[0], topic[1], between, meant(name, slices.Compact(names)))
}

// warnOfNamesakes says that things in several clusters have the name that is asked about.
func warnOfNamesakes(o *options, topic []string, wanted map[string]bool) {
	var clusters []string
	for _, subject := range sortedKeys(wanted) {
		if name, ok := strings.CutPrefix(subject, "cluster "); ok {
			clusters = append(clusters, name)
		}
	}
	if topic[0] != "port" && len(clusters) > 1 {
		fmt.Fprintf(o.Stderr, "Clusters %s have a %s of that name; --cluster chooses one.\n", strings.Join(clusters, ", "), topic[0])
	}
}
