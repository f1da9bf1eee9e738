package access_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/export"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// guarded is a lab behind a guard.
type guarded struct {
	*gnmitest.Lab
	dir       string
	servers   *authority
	clients   *authority
	registry  *prometheus.Registry
	cfg       access.Config
	facts     []inventory.Fact // besides the shop's
	stderr    io.Writer
	now       func() time.Time
	guard     *access.Guard
	authority *x509.CertPool // of the server
}

// prepare makes the files of a guard with client certificates in a mode.
func prepare(t *testing.T, mode string) *guarded {
	t.Helper()
	g := &guarded{dir: t.TempDir(), servers: newAuthority(t, "servers"), clients: newAuthority(t, "clients"), registry: prometheus.NewRegistry()}
	g.cfg = access.DefaultConfig()
	g.cfg.Refresh = 5 * time.Millisecond
	g.cfg.Certificate, g.cfg.Key = write(t, g.servers.server(t), g.dir, "server")
	if g.cfg.ClientCertificates = mode; mode != access.Off {
		g.cfg.ClientCA = g.clients.write(t, g.dir, "clients.crt")
	}
	g.authority = x509.NewCertPool()
	g.authority.AddCert(g.servers.cert)
	return g
}

// start runs the lab.
func (g *guarded) start(t *testing.T) *guarded {
	t.Helper()
	var err error
	if g.guard, err = access.New(g.cfg, access.Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: g.registry, Stderr: g.stderr, Now: g.now}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := g.guard.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	g.Lab = gnmitest.StartWith(t, append(shop.Facts(), g.facts...), func(d *gnmi.Deps, flows *records.Store) {
		d.Services = []gnmi.Service{export.New(flows, g.guard.ShowRecords)}
		d.TLS, d.Options, d.Access, d.Counter = g.guard.TLS(), g.guard.Options(), reads{g.guard}, g.guard.Counter
	})
	return g
}

// reads is the guard as the gNMI server asks it.
type reads struct{ *access.Guard }

func (r reads) Reader(ctx context.Context, _ string) (gnmi.Reader, error) {
	reader, err := r.ReaderOf(ctx)
	if reader == nil {
		return nil, err
	}
	return reader, err
}

// dial connects with certificates; each call is a connection of its own.
func (g *guarded) dial(t *testing.T, certs ...tls.Certificate) *grpc.ClientConn {
	t.Helper()
	cfg := &tls.Config{RootCAs: g.authority}
	if len(certs) > 0 { // shown to a server that would not like it, too
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certs[0], nil }
	}
	conn, err := grpc.NewClient("passthrough:///"+g.Address, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask makes a call on a connection of its own.
func (g *guarded) ask(t *testing.T, certs ...tls.Certificate) error {
	t.Helper()
	conn := g.dial(t, certs...)
	defer conn.Close()
	_, err := gpb.NewGNMIClient(conn).Capabilities(within(t), &gpb.CapabilityRequest{})
	return err
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// until waits for what a reload brings.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain waited until ", what)
		}
	}
}

func wantCode(t *testing.T, err error, code codes.Code, words ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("error %v, want %v", err, code)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %v does not say %q", err, w)
		}
	}
}

// counted gives a counter of the registry by the value of its labels.
func (g *guarded) counted(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if f.GetName() == name && strings.Join(have, " ") == strings.Join(labels, " ") {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func (g *guarded) path(name string) string { return filepath.Join(g.dir, name) }
