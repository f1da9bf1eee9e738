package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// TestProber probes a server in this process's own namespace.
func TestProber(t *testing.T) {
	needs(t)
	namespace, err := netns.Open(netns.PathOfPID(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer namespace.Close()
	status := make(chan int, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(<-status) }))
	defer server.Close()
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	probe := &corev1.Probe{FailureThreshold: 2, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("web")}}}
	prober := &prober{
		unit:  20 * time.Millisecond,
		probe: probe, namespace: namespace, address: address.Addr().String(),
		ports: []corev1.ContainerPort{{Name: "web", ContainerPort: int32(address.Port())}},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, code := range []int{500, 200, 500, 200, 500, 503, 200} {
		status <- code
	}
	// A single failure of a ready container is below the threshold.
	changes := make(chan bool, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		prober.run(ctx, func(ready bool, _ error) { changes <- ready })
	}()
	for i, want := range []bool{true, false, true} {
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("change %d: got %v, want %v", i, got, want)
			}
		case <-ctx.Done():
			t.Fatalf("change %d did not come", i)
		}
	}
	cancel()
	status <- 200 // in case a probe waits for it
	<-done
}

func TestProbeErrors(t *testing.T) {
	needs(t)
	namespace, err := netns.Open(netns.PathOfPID(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer namespace.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	prober := &prober{
		namespace: namespace, address: "127.0.0.1",
		probe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(int32(port))}}},
	}
	if err := prober.once(context.Background()); err != nil {
		t.Errorf("an open port: %v", err)
	}
	listener.Close()
	if err := prober.once(context.Background()); err == nil {
		t.Error("a closed port: no error")
	}
	prober.probe.TCPSocket.Port = intstr.FromString("absent")
	if err := prober.once(context.Background()); err == nil || !strings.Contains(err.Error(), `"absent"`) {
		t.Errorf("got %v, want an error that names the port", err)
	}
	prober.probe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "echo why >&2; exit 1"}}}
	if err := prober.once(context.Background()); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("got %v, want what the command wrote", err)
	}
	prober.probe.ProbeHandler = corev1.ProbeHandler{}
	if err := prober.once(context.Background()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("no action: got %v", err)
	}
}
