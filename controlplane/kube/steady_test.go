package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

// compaction cuts the way to blue while etcd and the server forget what happened: its watches cannot go
// on, and what happened meanwhile is a gap.
func (w *world) compaction() {
	w.Helper()
	ctx := context.Background()
	api := w.server.client.CoreV1().Pods("shop")
	w.proxy.cut()
	w.state("blue", "unreachable", "")
	cut := time.Now()
	brief := w.createPod(pods + 1)
	w.must(api.Delete(ctx, brief.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	w.server.kill() // its watch cache remembers, too
	w.compact()
	w.server.serve()
	w.proxy.join()
	w.state("blue", "synced", "")
	w.gap(cut, true)
	w.gap(time.Now(), false)
	w.settled("after a compaction")
	if _, known := w.store.Now().Get(inventory.Pod{Cluster: "blue", UID: string(brief.UID)}.Ref()); known {
		w.Error("a pod that nobody saw is known")
	}
}

// compact makes etcd forget all but the newest revision, through its gateway of JSON over HTTP.
func (w *world) compact() {
	w.Helper()
	ask := func(path, body string, into any) {
		answer, err := http.Post(w.server.etcdURL+path, "application/json", strings.NewReader(body))
		w.must(err)
		defer func() { _ = answer.Body.Close() }()
		if answer.StatusCode != http.StatusOK {
			w.Fatalf("etcd: %s: %s", path, answer.Status)
		}
		w.must(json.NewDecoder(answer.Body).Decode(into))
	}
	var status struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	ask("/v3/maintenance/status", "{}", &status)
	ask("/v3/kv/compaction", fmt.Sprintf(`{"revision": %q, "physical": true}`, status.Header.Revision), new(any))
	http.DefaultClient.CloseIdleConnections()
}

// rights applies the documented role to a service account and has green watched by it: it can do all that is
// needed and nothing else, an expired token is replaced by the next in its file, and what a smaller role
// may not read is named.
func (w *world) rights() {
	w.Helper()
	ctx := context.Background()
	w.applyRole()
	file := filepath.Join(w.TempDir(), "token")
	issue := func(seconds int64) string {
		answer, err := w.server.client.CoreV1().ServiceAccounts("fabricscope").CreateToken(ctx, "fabricscope",
			&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
		w.must(err)
		w.must(os.WriteFile(file+".new", []byte(answer.Status.Token), 0o600))
		w.must(os.Rename(file+".new", file))
		return answer.Status.Token
	}
	token := issue(600)
	restricted := w.clusters[1]
	restricted.TokenFile = file
	was, _ := w.store.Now().Get(inventory.Cluster{Name: "green"}.Ref())
	w.must(w.watcher.Set([]kube.Cluster{w.clusters[0], restricted}))
	eventually(w.T, "green is connected anew", func() error {
		e, _ := w.store.Now().Get(inventory.Cluster{Name: "green"}.Ref())
		if !e.Commit.After(was.Commit) {
			return fmt.Errorf("%+v", e)
		}
		return nil
	})
	w.state("green", "synced", "")
	w.settled("by the documented role")
	if e, _ := w.store.Now().Get(inventory.Cluster{Name: "green"}.Ref()); len(e.Fact.(inventory.Cluster).Denied) > 0 {
		w.Errorf("the documented role is too small: %+v", e.Fact)
	}
	w.nothingElse(token)

	// A token that is worth nothing any more, as an expired one: the next request is refused until the
	// file has another.
	w.must(w.server.client.CoreV1().ServiceAccounts("fabricscope").Delete(ctx, "fabricscope", metav1.DeleteOptions{}))
	w.server.kill() // ends the watches, which go on by the token that was good when they began
	w.server.serve()
	w.state("green", "unreachable", "401")
	w.applyRole()
	token = issue(600)
	w.state("green", "synced", "")

	role, err := w.server.client.RbacV1().ClusterRoles().Get(ctx, "fabricscope", metav1.GetOptions{})
	w.must(err)
	for i, rule := range role.Rules {
		if rule.APIGroups[0] == "networking.k8s.io" {
			role.Rules = append(role.Rules[:i:i], role.Rules[i+1:]...)
			break
		}
	}
	_, err = w.server.client.RbacV1().ClusterRoles().Update(ctx, role, metav1.UpdateOptions{})
	w.must(err)
	client := w.holding(token)
	eventually(w.T, "the server goes by the changed role", func() error { // it learns of it by a watch of its own
		if _, err := client.NetworkingV1().Ingresses("").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			return fmt.Errorf("listing ingresses: %v", err)
		}
		return nil
	})
	w.must(w.watcher.Set(w.clusters[:1]))
	eventually(w.T, "green is not watched", func() error { // or the watcher would see no difference
		if e, ok := w.store.Now().Get(inventory.Cluster{Name: "green"}.Ref()); ok {
			return fmt.Errorf("%+v", e.Fact)
		}
		return nil
	})
	w.must(w.watcher.Set([]kube.Cluster{w.clusters[0], restricted}))
	eventually(w.T, "ingresses are denied", func() error {
		e, _ := w.store.Now().Get(inventory.Cluster{Name: "green"}.Ref())
		if c, _ := e.Fact.(inventory.Cluster); c.State != "synced" || strings.Join(c.Denied, ",") != "ingresses" {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
}

// documented are the objects of the manifest that operators apply.
func (w *world) documented() (all [][]byte) {
	w.Helper()
	text, err := os.ReadFile("../../docs/kubernetes-rbac.yaml")
	w.must(err)
	for _, document := range strings.Split(string(text), "\n---\n") {
		object, err := yaml.YAMLToJSON([]byte(document))
		w.must(err)
		all = append(all, object)
	}
	return all
}

func (w *world) applyRole() {
	w.Helper()
	paths := map[string]string{"Namespace": "/api/v1/namespaces", "ServiceAccount": "/api/v1/namespaces/fabricscope/serviceaccounts",
		"ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles", "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"}
	for _, object := range w.documented() {
		var head metav1.PartialObjectMetadata
		w.must(yaml.Unmarshal(object, &head))
		err := w.server.client.Discovery().RESTClient().Post().AbsPath(paths[head.Kind]).Body(object).Do(context.Background()).Error()
		if !apierrors.IsAlreadyExists(err) {
			w.must(err)
		}
	}
}

// holding is a client with a token.
func (w *world) holding(token string) *kubernetes.Clientset {
	w.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: w.server.url(), BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: w.server.file("serving.crt")}})
	w.must(err)
	return client
}

// nothingElse asks the server what the token may, and compares it with the manifest.
func (w *world) nothingElse(token string) {
	w.Helper()
	ctx, client := context.Background(), w.holding(token)
	if _, err := client.CoreV1().Secrets("shop").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		w.Errorf("secrets: %v, want forbidden", err)
	}
	if err := client.CoreV1().Pods("shop").Delete(ctx, podName(5), metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		w.Errorf("deletion of a pod: %v, want forbidden", err)
	}
	role, err := w.server.client.RbacV1().ClusterRoles().Get(ctx, "fabricscope", metav1.GetOptions{})
	w.must(err)
	text, err := os.ReadFile("../../bmv2-lab/cluster/manifest.yaml")
	w.must(err)
	for _, document := range strings.Split(string(text), "\n---\n") {
		var lab rbacv1.ClusterRole
		w.must(yaml.Unmarshal([]byte(document), &lab))
		if lab.Kind == "ClusterRole" && lab.Name == "fabricscope" {
			if diff := gocmp.Diff(role.Rules, lab.Rules); diff != "" {
				w.Errorf("the lab's role is another than the documented one (-documented +lab):\n%s", diff)
			}
		}
	}
	for _, rule := range role.Rules {
		if verbs := strings.Join(rule.Verbs, ","); verbs != "list,watch" {
			w.Errorf("%v: %s", rule.Resources, verbs)
		}
	}
}

// removal takes green out of the configuration while all goes on, after an attempt that is refused.
func (w *world) removal() {
	w.Helper()
	before := w.store.Now().Version()
	if err := w.watcher.Set([]kube.Cluster{{Name: "red"}}); err == nil || !strings.Contains(err.Error(), "clusters[0] (red): needs kubeconfig or server") {
		w.Errorf("a cluster with no way to it: %v", err)
	}
	w.state("green", "synced", "")
	if v := w.store.Now().Version(); v != before {
		w.Errorf("a refused configuration changed something: version %d, was %d", v, before)
	}
	w.must(w.watcher.Set(w.clusters[:1]))
	eventually(w.T, "green is gone", func() error {
		v := w.store.Now()
		for _, k := range []inventory.Kind{inventory.KindCluster, inventory.KindPod, inventory.KindEvent, inventory.KindEntrance, inventory.KindMember} {
			for e := range v.All(k) {
				if e.Fact.Ref().Cluster == "green" {
					return fmt.Errorf("%+v", e.Fact)
				}
			}
		}
		return nil
	})
	w.state("blue", "synced", "")
	_, err := w.server.client.CoreV1().Namespaces().Create(context.Background(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "later"}}, metav1.CreateOptions{})
	w.must(err)
	eventually(w.T, "blue goes on", func() error {
		if _, ok := w.store.Now().Get(inventory.Namespace{Cluster: "blue", Name: "later"}.Ref()); !ok {
			return fmt.Errorf("no namespace later")
		}
		return nil
	})
}
