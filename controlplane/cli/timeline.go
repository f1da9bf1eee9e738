package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/spf13/cobra"
)

// defaultSince is how far back a timeline begins.
const defaultSince = "1h"

// story is what a timeline is made of: what happened, and who belonged to whom meanwhile.
type story struct {
	happened []happening
	pods     map[string]*told // by subject
	members  map[string][]string
	nodes    map[string][]string // their addresses, by subject
	learned  map[string][]string // ports by the addresses that were learned there
	newest   time.Time
}

// told is what was said of a pod at any time.
type told struct {
	namespaced, cluster, node, workload string
	ports                               []string
}

func timelineCommand(o *options) *cobra.Command {
	f := &filters{}
	var sinceText, untilText string
	c := &cobra.Command{
		Use:   "timeline {service NAME | pod NAME | node NAME | port SWITCH PORT | port SWITCH/PORT}",
		Short: "Show what happened to something, in Kubernetes and in the network, in one list",
		Long: `Show what happened to a service and its pods, a pod, a node or a switch port: scaling, rolling
updates, moves, failures, Kubernetes Events, findings, ports, links and switches, in one list by time.

Names may have their namespace before them, as shop/cart. What came to be known only after
later things is marked late. Times are local, with their offset from UTC.`,
		Args: cobra.RangeArgs(2, 3),
		RunE: func(c *cobra.Command, args []string) error {
			topic, err := checkTopic(args)
			if err != nil {
				return err
			}
			if !o.at.IsZero() {
				return fmt.Errorf("--at: a timeline has --since and --until")
			}
			since, err := parseTime("--since", sinceText, o.now)
			if err != nil {
				return err
			}
			until := o.now
			if untilText != "" {
				if until, err = parseTime("--until", untilText, o.now); err != nil {
					return err
				}
			}
			if !since.Before(until) {
				return fmt.Errorf("--since: %s is not before --until, %s", since.Format(time.RFC3339), until.Format(time.RFC3339))
			}
			chosen, err := o.timeline(c.Context(), topic, f, since, until)
			if err != nil {
				return err
			}
			o.at, o.to = since, until
			return show(o, "happenings", chosen, happeningColumns(o), happeningColumns(o))
		},
	}
	c.Flags().StringVar(&f.cluster, "cluster", "", "only of clusters with this name")
	c.Flags().StringVarP(&f.namespace, "namespace", "n", "", "only of namespaces with this name")
	c.Flags().StringVar(&sinceText, "since", defaultSince, "the moment to begin at, in RFC 3339, as 10m ago or as \"yesterday 23:00\"")
	c.Flags().StringVar(&untilText, "until", "", "the moment to end at (default: now)")
	return c
}

// timeline gives what happened to a topic between two moments.
func (o *options) timeline(ctx context.Context, topic []string, f *filters, since, until time.Time) ([]happening, error) {
	if topic[0] == "port" {
		var err error
		if topic, err = o.resolvePort(ctx, topic, since, until); err != nil {
			return nil, err
		}
	}
	s, err := o.tell(ctx, since, until, topic, f)
	if err != nil {
		return nil, err
	}
	wanted := s.wanted(topic, f)
	if len(wanted) == 0 {
		return nil, o.missing(ctx, topic, f, since, until)
	}
	warnOfNamesakes(o, topic, wanted)
	return s.about(topic, wanted), nil
}

// tell reads what happened between two moments to a topic and what it depends on.
func (o *options) tell(ctx context.Context, since, until time.Time, topic []string, f *filters) (*story, error) {
	conn, err := o.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	q := &inquiry{client: gpb.NewGNMIClient(conn), o: o, since: since, until: until, asked: map[string]bool{}}
	if err := q.about(ctx, topic, f); err != nil {
		return nil, err
	}
	slices.SortStableFunc(q.steps, func(a, b step) int { return a.known.Compare(b.known) })
	s := &story{pods: map[string]*told{}, members: map[string][]string{}, nodes: map[string][]string{}, learned: map[string][]string{}}
	for _, st := range q.steps {
		s.learn(st.after)
		if !st.known.IsZero() {
			s.add(describe(st))
		}
	}
	slices.SortStableFunc(s.happened, func(a, b happening) int { return a.Time.Compare(b.Time) })
	return s, nil
}

// lateness is by how much a thing may have happened before one that was known earlier, without being late: the API
// server tells whole seconds.
const lateness = 2 * time.Second

func (s *story) add(list []happening) {
	for _, h := range list {
		h.Late = h.Time.Add(lateness).Before(s.newest)
		if h.Time.After(s.newest) {
			s.newest = h.Time
		}
		s.happened = append(s.happened, h)
	}
}

// learn notes who belongs to whom.
func (s *story) learn(t *thing) {
	cluster := t.keys["name"]
	pod := func(uid string) *told {
		key := podSubject(cluster, uid)
		if s.pods[key] == nil {
			s.pods[key] = &told{cluster: cluster}
		}
		return s.pods[key]
	}
	switch t.list[strings.LastIndexByte(t.list, '/')+1:] {
	case "pod":
		if p := pod(t.keys["uid"]); t.has("name") {
			p.namespaced = t.text("namespace") + "/" + t.text("name")
			p.node, p.workload = t.text("node"), t.text("namespace")+"/"+t.text("workload-kind")+"/"+t.text("workload-name")
		}
	case "attachment":
		p := pod(t.keys["uid"])
		if at := t.keys["switch"] + "/" + t.keys["interface"]; !slices.Contains(p.ports, at) {
			p.ports = append(p.ports, at)
		}
	case "node":
		key := nodeSubject(cluster, t.keys["node-name"])
		s.nodes[key] = append(s.nodes[key], t.texts("address")...)
	case "endpoint":
		s.learned[t.keys["address"]] = append(s.learned[t.keys["address"]], t.keys["switch"]+"/"+t.keys["interface"])
	case "service":
		key := serviceSubject(cluster, t.keys["namespace"]+"/"+t.keys["service-name"])
		s.members[key] = append(s.members[key], "")
	case "member":
		key := serviceSubject(cluster, t.keys["namespace"]+"/"+t.keys["service-name"])
		s.members[key] = append(s.members[key], podSubject(cluster, t.keys["pod-uid"]))
	}
}

// wanted are the subjects that a topic is about and depends on; none if there is nothing of its name.
func (s *story) wanted(topic []string, f *filters) map[string]bool {
	wanted := map[string]bool{}
	switch topic[0] {
	case "service":
		s.services(topic[1], f, wanted)
	case "pod":
		for key, p := range s.pods {
			if f.named(p.cluster, p.namespaced, topic[1]) {
				s.pod(key, wanted)
			}
		}
	case "node":
		s.node(topic[1], f, wanted)
	case "port":
		wanted[portSubject(topic[1]+"/"+topic[2])], wanted[switchSubject(topic[1])] = true, true
	}
	return wanted
}

// about chooses what happened to subjects; of a port also to what is at it.
func (s *story) about(topic []string, wanted map[string]bool) []happening {
	port := ""
	if topic[0] == "port" {
		port = topic[1] + "/" + topic[2]
	}
	var chosen []happening
	for _, h := range s.happened {
		switch {
		case port != "" && (h.Kind == "link" || strings.HasPrefix(h.Object, "link ")):
			if h.at != port {
				continue
			}
		case !wanted[h.subject] && !s.names(h, wanted) && (port == "" || h.at != port):
			continue
		}
		if h.Kind == "pod" && h.Object == "" {
			h.Object = s.pods[h.subject].namespaced
		}
		chosen = append(chosen, h)
	}
	return chosen
}

// names says whether a finding is about a pod, by its name, that is wanted.
func (s *story) names(h happening, wanted map[string]bool) bool {
	if h.pod == "" {
		return false
	}
	for key, p := range s.pods {
		if p.cluster == h.Cluster && p.namespaced == h.pod && wanted[key] {
			return true
		}
	}
	return false
}

// named says whether something in a cluster is what is asked about: by its name, or with the namespace before it.
func (f *filters) named(cluster, namespaced, want string) bool {
	namespace, name, _ := strings.Cut(namespaced, "/")
	return (namespaced == want || name == want) && (f.cluster == "" || f.cluster == cluster) && (f.namespace == "" || f.namespace == namespace)
}

func (s *story) services(want string, f *filters, wanted map[string]bool) {
	for key, pods := range s.members {
		_, rest, _ := strings.Cut(key, " ")
		cluster, namespaced, _ := strings.Cut(rest, " ")
		if !f.named(cluster, namespaced, want) {
			continue
		}
		wanted[key], wanted[clusterSubject(cluster)] = true, true
		for _, p := range pods {
			if p != "" {
				s.pod(p, wanted)
			}
		}
	}
}

// pod wants a pod with its workload, its node, its ports and their switches.
func (s *story) pod(key string, wanted map[string]bool) {
	wanted[key] = true
	p := s.pods[key]
	if p == nil {
		return
	}
	wanted[clusterSubject(p.cluster)], wanted[workloadSubject(p.cluster, p.workload)] = true, true
	if p.node != "" {
		wanted[nodeSubject(p.cluster, p.node)] = true
	}
	for _, at := range p.ports {
		on, _, _ := strings.Cut(at, "/")
		wanted[portSubject(at)], wanted[switchSubject(on)] = true, true
	}
}

// node wants a node with its pods and the ports that it was seen at.
func (s *story) node(want string, f *filters, wanted map[string]bool) {
	for key, p := range s.pods {
		if p.node == want && (f.cluster == "" || f.cluster == p.cluster) {
			s.pod(key, wanted)
		}
	}
	for key, addresses := range s.nodes {
		_, rest, _ := strings.Cut(key, " ")
		cluster, name, _ := strings.Cut(rest, " ")
		if name != want || f.cluster != "" && f.cluster != cluster {
			continue
		}
		wanted[key], wanted[clusterSubject(cluster)] = true, true
		for _, a := range addresses {
			for _, at := range s.learned[a] {
				on, _, _ := strings.Cut(at, "/")
				wanted[portSubject(at)], wanted[switchSubject(on)] = true, true
			}
		}
	}
}

func happeningColumns(o *options) []column[happening] {
	return []column[happening]{
		{"TIME", func(h happening) string { return h.Time.In(o.now.Location()).Format("2006-01-02T15:04:05.000Z07:00") }},
		{"CLUSTER", func(h happening) string { return h.Cluster }},
		{"KIND", func(h happening) string { return h.Kind }},
		{"OBJECT", func(h happening) string { return h.Object }},
		{"WHAT", func(h happening) string {
			if h.Late {
				return h.What + " (known late)"
			}
			return h.What
		}},
	}
}
