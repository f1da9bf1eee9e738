package kube_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// Tokens of an administrator, and of a user without rights.
const token, limitedToken = "test-token", "limited-token"

// apiServer is a real kube-apiserver with etcd, which a test kills and starts again. Nothing else of
// a control plane runs: what kubelets and controllers do the test does.
type apiServer struct {
	t         *testing.T
	dir       string
	binaries  string
	port      int
	etcdURL   string
	apiserver *process.Process
	client    kubernetes.Interface
}

// newAPIServer prepares one and starts its etcd alone.
func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	build, err := cluster.DefaultBuildConfig()
	if err != nil {
		t.Fatal(err)
	}
	binaries, err := cluster.Find(build)
	switch {
	case errors.Is(err, cluster.ErrNotBuilt) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	s := &apiServer{t: t, dir: t.TempDir(), binaries: binaries, port: ports[0],
		etcdURL: fmt.Sprintf("http://127.0.0.1:%d", ports[1])}
	s.writeKeys()
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[2])
	s.start("etcd", "/usr/bin/etcd", "--data-dir="+s.file("etcd"), "--listen-client-urls="+s.etcdURL,
		"--advertise-client-urls="+s.etcdURL, "--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer, "--log-level=error", "--unsafe-no-fsync")
	s.client, err = kubernetes.NewForConfig(&rest.Config{Host: s.url(), BearerToken: token,
		TLSClientConfig: rest.TLSClientConfig{CAFile: s.file("serving.crt")}, QPS: -1, WarningHandler: rest.NoWarnings{}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *apiServer) file(name string) string { return filepath.Join(s.dir, name) }

func (s *apiServer) url() string { return fmt.Sprintf("https://127.0.0.1:%d", s.port) }

func (s *apiServer) writeKeys() {
	s.t.Helper()
	crt, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	clients, expired, expiredKey := s.expiredClient()
	accounts, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"serving.crt": crt, "serving.key": key, "token": []byte(token),
		"tokens.csv":  []byte(token + ",tester,1,system:masters\n" + limitedToken + ",limited,2\n"),
		"clients.crt": clients, "expired.crt": expired, "expired.key": expiredKey,
		"accounts.key": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(accounts)}),
	} {
		if err := os.WriteFile(s.file(name), content, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

// expiredClient makes an authority of clients, and a certificate with its key that it signed and that is too old.
func (s *apiServer) expiredClient() (authority, client, clientKey []byte) {
	s.t.Helper()
	now := time.Now()
	template := func(subject string, until time.Time) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: subject, Organization: []string{"system:masters"}},
			NotBefore: now.Add(-2 * time.Hour), NotAfter: until, BasicConstraintsValid: true, IsCA: subject == "clients",
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	}
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	root := template("clients", now.Add(time.Hour))
	sign := func(of *x509.Certificate) []byte {
		der, err := x509.CreateCertificate(rand.Reader, of, root, signer.Public(), signer)
		if err != nil {
			s.t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		s.t.Fatal(err)
	}
	return sign(root), sign(template("tester", now.Add(-time.Hour))), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (s *apiServer) start(name, path string, args ...string) *process.Process {
	s.t.Helper()
	log := s.file(name + ".log")
	p, err := process.Start(process.Spec{Name: name, Path: path, Args: args, Log: log})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, process.Tail(log, 10))
		}
		p.Stop(0)
	})
	return p
}

// serve starts the API server and waits until it is ready.
func (s *apiServer) serve() {
	s.t.Helper()
	s.apiserver = s.start("kube-apiserver", filepath.Join(s.binaries, cluster.KubeAPIServer),
		"--etcd-servers="+s.etcdURL, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", s.port),
		"--tls-cert-file="+s.file("serving.crt"), "--tls-private-key-file="+s.file("serving.key"),
		"--token-auth-file="+s.file("tokens.csv"), "--client-ca-file="+s.file("clients.crt"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+s.file("accounts.key"),
		"--service-account-signing-key-file="+s.file("accounts.key"), "--service-cluster-ip-range=10.96.0.0/16",
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--profiling=false")
	eventually(s.t, "API server ready", func() error {
		select {
		case <-s.apiserver.Done():
			s.t.Fatal(s.apiserver.Err())
		default:
		}
		// The service of its own is the last object that it makes by itself: what comes later is the test's.
		_, err := s.client.CoreV1().Services(metav1.NamespaceDefault).Get(context.Background(), "kubernetes", metav1.GetOptions{})
		return err
	})
}

// kill ends the API server as kill -9 does; etcd goes on.
func (s *apiServer) kill() {
	s.t.Helper()
	if err := syscall.Kill(-s.apiserver.PID(), syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	<-s.apiserver.Done()
}

// kubeconfig writes one that reaches the server at url.
func (s *apiServer) kubeconfig(url string) string {
	s.t.Helper()
	path := s.file("kubeconfig")
	err := clientcmd.WriteToFile(api.Config{
		CurrentContext: "test",
		Contexts:       map[string]*api.Context{"test": {Cluster: "test", AuthInfo: "tester"}},
		Clusters:       map[string]*api.Cluster{"test": {Server: url, CertificateAuthority: s.file("serving.crt")}},
		AuthInfos:      map[string]*api.AuthInfo{"tester": {Token: token}},
	}, path)
	if err != nil {
		s.t.Fatal(err)
	}
	return path
}

// proxy is the way of a watcher to the API server, which a test cuts.
type proxy struct {
	t      *testing.T
	to     string
	listen string

	mu       sync.Mutex
	listener net.Listener // guarded by mu; nil while cut
	conns    []net.Conn   // guarded by mu
	running  sync.WaitGroup
}

func newProxy(t *testing.T, s *apiServer) *proxy {
	p := &proxy{t: t, to: fmt.Sprintf("127.0.0.1:%d", s.port), listen: fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])}
	p.join()
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) url() string { return "https://" + p.listen }

// join lets connections through.
func (p *proxy) join() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.listen)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.relay(conn) })
		}
	})
}

func (p *proxy) relay(from net.Conn) {
	to, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = from.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, from, to)
	cut := p.listener == nil
	p.mu.Unlock()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			if !cut {
				_, _ = io.Copy(pair[0], pair[1])
			}
			_ = from.Close()
			_ = to.Close()
		})
	}
	both.Wait()
}

// cut ends every connection and refuses new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.listener = nil
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.running.Wait()
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// eventually waits until ok gives no error.
func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 90 s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
