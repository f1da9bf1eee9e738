package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

//go:embed stages.yaml
var stages []byte

// clusterName is what the controller calls the cluster.
const clusterName = "scale"

const kwokName = "kwok"

// world is the cluster, what simulates its nodes, and another watcher of it.
type world struct {
	settings
	ctx     context.Context // ends when a part of the world does
	cancel  context.CancelCauseFunc
	cluster *cluster.Cluster
	ended   chan struct{}
	running []*process.Process
	client  kubernetes.Interface
	witness *witness
	places  []string // names of the pods there now
	d       *daemon

	generation int // of the pod that was made last
}

func startWorld(ctx context.Context, s settings) (*world, error) {
	c, err := newCluster(s)
	if err != nil {
		return nil, err
	}
	w := &world{settings: s, cluster: c, ended: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	go func() {
		defer close(w.ended)
		w.cancel(errors.Join(errors.New("the control plane ended"), c.Run(w.ctx)))
	}()
	if err := w.furnish(); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// newCluster has no controllers: kwok and this program write what they would, so that two cores serve the API.
func newCluster(s settings) (*cluster.Cluster, error) {
	build, err := cluster.DefaultBuildConfig()
	if err != nil {
		return nil, err
	}
	config := cluster.DefaultConfig()
	if config.Binaries, err = cluster.Find(build); err != nil {
		return nil, err
	}
	config.Name, config.Port, config.Directory = clusterName, clusterPort, filepath.Join(s.dir, "cluster")
	config.PodCIDR, config.ServiceCIDR = netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/16")
	config.WithoutControllers = true
	config.StartTimeout = 5 * time.Minute // an API server reads everything before it is ready
	return cluster.New(config, cluster.Deps{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

func (w *world) furnish() error {
	select {
	case <-w.cluster.Ready():
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	config, err := clientcmd.BuildConfigFromFlags("", w.cluster.Kubeconfig(cluster.UserAdmin))
	if err != nil {
		return err
	}
	config.QPS = -1 // as fast as the server is
	config.ContentType = "application/vnd.kubernetes.protobuf"
	if w.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := w.startKwok(); err != nil {
		return err
	}
	w.witness = newWitness(w.client)
	return nil
}

// startKwok has kwok play the kubelet of every node. Leases are left out: nobody here watches them.
func (w *world) startKwok() error {
	config := filepath.Join(w.dir, "kwok.yaml")
	if err := os.WriteFile(config, stages, 0o644); err != nil {
		return err
	}
	return w.start(process.Spec{Name: kwokName, Path: w.kwok, Log: filepath.Join(w.dir, kwokName+".log"), Args: []string{
		"--kubeconfig=" + w.cluster.Kubeconfig(cluster.UserAdmin), "--config=" + config, "--manage-all-nodes=true", "--node-lease-duration-seconds=0",
	}})
}

// start runs a process whose end is that of the world.
func (w *world) start(spec process.Spec) error {
	p, err := w.launch(spec)
	if err != nil {
		return err
	}
	w.running = append(w.running, p)
	go func() {
		<-p.Done()
		w.cancel(p.Err())
	}()
	return nil
}

func (w *world) stop() {
	w.cancel(nil)
	for _, p := range w.running {
		p.Stop(5 * time.Second)
	}
	if w.d != nil {
		w.d.stop()
	}
	<-w.ended
}

// until waits for a condition, and tells every ten seconds how far it is.
func (w *world) until(what string, progress func() (done, of int)) error {
	look, said := time.NewTicker(20*time.Millisecond), time.Now()
	defer look.Stop()
	for {
		done, of := progress()
		if done >= of {
			return nil
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			report("  %s: %d of %d", what, done, of)
		}
		select {
		case <-w.ctx.Done():
			return fmt.Errorf("%s: %d of %d: %w", what, done, of, context.Cause(w.ctx))
		case <-look.C:
		}
	}
}
