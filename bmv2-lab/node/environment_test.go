package node

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func field(path string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
}

func TestEnvironment(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "n", UID: "u", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeName: "worker1"},
	}
	facts := podFacts{podIP: netip.MustParseAddr("10.244.0.2"), hostIP: netip.MustParseAddr("10.1.1.11")}
	container := corev1.Container{Env: []corev1.EnvVar{
		{Name: "A", Value: "one"},
		{Name: "B", Value: "$(A) $(LATER) $$(A)"},
		{Name: "LATER", Value: "two"},
		{Name: "NAME", ValueFrom: field("metadata.name")},
		{Name: "APP", ValueFrom: field("metadata.labels['app']")},
		{Name: "IP", ValueFrom: field("status.podIP")},
		{Name: "HOST", ValueFrom: field("status.hostIP")},
		{Name: "NODE", ValueFrom: field("spec.nodeName")},
	}}
	got, _, err := environment(pod, container, facts)
	want := []string{"A=one", "B=one $(LATER) $(A)", "LATER=two", "NAME=p", "APP=web", "IP=10.244.0.2", "HOST=10.1.1.11", "NODE=worker1"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, difference:\n%s", err, diff)
	}
	for name, source := range map[string]*corev1.EnvVarSource{
		"FIELD":  field("status.phase"),
		"SECRET": {SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}},
	} {
		container.Env = []corev1.EnvVar{{Name: name, ValueFrom: source}}
		if _, _, err := environment(pod, container, facts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want an error that names it", name, err)
		}
	}
}

func TestExpand(t *testing.T) {
	variables := map[string]string{"A": "1", "EMPTY": ""}
	for text, want := range map[string]string{
		"": "", "$": "$", "a$": "a$", "$$": "$", "$(A)$(A)": "11", "$(": "$(", "$(A": "$(A", "$A": "$A", "[$(EMPTY)]": "[]", "$$$(A)": "$1", "$(B)": "$(B)",
	} {
		if got := expand(text, variables); got != want {
			t.Errorf("expand(%q): got %q, want %q", text, got, want)
		}
	}
}

func TestCommandOf(t *testing.T) {
	images := map[string]string{"shop": "/bin/shop"}
	variables := map[string]string{"V": "2"}
	for _, test := range []struct {
		container corev1.Container
		want      []string
	}{
		{corev1.Container{Image: "shop", Args: []string{"cart", "--version=$(V)"}}, []string{"/bin/shop", "cart", "--version=2"}},
		{corev1.Container{Image: "other", Command: []string{"sleep"}, Args: []string{"1"}}, []string{"sleep", "1"}},
	} {
		got, err := commandOf(test.container, images, variables)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("error %v, difference:\n%s", err, diff)
		}
	}
	if _, err := commandOf(corev1.Container{Image: "unknown"}, images, nil); err == nil || !strings.Contains(err.Error(), `"unknown"`) {
		t.Errorf("got %v, want an error that names the image", err)
	}
	if _, err := lookPath("no-such-program"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

func TestResolvConf(t *testing.T) {
	got := resolvConf("shop", "cluster.local", netip.MustParseAddr("10.96.0.10"))
	want := "nameserver 10.96.0.10\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnsupported(t *testing.T) {
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{}}}
	for want, spec := range map[string]corev1.PodSpec{
		"initContainers":     {InitContainers: []corev1.Container{{}}},
		"volume data":        {Volumes: []corev1.Volume{{Name: "data"}}},
		"livenessProbe":      {Containers: []corev1.Container{{LivenessProbe: probe}}},
		"startupProbe":       {Containers: []corev1.Container{{StartupProbe: probe}}},
		"lifecycle":          {Containers: []corev1.Container{{Lifecycle: &corev1.Lifecycle{}}}},
		"envFrom":            {Containers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{}}}}},
		"httpGet, tcpSocket": {Containers: []corev1.Container{{ReadinessProbe: &corev1.Probe{}}}},
	} {
		if err := unsupported(&corev1.Pod{Spec: spec}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	token := corev1.Volume{Name: "kube-api-access", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}}},
	}}}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{token}, Containers: []corev1.Container{{ReadinessProbe: probe}}}}
	if err := unsupported(pod); err != nil || !wantsToken(pod) {
		t.Errorf("got %v and wantsToken %v", err, wantsToken(pod))
	}
}
