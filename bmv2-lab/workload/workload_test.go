package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDocumentsAreComplete(t *testing.T) {
	options := DefaultOptions()
	all, err := documents(options)
	if err != nil {
		t.Fatal(err)
	}
	deployments := map[string]bool{ClusterDNS: false}
	for _, name := range Deployments() {
		deployments[name] = false
	}
	for _, document := range all {
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal(document, &head); err != nil {
			t.Fatal(err)
		}
		if path, err := objectPath(head); err != nil || !strings.HasSuffix(path, "/"+head.Name) {
			t.Errorf("%s %s: path %q, %v", head.Kind, head.Name, path, err)
		}
		if head.Kind != "Deployment" {
			continue
		}
		var deployment appsv1.Deployment
		decoder := json.NewDecoder(bytes.NewReader(document))
		decoder.DisallowUnknownFields() // a misspelt field would be dropped in silence
		if err := decoder.Decode(&deployment); err != nil {
			t.Errorf("%s: %v", head.Name, err)
		}
		deployments[head.Name] = true
		for _, container := range deployment.Spec.Template.Spec.Containers {
			if container.Image != options.Image {
				t.Errorf("%s: image %q", head.Name, container.Image)
			}
		}
	}
	for name, there := range deployments {
		if !there {
			t.Errorf("no deployment %s", name)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	err := Options{Image: "a b", NodePort: 80}.Validate()
	for _, field := range []string{"Image", "DNSAddress", "NodePort", "Replicas", "Rate"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, want an error that names %s", err, field)
		}
	}
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// start runs roles until the function that it gives is called.
func start(t *testing.T, roles ...[]string) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, len(roles))
	for _, role := range roles {
		go func() { ended <- Main(ctx, role, io.Discard) }()
	}
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range roles {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestServicesCallOneAnother(t *testing.T) {
	frontend, cart, store := freeAddress(t), freeAddress(t), freeAddress(t)
	stop := start(t,
		[]string{"frontend", "--listen=" + frontend, "--call=http://" + cart + "/", "--drain=10ms"},
		[]string{"cart", "--listen=" + cart, "--call=http://" + store + "/", "--version=7", "--drain=10ms"},
		[]string{"store", "--listen=" + store, "--padding=100", "--drain=10ms"},
	)
	caller := newCaller(time.Second)
	defer caller.close()
	var answer reply
	deadline := time.Now().Add(5 * time.Second)
	for {
		var err error
		if answer, err = caller.get(context.Background(), "http://"+frontend+"/"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // until the deadline
	}
	if len(answer.Calls) != 1 || answer.Calls[0].Service != "cart" || answer.Calls[0].Version != "7" ||
		len(answer.Calls[0].Calls) != 1 || answer.Calls[0].Calls[0].Service != "store" {
		t.Errorf("got %+v", answer)
	}
	stop()
	if _, err := caller.get(context.Background(), "http://"+frontend+"/"); err == nil {
		t.Error("the frontend answers after its end")
	}
}

func TestServiceTellsOfAFailedCall(t *testing.T) {
	address := freeAddress(t)
	start(t, []string{"cart", "--listen=" + address, "--call=http://" + freeAddress(t) + "/", "--drain=10ms"})
	caller := newCaller(time.Second)
	defer caller.close()
	deadline := time.Now().Add(5 * time.Second)
	for {
		_, err := caller.get(context.Background(), "http://"+address+"/")
		if err != nil && strings.Contains(err.Error(), "502") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v, want 502", err)
		}
		time.Sleep(10 * time.Millisecond) // until the deadline
	}
}

func TestLoadIsBounded(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_ = json.NewEncoder(w).Encode(reply{Service: "slow"})
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	generator := &generator{logger: slog.New(slog.DiscardHandler), slots: make(chan struct{}, 2), caller: newCaller(5 * time.Second)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		generator.request(ctx, []string{"http://" + listener.Addr().String() + "/"}, time.Millisecond)
	}()
	deadline := time.Now().Add(5 * time.Second)
	for generator.skipped.Load() < 3 {
		if time.Now().After(deadline) {
			t.Fatal("no request was skipped although two are under way")
		}
		time.Sleep(time.Millisecond) // until the deadline
	}
	cancel()
	close(release)
	<-ended
	if got := generator.succeeded.Load(); got != 2 || generator.failed.Load() != 0 {
		t.Errorf("%d succeeded and %d failed, want 2 and 0", got, generator.failed.Load())
	}
	server.Close()
	<-served
}

func TestMainRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"no role given":       nil,
		`unknown role "cook"`: {"cook"},
		"flag provided":       {"cart", "--colour=red"},
		`argument "extra"`:    {"cart", "extra"},
		"--rate -1":           {"client", "--target=http://127.0.0.1/", "--rate=-1"},
		"neither --target":    {"client"},
	} {
		if err := Main(context.Background(), args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want an error with %q", args, err, want)
		}
	}
}
