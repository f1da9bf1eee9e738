package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testConfig is a cluster on ports of its own, so that a lab may run meanwhile.
func testConfig(t *testing.T) Config {
	t.Helper()
	binaries, err := Find(moduleConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Name, config.Port, config.Binaries = "clustertest", 26443, binaries
	config.Directory = filepath.Join(os.TempDir(), "fabricscope-clustertest")
	t.Cleanup(func() {
		if t.Failed() {
			return // its logs say why
		}
		if err := os.RemoveAll(config.Directory); err != nil {
			t.Error(err)
		}
	})
	return config
}

// run starts a cluster and gives a function that stops it and its error.
func run(t *testing.T, config Config) (*Cluster, func() error) {
	t.Helper()
	cluster, err := New(config, Deps{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- cluster.Run(ctx) }()
	stop := func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() { _ = stop() })
	select {
	case <-cluster.Ready():
	case err := <-ended:
		t.Fatalf("the cluster did not start: %v", err)
	}
	return cluster, stop
}

func pids(t *testing.T, config Config, names ...string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(config.Directory, "pid", name))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = pid
	}
	return found
}

// TestControlPlane has one cluster for all its parts, since a start takes seconds.
func TestControlPlane(t *testing.T) {
	config := testConfig(t)
	begin := time.Now()
	cluster, stop := run(t, config)
	t.Logf("ready after %v", time.Since(begin))
	admin, err := cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	t.Run("version", func(t *testing.T) {
		version, err := admin.Discovery().ServerVersion()
		if err != nil || version.GitVersion != Version {
			t.Errorf("got %v and %v, want %s", version, err, Version)
		}
	})
	t.Run("nodes get pod CIDRs", func(t *testing.T) { testPodCIDRs(ctx, t, cluster, admin) })
	t.Run("fabricscope reads and does not write", func(t *testing.T) { testReader(ctx, t, cluster) })
	t.Run("nodes list nodes", func(t *testing.T) {
		path, err := cluster.NodeKubeconfig("one")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clientOf(t, path).CoreV1().Nodes().List(ctx, metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("components are restarted", func(t *testing.T) { testRestart(ctx, t, cluster, admin) })
	processes := pids(t, config, "etcd", KubeAPIServer, KubeControllerManager, KubeScheduler)
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for name, pid := range processes {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s (%d) outlived the cluster", name, pid)
		}
	}
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func testPodCIDRs(ctx context.Context, t *testing.T, cluster *Cluster, admin kubernetes.Interface) {
	for _, name := range []string{"one", "two"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := admin.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[netip.Prefix]string{}
	for _, name := range []string{"one", "two"} {
		for {
			node, err := admin.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if node.Spec.PodCIDR == "" {
				time.Sleep(20 * time.Millisecond) // until ctx ends
				continue
			}
			prefix := netip.MustParsePrefix(node.Spec.PodCIDR)
			if !cluster.config.PodCIDR.Overlaps(prefix) || prefix.Bits() != 24 || seen[prefix] != "" {
				t.Errorf("node %s got %v (others: %v)", name, prefix, seen)
			}
			seen[prefix] = name
			break
		}
	}
}

func testReader(ctx context.Context, t *testing.T, cluster *Cluster) {
	reader := clientOf(t, cluster.Kubeconfig(UserFabricscope))
	if _, err := reader.CoreV1().Pods("").List(ctx, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := reader.DiscoveryV1().EndpointSlices("").List(ctx, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := reader.CoreV1().Secrets("").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing secrets: got %v, want Forbidden", err)
	}
	if err := reader.CoreV1().Nodes().Delete(ctx, "one", metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("deleting a node: got %v, want Forbidden", err)
	}
}

// testRestart restarts etcd and the API server, after which the cluster is as it was.
func testRestart(ctx context.Context, t *testing.T, cluster *Cluster, admin kubernetes.Interface) {
	want, err := admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etcd", KubeAPIServer} {
		before := pids(t, cluster.Config(), name)
		if err := cluster.Restart(ctx, name); err != nil {
			t.Fatal(err)
		}
		if after := pids(t, cluster.Config(), name); after[name] == before[name] {
			t.Errorf("%s is still process %d", name, after[name])
		}
	}
	got, err := admin.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil || len(got.Items) != len(want.Items) {
		t.Errorf("%d nodes and %v, want %d", len(got.Items), err, len(want.Items))
	}
	if err := cluster.Restart(ctx, "kubelet"); err == nil {
		t.Error("a component that there is not was restarted")
	}
}

func TestRunShowsTheLogOfWhatFailed(t *testing.T) {
	config := testConfig(t)
	// An API server that says why and ends.
	directory := t.TempDir()
	for _, name := range executables() {
		script := "#!/bin/sh\necho first; echo cannot find the moon >&2; exit 3\n"
		if err := os.WriteFile(filepath.Join(directory, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config.Binaries = directory
	var log bytes.Buffer
	cluster, err := New(config, Deps{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	err = cluster.Run(context.Background())
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"clustertest", "kube-apiserver", "exit status 3", "cannot find the moon"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	etcd := pids(t, config, "etcd")["etcd"]
	if err := syscall.Kill(etcd, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("etcd (%d) outlived the failed start", etcd)
	}
}

func TestNewRefuses(t *testing.T) {
	config := DefaultConfig()
	config.Directory, config.Binaries = "relative", t.TempDir()
	config.ServiceCIDR = netip.MustParsePrefix("10.244.0.0/20")
	config.Port = 0
	_, err := New(config, Deps{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{`Directory "relative"`, "overlap", "Port 0"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	config = DefaultConfig()
	config.Directory, config.Binaries = t.TempDir(), t.TempDir()
	if _, err := New(config, Deps{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing executables: got %v", err)
	}
}

func TestClearTakesOnlyItsOwn(t *testing.T) {
	config := testConfig(t)
	cluster, err := New(config, Deps{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	stale, other := filepath.Join(config.Directory, "etcd", "member", "stale"), filepath.Join(config.Directory, "other")
	for path, content := range map[string]string{stale: "", other: "", cluster.pidFile("etcd"): fmt.Sprintln(os.Getpid())} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := cluster.clear(); err != nil { // this process is not etcd, and lives on
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stale data: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}
