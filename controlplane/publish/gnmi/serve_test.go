package gnmi_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

func clientTLS(t *testing.T, ca string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate")
	}
	return &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}, ServerName: "localhost"}
}

func TestTLS(t *testing.T) {
	lab := gnmitest.Start(t, nil)
	handshake := func(cfg *tls.Config) error {
		conn, err := tls.Dial("tcp", lab.Address, cfg)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if err := handshake(clientTLS(t, lab.CA)); err != nil {
		t.Errorf("TLS 1.3: %v", err)
	}
	old := clientTLS(t, lab.CA)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := handshake(old); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	foreign := clientTLS(t, lab.CA)
	foreign.ServerName = "elsewhere.example"
	if err := handshake(foreign); err == nil {
		t.Error("the certificate is good for any name")
	}
	info, err := os.Stat(filepath.Join(lab.Config.LabDir, "gnmi.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v", info.Mode())
	}
}

func TestReflection(t *testing.T) {
	lab := gnmitest.Start(t, nil)
	conn, err := grpc.NewClient(lab.Address, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(t, lab.CA))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range resp.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	if !slices.Contains(names, "gnmi.gNMI") {
		t.Errorf("services %q", names)
	}
}

// TestLabCertificateIsKept starts servers one after the other over the same directory.
func TestLabCertificateIsKept(t *testing.T) {
	lab := gnmitest.Start(t, nil)
	cfg := gnmi.DefaultConfig()
	cfg.LabDir = t.TempDir()
	serve := func(now time.Time, names ...string) string {
		t.Helper()
		cfg.LabNames = names
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s, err := gnmi.New(cfg, gnmi.Deps{Source: lab.Store, Listener: listener, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		pem, err := os.ReadFile(filepath.Join(cfg.LabDir, "gnmi.crt"))
		if err != nil {
			t.Fatal(err)
		}
		return string(pem)
	}
	now := time.Now()
	first := serve(now)
	if serve(now.Add(300*24*time.Hour)) != first {
		t.Error("a good certificate is replaced")
	}
	if serve(now, "fabric.example") == first {
		t.Error("a certificate without a name that is wanted stays")
	}
	second := serve(now, "fabric.example")
	if serve(now.Add(350*24*time.Hour), "fabric.example") == second {
		t.Error("a certificate that ends soon stays")
	}
	if err := os.WriteFile(filepath.Join(cfg.LabDir, "gnmi.crt"), []byte("torn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if serve(now) == "torn" {
		t.Error("a broken certificate stays")
	}
}

func TestRunErrorsNameTheirObject(t *testing.T) {
	lab := gnmitest.Start(t, nil)
	run := func(change func(*gnmi.Config)) error {
		cfg := gnmi.DefaultConfig()
		cfg.LabDir = t.TempDir()
		change(&cfg)
		s, err := gnmi.New(cfg, gnmi.Deps{Source: lab.Store})
		if err != nil {
			return err
		}
		return s.Run(t.Context())
	}
	for _, test := range []struct {
		word   string
		change func(*gnmi.Config)
	}{
		{lab.Address, func(c *gnmi.Config) { c.Address = lab.Address }},
		{"nowhere.crt", func(c *gnmi.Config) { c.Certificate, c.Key = "nowhere.crt", "nowhere.key" }},
		{"address", func(c *gnmi.Config) { c.Address = "9339" }},
		{"certificate, key", func(c *gnmi.Config) { c.Key = "x" }},
		{"lab-dir", func(c *gnmi.Config) { c.LabDir = "" }},
		{"sample-minimum", func(c *gnmi.Config) { c.SampleMinimum = 0 }},
		{"sample-default", func(c *gnmi.Config) { c.SampleDefault = 1 }},
		{"send-timeout", func(c *gnmi.Config) { c.SendTimeout = -1 }},
		{"max-subscribers", func(c *gnmi.Config) { c.MaxSubscribers = 0 }},
		{"max-paths", func(c *gnmi.Config) { c.MaxPaths = 0 }},
	} {
		if err := run(test.change); err == nil || !strings.Contains(err.Error(), test.word) {
			t.Errorf("error %v does not say %q", err, test.word)
		}
	}
	if _, err := gnmi.New(lab.Config, gnmi.Deps{}); err == nil {
		t.Error("a server without a source")
	}
}

func TestMetrics(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	registry := prometheus.NewRegistry()
	if _, err := gnmi.New(lab.Config, gnmi.Deps{Source: lab.Store, Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if _, err := gnmi.New(lab.Config, gnmi.Deps{Source: lab.Store, Registerer: registry}); err == nil {
		t.Error("metrics are registered twice")
	}
}

func TestMaxSubscribers(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.MaxSubscribers = 1 })
	follow(t, lab, nil, subscribe("/fabric/links"))
	_, err := once(t, dial(t, lab), subscribe("/fabric/links"))
	wantCode(t, err, 8, "1 subscribers already")
}
