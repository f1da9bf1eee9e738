package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// startTraffic deploys the shop and starts the client outside of the cluster.
func (l *Lab) startTraffic() error {
	client, err := l.Cluster.Client()
	if err != nil {
		return err
	}
	options := workload.DefaultOptions()
	options.DNSAddress = l.Cluster.Config().DNSAddress()
	if err := workload.Apply(l.ctx, client, options); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.Config.Timeout)
	defer cancel()
	if err := workload.WaitReady(ctx, client); err != nil {
		return err
	}
	return l.startClient(options)
}

// startClient runs the client against the NodePort of every worker.
func (l *Lab) startClient(options workload.Options) error {
	args := []string{"client", "--rate", "2"}
	for _, w := range l.Topology.Workers() {
		args = append(args, "--target", fmt.Sprintf("http://%s:%d/", w.Address.Addr(), options.NodePort), "--ping", w.Address.Addr().String())
	}
	host, err := l.host("client")
	if err != nil {
		return err
	}
	if l.client, err = l.inHost(host.Name, args...); err != nil {
		return err
	}
	client := l.client
	l.undo(func() { client.Stop(stopGrace) })
	return nil
}

func (l *Lab) host(role string) (topology.Host, error) {
	for _, h := range l.Topology.Hosts {
		if h.Role == role {
			return h, nil
		}
	}
	return topology.Host{}, fmt.Errorf("the topology has no host with the role %q", role)
}

// nodesReady says whether want nodes are ready.
func nodesReady(ctx context.Context, client kubernetes.Interface, want int) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := 0
	for _, n := range nodes.Items {
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				ready++
			}
		}
	}
	if ready != want {
		return fmt.Errorf("%d of %d nodes are ready", ready, want)
	}
	return nil
}

// healthy asks the daemon how it does.
func healthy(address string) error {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get("http://" + address + "/healthz")
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
