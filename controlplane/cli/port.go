package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/spf13/cobra"
)

// dweller is something behind a port, in JSON output.
type dweller struct {
	Kind      string    `json:"kind"` // port (itself), switch, endpoint, node or pod
	Cluster   string    `json:"cluster"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Since     time.Time `json:"since,omitzero"`
	Detail    string    `json:"detail"`
}

func portCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "port {SWITCH PORT | SWITCH/PORT}",
		Short: "Show whether a switch port is up and who lives, or lived (--at), behind it",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if args = apart(args); len(args) != 2 {
				return fmt.Errorf("port: %q is not as leaf1/swp3", args[0])
			}
			data, err := o.ask(c.Context(), nodesPath+"/node/state", clusterStatePath, linksPath, endpointsPath, switchStatePath, portsPath)
			if err != nil {
				return err
			}
			port, err := findPort(data, args[0], args[1])
			if err != nil {
				return err
			}
			if err := o.askBehind(c.Context(), data, args[0], port.Name); err != nil {
				return err
			}
			(&filters{}).warnOfClusters(o, data)
			(&filters{on: args[0]}).warnOfSwitches(o, data)
			all := dwellers(data, args[0], port.Name)
			if len(all) == 0 {
				fmt.Fprintln(o.Stderr, "Nothing is known behind it.")
			}
			self := dweller{Kind: "port", Name: args[0] + "/" + port.Name, Since: port.Since, Detail: port.status()}
			return show(o, "inhabitants", append([]dweller{self}, all...), dwellerColumns(o), dwellerColumns(o))
		},
	}
	return c
}

// apart gives the names of a switch and a port that are written as one.
func apart(args []string) []string {
	if on, port, ok := strings.Cut(args[0], "/"); ok && len(args) == 1 {
		return []string{on, port}
	}
	return args
}

// findPort gives a port that is named by its name or number. A port that nothing is known of
// is an error, so that a slip of the pen is not taken for emptiness.
func findPort(data *branch, on, port string) (fabricPort, error) {
	var switches []string
	for _, s := range readSwitches(data) {
		if switches = append(switches, s.Name); s.Name != on {
			continue
		}
		names := make([]string, len(s.Ports))
		for i, p := range s.Ports {
			if p.Name == port || fmt.Sprint(p.Number) == port {
				return p, nil
			}
			names[i] = p.Name
		}
		return fabricPort{}, fail("switch %s has no port %q; it has %s", on, port, strings.Join(names, ", "))
	}
	return fabricPort{}, fail("there is no switch %q%s", on, meant(on, switches))
}

// askBehind adds the pods behind a port to data, and their services.
func (o *options) askBehind(ctx context.Context, data *branch, on, port string) error {
	err := o.askInto(ctx, data, listOf(inCluster("", elem("pods"), elem("pod"), elem("attachments"), entry("attachment", "switch", on, "interface", port))))
	if err != nil {
		return err
	}
	var behind []*gpb.Path
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, p := range c.each("pods", "pod") {
			behind = append(behind, inCluster(c.key("name"), elem("pods"), entry("pod", "uid", p.key("uid")), elem("state")),
				inCluster(c.key("name"), elem("services"), elem("service"), elem("members"), entry("member", "pod-uid", p.key("uid"))))
		}
	}
	return o.askAll(ctx, data, behind)
}

func dwellers(data *branch, on, port string) []dweller {
	var all []dweller
	for _, l := range readLinks(data) {
		if l.B.Switch == on && l.B.Port == port {
			all = append(all, dweller{Kind: "switch", Name: l.A.Switch, Since: l.Since, Detail: "link from " + l.A.String()})
		}
	}
	nodes := map[string][]dweller{}
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		for _, n := range c.each("nodes", "node") {
			for _, address := range n.in("state").texts("address") {
				nodes[address] = append(nodes[address], dweller{Kind: "node", Cluster: c.key("name"), Name: n.key("name")})
			}
		}
	}
	for _, e := range readEndpoints(data) {
		if e.Switch != on || e.Port != port {
			continue
		}
		who := nodes[e.Address]
		if len(who) == 0 {
			who = []dweller{{Kind: "endpoint", Name: e.Address}}
		}
		for _, d := range who {
			d.Address, d.Since, d.Detail = e.Address, e.Since, e.MAC
			all = append(all, d)
		}
	}
	for _, p := range readPods(data) {
		for _, a := range p.Attachments {
			if a.Switch != on || a.Port != port {
				continue
			}
			detail := strings.Join(p.Services, ",")
			if a.Conflict != "" {
				detail = strings.TrimSpace(detail + " (" + a.Conflict + ")")
			}
			all = append(all, dweller{"pod", p.Cluster, p.Namespace, p.Name, first(p.IPs), a.Since, detail})
		}
	}
	return all
}

func dwellerColumns(o *options) []column[dweller] {
	since := func(d dweller) string { return age(d.Since, o.reference()) }
	if o.output == "wide" {
		since = func(d dweller) string { return stamp(d.Since) }
	}
	return []column[dweller]{
		{"KIND", func(d dweller) string { return d.Kind }},
		{"CLUSTER", func(d dweller) string { return d.Cluster }},
		{"NAMESPACE", func(d dweller) string { return d.Namespace }},
		{"NAME", func(d dweller) string { return d.Name }},
		{"ADDRESS", func(d dweller) string { return d.Address }},
		{"SINCE", since},
		{"DETAIL", func(d dweller) string { return d.Detail }},
	}
}
