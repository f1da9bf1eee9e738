package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// gatewayGroup is the Gateway API. It is no part of Kubernetes: its resources are definitions that an
// administrator adds, and may take away.
func gatewayGroup() schema.GroupVersion {
	return schema.GroupVersion{Group: "gateway.networking.k8s.io", Version: "v1"}
}

// gatewayResources are those of the Gateway API that lead from addresses to services.
func gatewayResources() []string {
	return []string{"gateways", "httproutes", "grpcroutes", "tlsroutes"}
}

// followGateways watches the resources of the Gateway API while there are such, until ctx ends.
func (c *cluster) followGateways(ctx context.Context, connection *http.Client) {
	following := map[string]context.CancelFunc{}
	var running sync.WaitGroup
	defer running.Wait()
	look := time.NewTicker(c.look)
	defer look.Stop()
	for {
		served, err := c.servedOf(ctx, gatewayGroup(), connection)
		for _, name := range gatewayResources() {
			stop, follows := following[name]
			switch serves := slices.Contains(served, name); {
			case err != nil: // not knowing whether it is there is no reason to forget it
			case serves && !follows:
				ctx, cancel := context.WithCancel(ctx)
				following[name] = cancel
				running.Go(func() { c.followDynamic(ctx, name, connection) })
			case !serves && follows:
				stop()
				delete(following, name)
			}
		}
		select {
		case <-ctx.Done():
			for _, stop := range following {
				stop()
			}
			return
		case <-look.C:
		}
	}
}

// servedOf names the resources of a group that the API server serves; none if it does not know the group.
func (c *cluster) servedOf(ctx context.Context, group schema.GroupVersion, connection *http.Client) ([]string, error) {
	client, err := restClient(*c.access.rest, group, connection)
	if err != nil {
		return nil, err
	}
	text, err := client.Get().AbsPath("/apis", group.Group, group.Version).SetHeader("Accept", "application/json").DoRaw(ctx)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("resources of %v: %w", group, err)
	}
	names := make([]string, len(list.APIResources))
	for i, r := range list.APIResources {
		names[i] = r.Name
	}
	return names, nil
}

// followDynamic watches one resource whose type is not compiled in, until ctx ends. Then nothing is known
// of it any more.
func (c *cluster) followDynamic(ctx context.Context, name string, connection *http.Client) {
	o := &observer{cluster: c, resource: name, next: connection.Transport}
	client, err := dynamic.NewForConfigAndClient(c.access.rest, &http.Client{Transport: o})
	if err != nil {
		c.log.Error("cannot watch", "resource", name, "error", err)
		return
	}
	c.health.extra(name)
	defer c.health.drop(name)
	if ctx.Err() != nil {
		return
	}
	api := client.Resource(gatewayGroup().WithResource(name))
	list := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return api.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return api.Watch(ctx, options)
		},
	}
	r := resource{name: name, kind: &unstructured.Unstructured{}, store: c.entrances.part(name)}
	c.follow(ctx, r, list, o)
	c.entrances.drop(name)
}

// gatewayObject is what is read of gateways and their routes (Gateway API v1, GatewaySpec and CommonRouteSpec).
type gatewayObject struct {
	Spec struct {
		GatewayClassName string             `json:"gatewayClassName"`
		Listeners        []gatewayListener  `json:"listeners"`
		ParentRefs       []gatewayReference `json:"parentRefs"`
		Rules            []struct {
			BackendRefs []gatewayReference `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
	Status struct {
		Addresses []struct {
			Value string `json:"value"`
		} `json:"addresses"`
	} `json:"status"`
}

type gatewayListener struct {
	Port uint16 `json:"port"`
}

// gatewayReference names an object; what is left out is a gateway or a service, in the route's namespace.
type gatewayReference struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func (r gatewayReference) key(namespace string) objectKey {
	if r.Namespace != "" {
		namespace = r.Namespace
	}
	return objectKey{namespace, r.Name}
}

// readGatewayObject makes an entrance of a gateway, and a route of everything else.
func readGatewayObject(cluster, resource string, object any) (any, error) {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("%s: got a %T", resource, object)
	}
	text, err := u.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("%s: %s/%s: %w", resource, u.GetNamespace(), u.GetName(), err)
	}
	var o gatewayObject
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("%s: %s/%s: %w", resource, u.GetNamespace(), u.GetName(), err)
	}
	if resource != "gateways" {
		return o.route(u.GetNamespace()), nil
	}
	f := inventory.Entrance{Cluster: cluster, Kind: inventory.EntranceGateway, Namespace: u.GetNamespace(), Name: u.GetName(),
		Class: o.Spec.GatewayClassName}
	for _, a := range o.Status.Addresses {
		f.Addresses, f.Hostnames = place(f.Addresses, f.Hostnames, a.Value, a.Value)
	}
	for _, l := range o.Spec.Listeners {
		f.Ports = append(f.Ports, l.Port)
	}
	slices.Sort(f.Ports)
	f.Ports = slices.Compact(f.Ports)
	return f, nil
}

func (o gatewayObject) route(namespace string) route {
	var r route
	for _, p := range o.Spec.ParentRefs {
		if p.Kind == "" || p.Kind == "Gateway" {
			r.gateways = append(r.gateways, p.key(namespace))
		}
	}
	for _, rule := range o.Spec.Rules {
		for _, b := range rule.BackendRefs {
			if b.Kind == "" || b.Kind == "Service" {
				k := b.key(namespace)
				r.services = append(r.services, k.namespace+"/"+k.name)
			}
		}
	}
	return r
}
