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

// startClient runs the client against the NodePort of every worker of a cluster.
func (l *Lab) startClient(t *tenant, options workload.Options) error {
	args := []string{"client", "--rate", fmt.Sprint(min(t.rate, 2))}
	for _, w := range l.Topology.Workers(t.name()) {
		args = append(args, "--target", fmt.Sprintf("http://%s:%d/", w.Address.Addr(), options.NodePort), "--ping", w.Address.Addr().String())
	}
	host, err := l.host("client")
	if err != nil {
		return err
	}
	if t.client, err = l.inHost(host.Name, args...); err != nil {
		return err
	}
	l.undo(func() { t.client.Stop(stopGrace) })
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
