package kube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

// kubeconfig is the text of one with a context, a cluster and a user.
func kubeconfig(server, cluster, user string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"+
		"clusters: [{name: k, cluster: {server: %q, %s}}]\nusers: [{name: u, user: {%s}}]\n", server, cluster, user)
}

func TestCheckNamesFileAndField(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	head := "apiVersion: v1\nkind: Config\n"
	context := "contexts: [{name: c, context: {cluster: k, user: u}}]\ncurrent-context: c\n"
	server := "clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\n"
	at := "https://127.0.0.1:1"
	for name, c := range map[string]struct {
		cluster kube.Cluster
		want    []string
	}{
		"missing":    {kube.Cluster{Kubeconfig: filepath.Join(dir, "none")}, []string{"cluster blue", filepath.Join(dir, "none")}},
		"directory":  {kube.Cluster{Kubeconfig: dir}, []string{dir, "is a directory"}},
		"empty":      {kube.Cluster{Kubeconfig: write("empty", "\n")}, []string{filepath.Join(dir, "empty"), "is empty"}},
		"no YAML":    {kube.Cluster{Kubeconfig: write("text", "x: [")}, []string{filepath.Join(dir, "text")}},
		"no context": {kube.Cluster{Kubeconfig: write("nocontext", head+server)}, []string{"nocontext", "current-context"}},
		"wrong context": {kube.Cluster{Kubeconfig: write("wrongcontext", head+context+server), Context: "prod"},
			[]string{"wrongcontext", "contexts", `"prod"`}},
		"no cluster": {kube.Cluster{Kubeconfig: write("nocluster", head+context)}, []string{"nocluster", "contexts[c].cluster", `"k"`}},
		"no user":    {kube.Cluster{Kubeconfig: write("nouser", head+context+server)}, []string{"nouser", "contexts[c].user", `"u"`}},
		"no server": {kube.Cluster{Kubeconfig: write("noserver", head+context+"clusters: [{name: k, cluster: {}}]\nusers: [{name: u, user: {}}]\n")},
			[]string{"noserver", "clusters[k].server"}},
		"lost certificate": {kube.Cluster{Kubeconfig: write("lostcert", kubeconfig(at, "", "client-certificate: lost.crt, client-key: lost.key"))},
			[]string{"lostcert", "users[u].client-certificate", "lost.crt"}},
		"certificate without a key": {kube.Cluster{Kubeconfig: write("nokey", kubeconfig(at, "", "client-certificate: "+write("x.crt", "x")))},
			[]string{"nokey", "users[u].client-certificate"}},
		"malformed certificate": {kube.Cluster{Kubeconfig: write("badcert", kubeconfig(at, "", "client-certificate-data: eA==, client-key-data: eA=="))},
			[]string{"badcert", "users[u].client-certificate-data and client-key-data"}},
		"no base64": {kube.Cluster{Kubeconfig: write("nobase64", kubeconfig(at, "certificate-authority-data: '%'", "token: t"))},
			[]string{"nobase64", "clusters[k].certificate-authority-data", "base64"}},
		"malformed CA": {kube.Cluster{Kubeconfig: write("badca", kubeconfig(at, "certificate-authority-data: eA==", "token: t"))},
			[]string{"badca", "clusters[k].certificate-authority-data"}},
		"lost CA": {kube.Cluster{Kubeconfig: write("lostca", kubeconfig(at, "certificate-authority: lost.crt", "token: t"))},
			[]string{"lostca", "clusters[k].certificate-authority", "lost.crt"}},
		"lost token": {kube.Cluster{Kubeconfig: write("losttoken", kubeconfig(at, "", "tokenFile: lost.token"))},
			[]string{"losttoken", "users[u].tokenFile", "lost.token"}},
		"missing plugin": {kube.Cluster{Kubeconfig: write("noplugin", kubeconfig(at, "",
			"exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: Never}"))},
			[]string{"noplugin", "users[u].exec.command", "no-such-plugin"}},
		"empty token":   {kube.Cluster{Server: at, TokenFile: write("token", "\n")}, []string{"token-file", "token", "is empty"}},
		"token of text": {kube.Cluster{Server: at, TokenFile: write("page", "<html>\n</html> ")}, []string{"token-file", "page", "is no token"}},
		"bad server":    {kube.Cluster{Server: "127.0.0.1:1", TokenFile: write("good", "t")}, []string{"server", "https://"}},
		"bad CA":        {kube.Cluster{Server: at, TokenFile: write("good", "t"), CAFile: write("ca", "x")}, []string{"ca-file", filepath.Join(dir, "ca")}},
		"neither":       {kube.Cluster{}, []string{"clusters[0]", "kubeconfig or server"}},
		"both":          {kube.Cluster{Server: "https://x", Kubeconfig: "x"}, []string{"clusters[0]", "excludes"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.cluster.Name = "blue"
			err := kube.Check([]kube.Cluster{c.cluster})
			if err == nil {
				t.Fatal("no error")
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
}

// wrong is a cluster that cannot be watched as its files are at first.
type wrong struct {
	kubeconfig string // its text; none: there is no file
	token      string // content of a token file, with which the cluster has no kubeconfig
	ca         string // path, with token
	want       []string
	asks       bool // the server is asked again and again
}

// TestWrongCredentials watches clusters with everything wrong that can be, beside one that is right. Each says what is
// wrong where, once however often it is tried, and is watched once its file is mended. The right one notices nothing.
func TestWrongCredentials(t *testing.T) {
	s := newAPIServer(t)
	s.serve()
	right, goodCA, goodUser := s.url(), "certificate-authority: "+s.file("serving.crt"), "token: "+token
	cases := map[string]wrong{
		"missing":     {want: []string{"no such file"}},
		"text":        {kubeconfig: "x: [", want: []string{"yaml"}},
		"context":     {kubeconfig: strings.Replace(kubeconfig(right, goodCA, goodUser), "current-context: c", "current-context: d", 1), want: []string{`contexts: there is none named "d"`}},
		"empty":       {kubeconfig: "\n", want: []string{"is empty"}},
		"certificate": {kubeconfig: kubeconfig(right, goodCA, "client-certificate-data: eA==, client-key-data: eA=="), want: []string{"users[u].client-certificate-data"}},
		"plugin":      {kubeconfig: kubeconfig(right, goodCA, "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: Never}"), want: []string{"users[u].exec.command", "no-such-plugin"}},
		"down": {kubeconfig: kubeconfig(fmt.Sprintf("https://127.0.0.1:%d", freePorts(t, 1)[0]), goodCA, goodUser),
			want: []string{"clusters[k].server: 127.0.0.1", "connection refused"}, asks: true},
		"name": {kubeconfig: kubeconfig("https://no-such-host.invalid:6443", goodCA, goodUser),
			want: []string{"clusters[k].server: lookup no-such-host.invalid"}, asks: true},
		"authority": {kubeconfig: kubeconfig(right, "certificate-authority: "+s.file("clients.crt"), goodUser),
			want: []string{"clusters[k].certificate-authority: ", "signed by unknown authority"}, asks: true},
		"expired": {kubeconfig: kubeconfig(right, goodCA, "client-certificate: "+s.file("expired.crt")+", client-key: "+s.file("expired.key")),
			want: []string{"users[u].client-certificate: namespaces: 401", "its client certificate expired at"}, asks: true},
		"token": {kubeconfig: kubeconfig(right, goodCA, "token: wrong"), want: []string{"users[u].token: namespaces: 401"}, asks: true},
		"broken-plugin": {kubeconfig: kubeconfig(right, goodCA, "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/false, interactiveMode: Never}"),
			want: []string{"users[u].exec: ", "/bin/false"}, asks: true},
		"token-file": {token: "wrong", ca: s.file("serving.crt"), want: []string{"token-file: ", ": namespaces: 401"}, asks: true},
		"ca-file":    {token: token, ca: s.file("clients.crt"), want: []string{"ca-file: " + s.file("clients.crt"), "unknown authority"}, asks: true},
	}
	for name, url := range strangers(t) {
		cases[name] = wrong{kubeconfig: kubeconfig(url, "insecure-skip-tls-verify: true", goodUser), want: []string{"clusters[k].server: "}, asks: true}
	}
	w := &credentialsWorld{T: t, dir: t.TempDir(), server: s}
	w.run(cases, kubeconfig(right, goodCA, goodUser))
	for name, c := range cases {
		w.says(name, c)
	}
	var asking []string
	for name, c := range cases {
		if c.asks {
			asking = append(asking, name)
		}
	}
	w.steady(asking...)
	for name, c := range cases {
		w.mend(name, c, kubeconfig(right, goodCA, goodUser))
	}
	for name := range cases {
		w.synced(name)
	}
	w.brokenLater()
	w.forbidden()
	w.synced("right")
	if gaps := w.metric("fabricscope_kube_failures_total", "right"); gaps > 0 {
		t.Errorf("the right cluster had %v failures", gaps)
	}
}

// strangers are servers that are no Kubernetes API.
func strangers(t *testing.T) map[string]string {
	t.Helper()
	answer := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}
	}
	login := httptest.NewTLSServer(answer(http.StatusOK, "text/html; charset=utf-8", "<html>log in</html>"))
	other := httptest.NewTLSServer(answer(http.StatusOK, "application/json", `{"hello": "world"}`))
	nothing := httptest.NewTLSServer(answer(http.StatusNotFound, "text/plain", "404 page not found"))
	plain := httptest.NewServer(answer(http.StatusOK, "text/plain", "hello"))
	for _, s := range []*httptest.Server{login, other, nothing, plain} {
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		t.Cleanup(s.Close)
	}
	return map[string]string{"login": login.URL, "other": other.URL, "nothing": nothing.URL, "no-tls": strings.Replace(plain.URL, "http:", "https:", 1),
		"mail": "https://" + mail(t)}
}

// mail is a server that speaks first, and no TLS.
func mail(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}

type credentialsWorld struct {
	*testing.T
	dir      string
	server   *apiServer
	store    *history.Store
	registry *prometheus.Registry
	clusters []kube.Cluster
}

func (w *credentialsWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w *credentialsWorld) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(w.path(name)+".new", []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(w.path(name)+".new", w.path(name)); err != nil {
		w.Fatal(err)
	}
}

// run watches all of the clusters, with one that is right among them.
func (w *credentialsWorld) run(cases map[string]wrong, right string) {
	w.Helper()
	for name, c := range cases {
		one := kube.Cluster{Name: name, Kubeconfig: w.path(name)}
		if c.kubeconfig != "" {
			w.write(name, c.kubeconfig)
		}
		if c.token != "" {
			w.write(name, c.token)
			w.copy(c.ca, name+".ca")
			one = kube.Cluster{Name: name, Server: w.server.url(), TokenFile: w.path(name), CAFile: w.path(name + ".ca")}
		}
		w.clusters = append(w.clusters, one)
	}
	w.write("right", right)
	w.clusters = append(w.clusters, kube.Cluster{Name: "right", Kubeconfig: w.path("right")})
	cfg := history.DefaultConfig()
	cfg.Dir = w.TempDir()
	log := slog.New(slog.NewTextHandler(w.Output(), nil))
	var err error
	if w.store, err = history.New(cfg, history.Deps{Log: log}); err != nil {
		w.Fatal(err)
	}
	w.registry = prometheus.NewRegistry()
	watch := kube.DefaultConfig()
	watch.RetryMin, watch.RetryMax, watch.Reread = 50*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	watch.Clusters = w.clusters
	watcher, err := kube.New(watch, kube.Deps{Sink: w.store, Log: log, Registerer: w.registry})
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- w.store.Run(ctx) }()
	go func() { ended <- watcher.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, <-ended); err != nil {
			w.Error(err)
		}
	})
}

func (w *credentialsWorld) copy(from, to string) {
	w.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		w.Fatal(err)
	}
	w.write(to, string(text))
}

func (w *credentialsWorld) entry(name string) (inventory.Entry, inventory.Cluster) {
	e, _ := w.store.Now().Get(inventory.Cluster{Name: name}.Ref())
	c, _ := e.Fact.(inventory.Cluster)
	return e, c
}

// says waits until a cluster's fact says what is wrong and where.
func (w *credentialsWorld) says(name string, c wrong) {
	w.Helper()
	want := append([]string{w.path(name)}, c.want...)
	eventually(w.T, name, func() error {
		_, fact := w.entry(name)
		for _, text := range want {
			if c.ca != "" {
				text = strings.ReplaceAll(text, c.ca, w.path(name+".ca"))
			}
			if c.token != "" && text == w.path(name) && c.ca != w.server.file("serving.crt") {
				continue // it is about the other file
			}
			if fact.State != "unreachable" || !strings.Contains(fact.Message, text) {
				return fmt.Errorf("%+v does not say %q", fact, text)
			}
		}
		return nil
	})
	_, fact := w.entry(name)
	w.Logf("%s: %s", name, fact.Message)
}

// steady waits until clusters were tried some times more, by which their facts must not change.
func (w *credentialsWorld) steady(names ...string) {
	w.Helper()
	w.tried(names) // until each of their resources has been refused
	before, said := map[string]inventory.Entry{}, map[string]string{}
	for _, name := range names {
		e, fact := w.entry(name)
		before[name], said[name] = e, fact.Message
	}
	w.tried(names)
	for _, name := range names {
		if after, now := w.entry(name); !after.Commit.Equal(before[name].Commit) {
			w.Errorf("%s said %q, and then %q", name, said[name], now.Message)
		}
	}
}

// tried waits until each cluster was tried some times more.
func (w *credentialsWorld) tried(names []string) {
	w.Helper()
	before := map[string]float64{}
	for _, name := range names {
		before[name] = w.metric("fabricscope_kube_failures_total", name)
	}
	for _, name := range names {
		eventually(w.T, name+" is tried again", func() error {
			if n := w.metric("fabricscope_kube_failures_total", name) - before[name]; n < 10 {
				return fmt.Errorf("%v times", n)
			}
			return nil
		})
	}
}

func (w *credentialsWorld) mend(name string, c wrong, right string) {
	w.Helper()
	if c.token == "" {
		w.write(name, right)
		return
	}
	w.write(name, token)
	w.copy(w.server.file("serving.crt"), name+".ca")
}

func (w *credentialsWorld) synced(name string) {
	w.Helper()
	eventually(w.T, name+" is synced", func() error {
		if _, fact := w.entry(name); fact.State != "synced" || fact.Message != "" {
			return fmt.Errorf("%+v", fact)
		}
		return nil
	})
}

// brokenLater spoils the file of a cluster that is watched, which goes on with what was there before and says so.
func (w *credentialsWorld) brokenLater() {
	w.Helper()
	good, err := os.ReadFile(w.path("right"))
	if err != nil {
		w.Fatal(err)
	}
	w.write("right", "x: [")
	eventually(w.T, "right says that its file is broken", func() error {
		if _, fact := w.entry("right"); fact.State != "synced" || !strings.Contains(fact.Message, w.path("right")) || !strings.Contains(fact.Message, "what was there before") {
			return fmt.Errorf("%+v", fact)
		}
		return nil
	})
	w.write("right", string(good))
	w.synced("right")
}

// forbidden takes one resource from the rights of a cluster's user, and gives it back.
func (w *credentialsWorld) forbidden() {
	w.Helper()
	ctx := context.Background()
	rules := func(core ...string) []rbacv1.PolicyRule {
		verbs := []string{"list", "watch"}
		return []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: core, Verbs: verbs},
			{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: verbs}}
	}
	roles := w.server.client.RbacV1()
	role, err := roles.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "limited"}, Rules: rules("namespaces", "nodes", "services")}, metav1.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
	_, err = roles.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "limited"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "limited"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "limited"}}}, metav1.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
	c := wrong{want: []string{"users[u].token: pods: 403 Forbidden: pods is forbidden: User \"limited\"", "kubernetes-rbac.yaml"}, asks: true}
	w.write("token", kubeconfig(w.server.url(), "certificate-authority: "+w.server.file("serving.crt"), "token: "+limitedToken))
	w.says("token", c)
	eventually(w.T, "token may not read two more", func() error {
		if _, fact := w.entry("token"); strings.Join(fact.Denied, " ") != "ingresses events" {
			return fmt.Errorf("denied: %v", fact.Denied)
		}
		return nil
	})
	w.steady("token")
	if _, known := w.store.Now().Get(inventory.Namespace{Cluster: "token", Name: "default"}.Ref()); !known {
		w.Error("what may be read is not known any more")
	}
	role.Rules = rules("namespaces", "nodes", "services", "pods")
	if _, err := roles.ClusterRoles().Update(ctx, role, metav1.UpdateOptions{}); err != nil {
		w.Fatal(err)
	}
	w.synced("token")
}

// metric sums up a counter's values of a cluster.
func (w *credentialsWorld) metric(name, cluster string) (sum float64) {
	w.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetName() == "cluster" && l.GetValue() == cluster {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}
