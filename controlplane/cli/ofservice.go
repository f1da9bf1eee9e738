package cli

import (
	"context"
	"slices"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// askService asks for the services with exactly the name of --service, in those clusters and namespaces that the filters name,
// and for what of lists for the pods of their members: much less than everything. Where there are none nothing is found; then the
// names may be meant as parts of names.
func (f *filters) askService(ctx context.Context, o *options, of func(cluster, uid string) []*gpb.Path) (data *branch, found bool, err error) {
	data = &branch{}
	if f.service == "" {
		return data, false, nil
	}
	err = o.askInto(ctx, data, listOf(path(clusterStatePath),
		inCluster(f.cluster, elem("services"), entry("service", "namespace", f.namespace, "name", f.service), elem("state"))))
	if err != nil {
		return nil, false, err
	}
	var whole []*gpb.Path
	for _, s := range readServices(data) {
		whole = append(whole, inCluster(s.Cluster, elem("services"), entry("service", "namespace", s.Namespace, "name", s.Name)))
	}
	if len(whole) == 0 {
		return data, false, nil
	}
	if err := o.askAll(ctx, data, whole); err != nil {
		return nil, false, err
	}
	var behind []*gpb.Path
	for _, s := range readServices(data) {
		for _, m := range s.Members {
			if m.PodUID != "" {
				behind = append(behind, of(s.Cluster, m.PodUID)...)
			}
		}
	}
	return data, true, o.askAll(ctx, data, behind)
}

// askAll adds what is beneath paths to data, however many these are.
func (o *options) askAll(ctx context.Context, data *branch, paths []*gpb.Path) error {
	for some := range slices.Chunk(paths, inquiryPaths) {
		if err := o.askInto(ctx, data, listOf(some...)); err != nil {
			return err
		}
	}
	return nil
}

// listOf asks once for paths.
func listOf(paths ...*gpb.Path) *gpb.SubscriptionList {
	list := &gpb.SubscriptionList{Prefix: &gpb.Path{Target: target}, Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO}
	for _, p := range paths {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: p})
	}
	return list
}
