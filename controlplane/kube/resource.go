package kube

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// resource is something that is watched.
type resource struct {
	name  string
	group schema.GroupVersion
	kind  runtime.Object
	store cache.ReflectorStore
}

// run follows every resource of the cluster until ctx ends.
func (c *cluster) run(ctx context.Context) error {
	resources := []resource{
		{"namespaces", corev1.SchemeGroupVersion, &corev1.Namespace{}, newMirror(c, "namespaces", namespaces{})},
		{"nodes", corev1.SchemeGroupVersion, &corev1.Node{}, newMirror(c, "nodes", nodes{})},
		{"pods", corev1.SchemeGroupVersion, &corev1.Pod{}, newMirror(c, "pods", pods{})},
		{"services", corev1.SchemeGroupVersion, &corev1.Service{}, newMirror(c, "services", services{})},
		{"endpointslices", discoveryv1.SchemeGroupVersion, &discoveryv1.EndpointSlice{}, newMembers(c)},
	}
	names := make([]string, len(resources))
	for i, r := range resources {
		names[i] = r.name
	}
	c.health = newHealth(c, names)
	defer c.health.close()
	connection, err := rest.HTTPClientFor(c.rest)
	if err != nil {
		return err
	}
	defer utilnet.CloseIdleConnectionsFor(connection.Transport)
	// The reflectors' own lines repeat what the cluster's state says.
	ctx = klog.NewContext(ctx, logr.Discard())
	var running sync.WaitGroup
	defer running.Wait()
	for _, r := range resources {
		o := &observer{cluster: c, resource: r.name, next: connection.Transport}
		client, err := restClient(*c.rest, r.group, &http.Client{Transport: o})
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		reflector := c.reflector(ctx, r, o, client)
		running.Go(func() { reflector.RunWithContext(ctx) })
	}
	return nil
}

// restClient is a client that knows the objects of one group alone.
func restClient(cfg rest.Config, group schema.GroupVersion, connection *http.Client) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	cfg.GroupVersion = &group
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	cfg.APIPath = "/apis"
	if group.Group == "" {
		cfg.APIPath = "/api"
	}
	return rest.RESTClientForConfigAndClient(&cfg, connection)
}

func (c *cluster) reflector(ctx context.Context, r resource, o *observer, client *rest.RESTClient) *cache.Reflector {
	plain := cache.NewListWatchFromClient(client, r.name, metav1.NamespaceAll, fields.Everything())
	observed := &observed{ListWatch: plain, observer: o}
	quiet := logr.Discard()
	return cache.NewReflectorWithOptions(observed, r.kind, r.store, cache.ReflectorOptions{
		Name: c.name + "/" + r.name, Logger: &quiet, Clock: stoppingClock{done: ctx.Done()},
		Backoff: &wait.Backoff{Duration: c.retry.min, Cap: c.retry.max, Steps: 100, Factor: 2, Jitter: 0.5},
	})
}

// stoppingClock is the real clock, except that no pause outlasts the end of the run.
type stoppingClock struct {
	clock.RealClock
	done <-chan struct{}
}

// After implements clock.Clock.
func (c stoppingClock) After(d time.Duration) <-chan time.Time {
	fired := make(chan time.Time, 1)
	go func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case t := <-timer.C:
			fired <- t
		case <-c.done:
			fired <- time.Now()
		}
	}()
	return fired
}
