package kube_test

import (
	"context"
	"fmt"
	"net/netip"

	gocmp "github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// definition is a custom resource of the Gateway API, with whatever fields.
const definition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[1]ss.gateway.networking.k8s.io",
"annotations":{"api-approved.kubernetes.io":"https://github.com/kubernetes-sigs/gateway-api"}},
"spec":{"group":"gateway.networking.k8s.io","scope":"Namespaced","names":{"plural":"%[1]ss","singular":"%[1]s","kind":"%[2]s","listKind":"%[2]sList"},
"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`

const gateway = `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"namespace":"shop","name":"edge"},
"spec":{"gatewayClassName":"x","listeners":[{"name":"https","port":443,"protocol":"HTTPS"},{"name":"http","port":80,"protocol":"HTTP"}]},
"status":{"addresses":[{"type":"IPAddress","value":"198.51.100.9"},{"type":"Hostname","value":"edge.example"}]}}`

const httpRoute = `{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"namespace":"shop","name":"web"},
"spec":{"parentRefs":[{"name":"edge"}],"rules":[{"backendRefs":[{"name":"cart","port":80},{"name":"other","namespace":"far","port":80}]}]}}`

func (w *world) post(path, object string) {
	w.Helper()
	eventually(w.T, "create in "+path, func() error {
		err := w.server.client.Discovery().RESTClient().Post().AbsPath(path).Body([]byte(object)).Do(context.Background()).Error()
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err // until a definition is served
	})
}

// entrances lets an Ingress come, and the Gateway API with a gateway and its route, and go again.
func (w *world) entrances() {
	w.Helper()
	ctx := context.Background()
	api := w.server.client.NetworkingV1().Ingresses("shop")
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "cart", Port: networkingv1.ServiceBackendPort{Number: 80}}}
	ingress, err := api.Create(ctx, &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: networkingv1.IngressSpec{IngressClassName: new("nginx"), DefaultBackend: &backend, TLS: []networkingv1.IngressTLS{{Hosts: []string{"web.example"}}}}},
		metav1.CreateOptions{})
	w.must(err)
	ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "198.51.100.7"}, {Hostname: "lb.example"}}
	_, err = api.UpdateStatus(ctx, ingress, metav1.UpdateOptions{})
	w.must(err)
	web := inventory.Entrance{Cluster: "blue", Kind: "ingress", Namespace: "shop", Name: "web", Class: "nginx", Ports: []uint16{80, 443},
		Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}, Hostnames: []string{"lb.example"}, Services: []string{"shop/cart"}}
	w.entered("an ingress", web)

	definitions := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	w.post(definitions, fmt.Sprintf(definition, "gateway", "Gateway"))
	w.post(definitions, fmt.Sprintf(definition, "httproute", "HTTPRoute"))
	resources := "/apis/gateway.networking.k8s.io/v1/namespaces/shop/"
	w.post(resources+"gateways", gateway)
	w.post(resources+"httproutes", httpRoute)
	edge := inventory.Entrance{Cluster: "blue", Kind: "gateway", Namespace: "shop", Name: "edge", Class: "x", Ports: []uint16{80, 443},
		Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.9")}, Hostnames: []string{"edge.example"}, Services: []string{"far/other", "shop/cart"}}
	w.entered("a gateway with a route", edge, web)

	w.remove(resources + "httproutes/web")
	edge.Services = nil
	w.entered("a gateway without routes", edge, web)
	w.remove(definitions + "/gateways.gateway.networking.k8s.io")
	w.remove(definitions + "/httproutes.gateway.networking.k8s.io")
	w.entered("the Gateway API is gone", web)
	w.state("blue", "synced", "")
}

func (w *world) remove(path string) {
	w.Helper()
	w.must(w.server.client.Discovery().RESTClient().Delete().AbsPath(path).Do(context.Background()).Error())
}

// entered waits until these are the entrances of blue.
func (w *world) entered(what string, want ...inventory.Entrance) {
	w.Helper()
	eventually(w.T, what, func() error {
		var got []inventory.Entrance
		for e := range w.store.Now().All(inventory.KindEntrance) {
			if f := e.Fact.(inventory.Entrance); f.Cluster == "blue" {
				got = append(got, f)
			}
		}
		if diff := gocmp.Diff(want, got, sameAddresses); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}
