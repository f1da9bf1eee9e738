package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// impact is what a service would lose, in JSON output.
type impact struct {
	Cluster   string   `json:"cluster"`
	Namespace string   `json:"namespace"`
	Service   string   `json:"service"`
	Ready     int      `json:"ready"` // members that answer now
	Left      int      `json:"left"`  // of them afterwards
	Lost      []string `json:"lost"`  // pods, or addresses without one
	Verdict   string   `json:"verdict"`
}

// loss is what is taken out: one of these.
type loss struct {
	on, port, link, node string
}

func impactCommand(o *options) *cobra.Command {
	f, l := &filters{}, loss{}
	c := &cobra.Command{
		Use:   "impact {--switch NAME | --port SWITCH/PORT | --link SWITCH/PORT | --node NAME}",
		Short: "Show which services would lose what if a part of the fabric or a node failed",
		Long: `Show which services would lose ready members if a switch, a port, a cable or a node failed. Members
count as lost if no place of theirs is left, or if their switch is cut off from the largest part of the
fabric that still hangs together. A place at a port that is down already is none.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.validate(); err != nil {
				return err
			}
			data, err := o.ask(c.Context(), l.paths()...)
			if err != nil {
				return err
			}
			f.warnOfClusters(o, data)
			gone, err := l.unreachable(data, f.cluster)
			if err != nil {
				return err
			}
			services := filterBy(readServices(data), f.cluster, func(s service) []string { return []string{s.Cluster} })
			services = filterBy(services, f.namespace, func(s service) []string { return []string{s.Namespace} })
			if n := placeless(services); n > 0 && l.node == "" {
				fmt.Fprintf(o.Stderr, "Of %d ready members it is not known where they sit: they are counted as left.\n", n)
			}
			list := impacts(services, gone)
			return show(o, "services that would lose a member", list, impactColumns(), impactColumns())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.cluster, "cluster", "", "only of clusters with this name")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "only of namespaces with this name")
	flags.StringVar(&l.on, "switch", "", "the switch that fails")
	flags.StringVar(&l.port, "port", "", "the port that fails, as leaf1/swp3")
	flags.StringVar(&l.link, "link", "", "the cable that fails, named by a port at either end, as leaf1/swp1")
	flags.StringVar(&l.node, "node", "", "the node that fails")
	return c
}

func (l loss) validate() error {
	given := slices.DeleteFunc([]string{l.on, l.port, l.link, l.node}, func(s string) bool { return s == "" })
	if len(given) != 1 {
		return errors.New("one of --switch, --port, --link and --node is needed, and no more")
	}
	for flag, value := range map[string]string{"--port": l.port, "--link": l.link} {
		if on, port, ok := strings.Cut(value, "/"); value != "" && (!ok || on == "" || port == "") {
			return fmt.Errorf("%s: %q is not as leaf1/swp3", flag, value)
		}
	}
	return nil
}

// paths are what the loss is reckoned from.
func (l loss) paths() []string {
	paths := append(beneath(servicesPath+"/service/state", "namespace", "name"), clusterStatePath)
	paths = append(paths, beneath(membersPath+"/state", "address", "pod", "pod-uid", "node", "ready")...)
	if l.node != "" {
		return append(paths, nodesPath+"/node/state/name")
	}
	return append(append(paths, beneath(placesPath, "switch", "interface")...), linksPath, switchStatePath, portsPath)
}

// unreachable says which members are lost: those all of whose places are.
func (l loss) unreachable(data *branch, cluster string) (func(cluster string, m member) bool, error) {
	switches := readSwitches(data)
	if l.node != "" {
		return l.onNode(data, cluster)
	}
	name, port, onPort := strings.Cut(l.on+l.port+l.link, "/")
	if !slices.ContainsFunc(switches, func(s fabricSwitch) bool { return s.Name == name }) {
		var names []string
		for _, s := range switches {
			names = append(names, s.Name)
		}
		return nil, fail("there is no switch %q%s", name, meant(name, names))
	}
	if onPort {
		p, err := findPort(data, name, port)
		if err != nil {
			return nil, err
		}
		if at := name + "/" + p.Name; l.port != "" {
			l.port = at
		} else {
			l.link = at
		}
	}
	links := readLinks(data)
	if l.link != "" && !slices.ContainsFunc(links, func(f fabricLink) bool { return l.cuts(f) }) {
		return nil, fail("no cable is known at %s", l.link)
	}
	cut, down := l.cutOff(switches, links), portsDown(switches)
	return func(_ string, m member) bool { return l.takes(m, cut, down) }, nil
}

// takes says whether a member loses its last place: of those at switches that are cut off then and at ports that are
// down already it has none.
func (l loss) takes(m member, cut, down map[string]bool) bool {
	loses, left := false, false
	for _, a := range m.Attachments {
		at := a.Switch + "/" + a.Port
		switch {
		case down[at]:
		case cut[a.Switch] || a.Switch == l.on || at == l.port:
			loses = true
		default:
			left = true
		}
	}
	return loses && !left
}

// placeless counts the ready members, of which it is not known where they sit, each once however many services it has.
func placeless(services []service) int {
	list := map[string]bool{}
	for _, s := range services {
		for _, m := range s.Members {
			if m.Ready && len(m.Attachments) == 0 {
				list[s.Cluster+" "+m.Address+" "+m.PodUID] = true
			}
		}
	}
	return len(list)
}

// portsDown are the ports that are down already: a place there is none that is left.
func portsDown(switches []fabricSwitch) map[string]bool {
	down := map[string]bool{}
	for _, s := range switches {
		for _, p := range s.Ports {
			if p.Oper == "down" {
				down[s.Name+"/"+p.Name] = true
			}
		}
	}
	return down
}

func (l loss) onNode(data *branch, cluster string) (func(string, member) bool, error) {
	found := map[string]bool{}
	var names []string
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, n := range c.each("nodes", "node") {
			if names = append(names, n.key("name")); n.key("name") == l.node && (cluster == "" || c.key("name") == cluster) {
				found[c.key("name")] = true
			}
		}
	}
	if len(found) == 0 {
		return nil, fail("there is no node %q%s", l.node, meant(l.node, names))
	}
	return func(cluster string, m member) bool { return found[cluster] && m.Node == l.node }, nil
}

// cuts says whether a link goes over what fails.
func (l loss) cuts(f fabricLink) bool {
	for _, end := range []linkEnd{f.A, f.B} {
		if end.Switch == l.on || end.String() == l.link || end.String() == l.port {
			return true
		}
	}
	return false
}

// cutOff are the switches that nothing leads to any more, and something did before: where no cables are known, as without
// LLDP, none hangs on another.
func (l loss) cutOff(switches []fabricSwitch, links []fabricLink) map[string]bool {
	cut := l.isolated(switches, links)
	for name, was := range (loss{}).isolated(switches, links) {
		cut[name] = cut[name] && !was
	}
	return cut
}

// isolated are the switches that nothing else leads to any more: all but the largest group that hangs together.
func (l loss) isolated(switches []fabricSwitch, links []fabricLink) map[string]bool {
	group := map[string]string{}
	for _, s := range switches {
		group[s.Name] = s.Name
	}
	for _, f := range links {
		a, b := group[f.A.Switch], group[f.B.Switch]
		if l.cuts(f) || a == b {
			continue
		}
		for name, g := range group {
			if g == b {
				group[name] = a
			}
		}
	}
	size, largest := map[string]int{}, ""
	for _, s := range switches {
		if s.Name == l.on {
			continue
		}
		g := group[s.Name]
		if size[g]++; largest == "" || size[g] > size[largest] {
			largest = g
		}
	}
	cut := map[string]bool{}
	for name, g := range group {
		cut[name] = g != largest
	}
	return cut
}

// impacts are the services that lose ready members.
func impacts(services []service, gone func(string, member) bool) []impact {
	var list []impact
	for _, s := range services {
		i := impact{Cluster: s.Cluster, Namespace: s.Namespace, Service: s.Name, Lost: []string{}}
		for _, m := range s.Members {
			if !m.Ready {
				continue
			}
			i.Ready++
			if !gone(s.Cluster, m) {
				i.Left++
				continue
			}
			who := m.Pod
			if who == "" {
				who = m.Address
			}
			i.Lost = append(i.Lost, who)
		}
		if len(i.Lost) == 0 {
			continue
		}
		i.Verdict = "reduced"
		if i.Left == 0 {
			i.Verdict = "down"
		}
		list = append(list, i)
	}
	return list
}

func impactColumns() []column[impact] {
	return []column[impact]{
		{"CLUSTER", func(i impact) string { return i.Cluster }},
		{"NAMESPACE", func(i impact) string { return i.Namespace }},
		{"SERVICE", func(i impact) string { return i.Service }},
		{"VERDICT", func(i impact) string { return i.Verdict }},
		{"MEMBERS", func(i impact) string { return fmt.Sprintf("%d→%d", i.Ready, i.Left) }},
		{"LOST", func(i impact) string { return strings.Join(i.Lost, ",") }},
	}
}
