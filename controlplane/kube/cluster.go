package kube

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// cluster is one API and what is watched of it.
type cluster struct {
	name    string
	access  access
	retry   retry
	look    time.Duration // between looks for APIs that come and go
	sink    Sink
	log     *slog.Logger
	now     func() time.Time
	since   time.Time // until when it was watched before, in this run or an earlier one
	metrics *metrics

	entrances *entrances
	watched   []resource
	health    *health
}

type retry struct{ min, max time.Duration }

// resource is something that is watched.
type resource struct {
	name     string
	group    schema.GroupVersion
	kind     runtime.Object
	store    cache.ReflectorStore
	optional bool // can be done without where the credentials may not read it
}

// resources are what every cluster has.
func (c *cluster) resources(e *entrances) []resource {
	core := corev1.SchemeGroupVersion
	return []resource{
		{"namespaces", core, &corev1.Namespace{}, newMirror(c, "namespaces", namespaces{}), false},
		{"nodes", core, &corev1.Node{}, newMirror(c, "nodes", nodes{}), false},
		{"pods", core, &corev1.Pod{}, newMirror(c, "pods", pods{}), false},
		{"services", core, &corev1.Service{}, newMirror(c, "services", services{}), false},
		{"endpointslices", discoveryv1.SchemeGroupVersion, &discoveryv1.EndpointSlice{}, newMembers(c), false},
		{"ingresses", networkingv1.SchemeGroupVersion, &networkingv1.Ingress{}, e.part("ingresses"), true},
		{"events", core, &corev1.Event{}, newMirror(c, "events", events{}), true},
	}
}

// prepare makes what run fills.
func (c *cluster) prepare() {
	c.entrances = newEntrances(c)
	c.watched = c.resources(c.entrances)
	c.health = newHealth(c, c.watched)
}

// run follows every resource of the cluster until ctx ends. What cannot be followed at all is
// in the cluster's state.
func (c *cluster) run(ctx context.Context) {
	defer c.health.close()
	if c.access.rest == nil {
		<-ctx.Done()
		return
	}
	connection, err := rest.HTTPClientFor(c.access.rest)
	if err != nil {
		c.health.failed(c.watched[0].name, err)
		<-ctx.Done()
		return
	}
	defer utilnet.CloseIdleConnectionsFor(connection.Transport)
	// The reflectors' own lines repeat what the cluster's state says.
	ctx = klog.NewContext(ctx, logr.Discard())
	var running sync.WaitGroup
	defer running.Wait()
	for _, r := range c.watched {
		o := &observer{cluster: c, resource: r.name, next: connection.Transport}
		client, err := restClient(*c.access.rest, r.group, &http.Client{Transport: o})
		if err != nil {
			c.health.failed(r.name, err)
			continue
		}
		list := cache.NewFilteredListWatchFromClient(client, r.name, metav1.NamespaceAll, func(*metav1.ListOptions) {})
		running.Go(func() { c.follow(ctx, r, list, o) })
	}
	running.Go(func() { c.followGateways(ctx, connection) })
}

// restClient is a client that knows the objects of one group alone.
func restClient(cfg rest.Config, group schema.GroupVersion, connection *http.Client) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	cfg.GroupVersion = &group
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	cfg.APIPath = "/apis"
	if group.Group == "" {
		cfg.APIPath = "/api"
	}
	return rest.RESTClientForConfigAndClient(&cfg, connection)
}

// follow follows a resource until ctx ends. Its reflector asks for lists as streams, and of a server that does not know
// that, in pages.
func (c *cluster) follow(ctx context.Context, r resource, list *cache.ListWatch, o *observer) {
	quiet := logr.Discard()
	f := newFollowed(list, r.store, o)
	f.run(ctx, cache.NewReflectorWithOptions(f, r.kind, f, cache.ReflectorOptions{
		Name: c.name + "/" + r.name, Logger: &quiet, Clock: stoppingClock{done: ctx.Done()},
		Backoff: &wait.Backoff{Duration: c.retry.min, Cap: c.retry.max, Steps: 100, Factor: 2, Jitter: 0.5},
	}))
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
