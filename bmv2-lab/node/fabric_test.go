package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// shopArgument as the first makes the test executable a role of the shop: it
// is the image of the pods in these tests.
const shopArgument = "-fabriclab-shop"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == shopArgument {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
		defer stop()
		if err := workload.Main(ctx, os.Args[2:], os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// testDirectory keeps the logs when a test fails.
var testDirectory = filepath.Join(os.TempDir(), "fabricscope-nodetest")

func logger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// fabric is two workers' namespaces on one bridge, which has a namespace of its own.
type fabric struct {
	workers []*netns.Namespace
	names   []string
}

const fabricNamespace = "fabriclab-test-fabric"

func workerName(i int) string        { return fmt.Sprintf("nodetest%d", i+1) }
func workerAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 1, byte(11 + i)}) }

func newFabric(t *testing.T, workers int) *fabric {
	t.Helper()
	made := &fabric{}
	remove := func() {
		for i := range workers {
			if err := netns.Remove("fabriclab-test-" + workerName(i)); err != nil {
				t.Error(err)
			}
		}
		if err := netns.Remove(fabricNamespace); err != nil {
			t.Error(err)
		}
	}
	remove() // what an earlier run left
	t.Cleanup(func() {
		for _, worker := range made.workers {
			worker.Close()
		}
		remove()
	})
	middle, err := netns.Add(fabricNamespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { middle.Close() })
	command(t, middle, "ip link add br0 type bridge mcast_snooping 0")
	command(t, middle, "ip link set br0 up")
	for i := range workers {
		name := "fabriclab-test-" + workerName(i)
		worker, err := netns.Add(name)
		if err != nil {
			t.Fatal(err)
		}
		made.workers, made.names = append(made.workers, worker), append(made.names, name)
		command(t, middle, fmt.Sprintf("ip link add port%d type veth peer name eth0 netns %s", i, name))
		command(t, middle, fmt.Sprintf("ip link set port%d master br0 up", i))
		command(t, worker, fmt.Sprintf("ip address add %v/24 dev eth0", workerAddress(i)))
		command(t, worker, "ip link set eth0 up")
		command(t, worker, "ethtool -K eth0 tx off rx off tso off gso off gro off")
	}
	return made
}

// command runs a command line in a namespace and gives what it prints.
func command(t *testing.T, namespace *netns.Namespace, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	words := strings.Fields(line)
	output, err := namespace.Run(ctx, "", words[0], words[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// startCluster runs a control plane on ports of its own until the test ends.
func startCluster(t *testing.T) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	build, err := cluster.DefaultBuildConfig()
	if err != nil {
		t.Fatal(err)
	}
	config := cluster.DefaultConfig()
	config.Name, config.Port = "nodetest", 26453
	config.Directory = filepath.Join(testDirectory, "cluster")
	if config.Binaries, err = cluster.Find(build); err != nil {
		t.Fatal(err)
	}
	started, err := cluster.New(config, cluster.Deps{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	runUntilCleanup(t, started.Run)
	t.Cleanup(func() {
		if !t.Failed() {
			os.RemoveAll(testDirectory)
		}
	})
	awaitReady(t, "control plane", started.Ready())
	client, err := started.Client()
	if err != nil {
		t.Fatal(err)
	}
	return started, client
}

// runUntilCleanup runs a component; an error from it fails the test. It gives a
// function that stops it early.
func runUntilCleanup(t *testing.T, run func(context.Context) error) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := run(ctx); err != nil {
			t.Errorf("a component ended: %v", err)
		}
	}()
	stop := func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func awaitReady(t *testing.T, what string, ready <-chan struct{}) {
	t.Helper()
	select {
	case <-ready:
	case <-time.After(90 * time.Second):
		t.Fatalf("%s is not ready", what)
	}
}

// agentConfig is a node of the cluster on a worker of the fabric.
func agentConfig(t *testing.T, control *cluster.Cluster, network *fabric, i int) Config {
	t.Helper()
	kubeconfig, err := control.NodeKubeconfig(workerName(i))
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Name, config.Address, config.Namespace = workerName(i), workerAddress(i), netns.PathOfName(network.names[i])
	config.Kubeconfig, config.ProxyKubeconfig = kubeconfig, control.Kubeconfig(cluster.UserKubeProxy)
	config.KubeProxy = filepath.Join(control.Config().Binaries, cluster.KubeProxy)
	config.Directory = filepath.Join(testDirectory, workerName(i))
	config.Images = map[string]string{workload.DefaultOptions().Image: shopExecutable(t)}
	return config
}

// shopExecutable is a script that runs the test executable as the shop.
func shopExecutable(t *testing.T) string {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "shop")
	script := fmt.Sprintf("#!/bin/sh\nexec %q %s \"$@\"\n", executable, shopArgument)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func startAgent(t *testing.T, config Config) (*Agent, func()) {
	t.Helper()
	agent, err := New(config, Deps{Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	return agent, runUntilCleanup(t, agent.Run)
}

// eventually polls until the condition gives nil, and fails with its last error otherwise.
func eventually(t *testing.T, what string, timeout time.Duration, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, timeout, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// needs fails the test, with the package to install, if a program is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("this test needs %s: %v", program, err)
		}
	}
}
