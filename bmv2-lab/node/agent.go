package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// Agent is one node's agent. It is inert until Run.
type Agent struct {
	config  Config
	logger  *slog.Logger
	metrics *metrics
	ready   chan struct{} // closed by Run
	kit     *kit          // made by Run
	proxy   *process.Process
}

// New checks the configuration.
func New(config Config, deps Deps) (*Agent, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if deps.Logger == nil {
		return nil, errors.New("node: Deps.Logger is nil")
	}
	metrics, err := newMetrics(deps.Registerer, config.Name)
	if err != nil {
		return nil, err
	}
	return &Agent{
		config:  config,
		logger:  deps.Logger.With("node", config.Name),
		metrics: metrics,
		ready:   make(chan struct{}),
	}, nil
}

// Ready is closed when the node is Ready in the API.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

// Run clears what an earlier run left, registers the node, and runs its pods
// until the context ends (nil) or something that the node cannot do without
// fails. Pods, devices and rules are gone when it returns. It runs once.
func (a *Agent) Run(ctx context.Context) error {
	err := a.run(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("node %s: %w", a.config.Name, err)
	}
	return nil
}

func (a *Agent) run(ctx context.Context) error {
	namespace, err := netns.Open(a.config.Namespace)
	if err != nil {
		return err
	}
	defer namespace.Close()
	if err := a.equip(namespace); err != nil {
		return err
	}
	if err := a.clear(); err != nil {
		return fmt.Errorf("clear an earlier run: %w", err)
	}
	if err := os.MkdirAll(a.config.Directory, 0o755); err != nil {
		return fmt.Errorf("make the node's directory: %w", err)
	}
	relay, err := startRelay(namespace, a.kit.relayed, a.metrics.relayConnections)
	if err != nil {
		return err
	}
	defer relay.Stop()
	defer func() {
		if err := a.clearNetwork(); err != nil {
			a.logger.Error("cannot remove the node's devices and rules", "error", err)
		}
	}()
	if err := a.connect(ctx); err != nil {
		return err
	}
	if a.config.KubeProxy != "" {
		if a.proxy, err = a.startProxy(ctx); err != nil {
			return err
		}
		defer a.proxy.Stop(a.config.StopGrace)
	}
	return a.serve(ctx)
}

// equip reads the kubeconfig and makes what the pods' workers share.
func (a *Agent) equip(namespace *netns.Namespace) error {
	config, err := clientcmd.BuildConfigFromFlags("", a.config.Kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig %s: %w", a.config.Kubeconfig, err)
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return fmt.Errorf("kubeconfig %s: server: %w", a.config.Kubeconfig, err)
	}
	if address, err := netip.ParseAddrPort(server.Host); err != nil || !address.Addr().IsLoopback() {
		return fmt.Errorf("kubeconfig %s: server %s is not a loopback address with a port: the relay could not stand for it", a.config.Kubeconfig, config.Host)
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client with kubeconfig %s: %w", a.config.Kubeconfig, err)
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", a.config.Kubeconfig, err)
	}
	a.kit = &kit{
		config:    a.config,
		logger:    a.logger,
		metrics:   a.metrics,
		client:    client,
		api:       config,
		relayed:   server.Host,
		namespace: namespace,
	}
	return nil
}

// connect registers the node and sets up its bridge, overlay and masquerading.
func (a *Agent) connect(ctx context.Context) error {
	podCIDR, err := a.register(ctx)
	if err != nil {
		return err
	}
	if a.kit.pool, err = newAddressPool(podCIDR); err != nil {
		return err
	}
	gateway := netip.PrefixFrom(a.kit.pool.gateway, podCIDR.Bits())
	if err := makeBridge(ctx, a.kit.namespace, gateway, a.config.Overlay.MTU()); err != nil {
		return err
	}
	return masquerade(ctx, a.kit.namespace, a.config.ClusterCIDR, podCIDR)
}

// serve keeps the overlay and runs pods until the context ends or kube-proxy does.
func (a *Agent) serve(ctx context.Context) error {
	tunnel := &overlay{config: a.config.Overlay, namespace: a.kit.namespace, peers: map[string]peer{}}
	if err := tunnel.make(ctx, a.config.Address, a.kit.pool.prefix); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(a.kit.client, 0)
	nodes := factory.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	notice := func() {
		select {
		case changed <- struct{}{}:
		default: // noticed already
		}
	}
	if _, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notice() },
		UpdateFunc: func(any, any) { notice() },
		DeleteFunc: func(any) { notice() },
	}); err != nil {
		return fmt.Errorf("watch nodes: %w", err)
	}
	pods := informers.NewSharedInformerFactoryWithOptions(a.kit.client, 0, informers.WithTweakListOptions(func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", a.config.Name).String()
	}))

	inner, cancel := context.WithCancel(ctx)
	manager := newManager(inner, a.kit)
	if _, err := pods.Core().V1().Pods().Informer().AddEventHandler(manager); err != nil {
		cancel()
		return fmt.Errorf("watch pods: %w", err)
	}
	lease := make(chan struct{})
	go func() {
		defer close(lease)
		a.keepLease(inner)
	}()
	factory.Start(inner.Done())
	pods.Start(inner.Done())
	defer func() {
		cancel()
		factory.Shutdown()
		pods.Shutdown()
		manager.wait()
		<-lease
	}()
	return a.loop(inner, tunnel, changed, func() ([]*corev1.Node, error) { return nodes.Lister().List(labels.Everything()) })
}

// statusInterval is that of reports of an unchanged node's status.
const statusInterval = time.Minute

// loop brings the overlay in step with the nodes as they change. The node
// becomes Ready after the first time.
func (a *Agent) loop(ctx context.Context, tunnel *overlay, changed <-chan struct{}, list func() ([]*corev1.Node, error)) error {
	var proxyDone <-chan struct{}
	if a.proxy != nil {
		proxyDone = a.proxy.Done()
	}
	announced := false
	timer := time.NewTimer(statusInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-proxyDone:
			return a.proxy.Err()
		case <-timer.C:
		case <-changed:
		}
		again := statusInterval
		if err := a.synchronise(ctx, tunnel, list); err != nil {
			a.logger.Warn("the overlay is not complete, will try again", "error", err)
			again = time.Second
		}
		timer.Reset(again)
		if !announced {
			if err := a.reportNode(ctx, true, "pods are network namespaces"); err != nil {
				return err
			}
			announced = true
			a.logger.Info("node ready", "podCIDR", a.kit.pool.prefix)
			close(a.ready)
		}
	}
}

func (a *Agent) synchronise(ctx context.Context, tunnel *overlay, list func() ([]*corev1.Node, error)) error {
	nodes, err := list()
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	peers, err := peersOf(nodes, a.config.Name, a.config.Overlay.VNI)
	err = errors.Join(err, tunnel.set(ctx, peers))
	a.metrics.peers.Set(float64(len(tunnel.peers)))
	return err
}
