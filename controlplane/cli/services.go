package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/spf13/cobra"
)

func servicesCommand(o *options) *cobra.Command {
	f := &filters{}
	vips := false
	c := &cobra.Command{
		Use:   "services",
		Short: "Show the addresses of each service and the pods behind it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.prepare(); err != nil {
				return err
			}
			data, err := f.askServices(c.Context(), o, vips)
			if err != nil {
				return err
			}
			f.warnOfClusters(o, data)
			services := f.services(readServices(data))
			if len(services) == 0 {
				if err := f.explainWith(c.Context(), o); err != nil {
					return err
				}
			}
			if vips {
				return show(o, "addresses", frontsOf(services, data), frontColumns(), frontColumns())
			}
			return show(o, "services", services, serviceColumns(), serviceColumnsWide())
		},
	}
	f.addClusterFlags(c.Flags())
	f.addFabricFlags(c.Flags())
	c.Flags().BoolVar(&vips, "vips", false, "a line for each address that a service answers under, with node ports, Ingresses and gateways")
	return c
}

// askServices asks for the services that the filters can admit, with vips also for what else they answer under; for all services
// where that is not known before.
func (f *filters) askServices(ctx context.Context, o *options, vips bool) (*branch, error) {
	data, found, err := f.askService(ctx, o, func(cluster, uid string) []*gpb.Path {
		return []*gpb.Path{inCluster(cluster, elem("pods"), entry("pod", "uid", uid), elem("attachments"))}
	})
	if err != nil {
		return nil, err
	}
	var paths []string
	if vips {
		paths = append(paths, entrancesPath, nodesPath+"/node/state")
	}
	if !found || len(f.services(readServices(data))) == 0 {
		data, paths = &branch{}, append(append(paths, f.servicePaths(vips || o.output != "table")...), clusterStatePath)
	}
	if len(paths) == 0 {
		return data, nil
	}
	return data, o.askInto(ctx, data, o.list(gpb.SubscriptionList_ONCE, paths))
}

// services keeps the services that the filters admit: by their own names and labels, and
// by the names and places of their members.
func (f *filters) services(services []service) []service {
	services = filterBy(services, f.cluster, func(s service) []string { return []string{s.Cluster} })
	services = filterBy(services, f.namespace, func(s service) []string { return []string{s.Namespace} })
	services = filterBy(services, f.service, func(s service) []string { return []string{s.Name} })
	services = filterBy(services, f.pod, func(s service) (names []string) {
		for _, m := range s.Members {
			names = append(names, m.Pod)
		}
		return names
	})
	services = filterByPlace(services, f, func(s service) (places []place) {
		for _, m := range s.Members {
			places = append(places, placesOf(m.Attachments)...)
		}
		return places
	})
	return slices.DeleteFunc(services, func(s service) bool { return !f.selector.matches(s.Labels) })
}

func serviceColumns() []column[service] {
	return []column[service]{
		{"CLUSTER", func(s service) string { return s.Cluster }},
		{"NAMESPACE", func(s service) string { return s.Namespace }},
		{"SERVICE", func(s service) string { return s.Name }},
		{"TYPE", func(s service) string { return s.Type }},
		{"VIP", func(s service) string { return joined(s.VIPs, func(v vip) string { return v.Address }) }},
		{"PORTS", func(s service) string { return joined(s.Ports, servicePort.String) }},
		{"MEMBERS", readyMembers},
	}
}

func serviceColumnsWide() []column[service] {
	return append(serviceColumns(),
		column[service]{"PODS", func(s service) string { return joined(s.Members, member.String) }},
		column[service]{"SELECTOR", func(s service) string { return labels(s.Selector) }})
}

func joined[T any](list []T, text func(T) string) string {
	parts := make([]string, len(list))
	for i, t := range list {
		parts[i] = text(t)
	}
	return strings.Join(parts, ",")
}

func labels(m map[string]string) string {
	parts := make([]string, 0, len(m))
	for k, v := range m {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// String gives a port as kubectl does.
func (p servicePort) String() string {
	if p.NodePort != 0 {
		return fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
	}
	return fmt.Sprintf("%d/%s", p.Port, p.Protocol)
}

// readyMembers gives how many members are ready, of how many.
func readyMembers(s service) string {
	ready := 0
	for _, m := range s.Members {
		if m.Ready {
			ready++
		}
	}
	return fmt.Sprintf("%d/%d", ready, len(s.Members))
}

// String gives a member as pod@switch/port, with its address where it has no pod.
func (m member) String() string {
	who := m.Pod
	if who == "" {
		who = m.Address
	}
	for i, a := range m.Attachments {
		separator := "+"
		if i == 0 {
			separator = "@"
		}
		who += separator + a.Switch + "/" + a.Port
	}
	return who
}
