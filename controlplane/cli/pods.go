package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/spf13/cobra"
)

func podsCommand(o *options) *cobra.Command {
	f := &filters{}
	c := &cobra.Command{
		Use:   "pods",
		Short: "Show behind which switch port each pod sits",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.prepare(); err != nil {
				return err
			}
			data, err := f.askPods(c.Context(), o)
			if err != nil {
				return err
			}
			f.warnOfClusters(o, data)
			pods := f.pods(readPods(data))
			warnOfConflicts(o, pods)
			if len(pods) == 0 {
				if err := f.explainWith(c.Context(), o); err != nil {
					return err
				}
			}
			if o.forMachines() {
				return show(o, "pods", pods, nil, nil)
			}
			rows := podRows(pods, f)
			return show(o, "pods", rows, podColumns(o), podColumnsWide())
		},
	}
	f.addClusterFlags(c.Flags())
	f.addFabricFlags(c.Flags())
	c.Flags().StringVar(&f.ipText, "ip", "", "only with this address, or one in this subnet")
	return c
}

// askPods asks for the pods that the filters can admit, and all services of these; for all pods where that is not known before.
func (f *filters) askPods(ctx context.Context, o *options) (*branch, error) {
	data, found, err := f.askService(ctx, o, func(cluster, uid string) []*gpb.Path {
		return []*gpb.Path{inCluster(cluster, elem("pods"), entry("pod", "uid", uid)),
			inCluster(cluster, elem("services"), elem("service"), elem("members"), entry("member", "pod-uid", uid))}
	})
	if err != nil || found && len(f.pods(readPods(data))) > 0 {
		return data, err
	}
	return o.ask(ctx, append(f.podPaths(o.output != "table"), clusterStatePath)...)
}

// pods keeps the pods that the filters admit.
func (f *filters) pods(pods []*pod) []*pod {
	pods = filterBy(pods, f.cluster, func(p *pod) []string { return []string{p.Cluster} })
	pods = filterBy(pods, f.namespace, func(p *pod) []string { return []string{p.Namespace} })
	pods = filterBy(pods, f.service, func(p *pod) []string { return p.Services })
	pods = filterBy(pods, f.pod, func(p *pod) []string { return []string{p.Name} })
	if f.ip.IsValid() {
		pods = slices.DeleteFunc(pods, func(p *pod) bool { return !slices.ContainsFunc(p.IPs, f.hasIP) })
	}
	pods = filterByPlace(pods, f, func(p *pod) []place { return placesOf(p.Attachments) })
	return slices.DeleteFunc(pods, func(p *pod) bool { return !f.selector.matches(p.Labels) })
}

// podRow is a line of the table: a pod at one of its places.
type podRow struct {
	*pod
	at attachment
}

// podRows gives a row for each place that the filters admit, and one for a pod without.
func podRows(pods []*pod, f *filters) []podRow {
	rows := make([]podRow, 0, len(pods))
	for _, p := range pods {
		if len(p.Attachments) == 0 {
			rows = append(rows, podRow{pod: p})
		}
		for _, a := range p.Attachments {
			rows = append(rows, podRow{p, a})
		}
	}
	return filterByPlace(rows, f, func(r podRow) []place { return []place{{r.at.Switch, r.at.Port, r.at.Number}} })
}

func podColumns(o *options) []column[podRow] {
	return []column[podRow]{
		{"CLUSTER", func(r podRow) string { return r.Cluster }},
		{"NAMESPACE", func(r podRow) string { return r.Namespace }},
		{"POD", func(r podRow) string { return r.Name }},
		{"IP", func(r podRow) string { return first(r.IPs) }},
		{"NODE", func(r podRow) string { return r.Node }},
		{"SWITCH", func(r podRow) string { return r.at.Switch }},
		{"PORT", func(r podRow) string { return r.at.Port }},
		{"SINCE", func(r podRow) string { return age(r.at.Since, o.reference()) }},
	}
}

func podColumnsWide() []column[podRow] {
	return []column[podRow]{
		{"CLUSTER", func(r podRow) string { return r.Cluster }},
		{"NAMESPACE", func(r podRow) string { return r.Namespace }},
		{"POD", func(r podRow) string { return r.Name }},
		{"IP", func(r podRow) string { return strings.Join(r.IPs, ",") }},
		{"NODE", func(r podRow) string { return r.Node }},
		{"SWITCH", func(r podRow) string { return r.at.Switch }},
		{"PORT", func(r podRow) string { return r.at.Port }},
		{"SINCE", func(r podRow) string { return stamp(r.at.Since) }},
		{"KNOWN-BY", func(r podRow) string { return r.at.Evidence }},
		{"CONFIDENCE", func(r podRow) string { return percent(r.at) }},
		{"CONFLICT", func(r podRow) string { return r.at.Conflict }},
		{"PHASE", func(r podRow) string { return r.Phase }},
		{"READY", func(r podRow) string { return fmt.Sprint(r.Ready) }},
		{"SERVICES", func(r podRow) string { return strings.Join(r.Services, ",") }},
		{"WORKLOAD", func(r podRow) string { return strings.Trim(r.Workload.Kind+"/"+r.Workload.Name, "/") }},
		{"UID", func(r podRow) string { return r.UID }},
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func percent(a attachment) string {
	if a.Switch == "" {
		return ""
	}
	return fmt.Sprintf("%d%%", a.Confidence)
}
