package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// authority is a certificate authority in a directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	a.cert = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, a.key)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// path is the file of a certificate or a key.
func (a *authority) path(name string) string { return filepath.Join(a.dir, name+".pem") }

// sign writes a certificate for a key.
func (a *authority) sign(name string, c *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	c.SerialNumber, c.Subject = big.NewInt(1), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name, "CERTIFICATE", der)
	c, err = x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes a certificate for this machine, and its key.
func (a *authority) issue(name string, use x509.ExtKeyUsage) {
	a.t.Helper()
	key := a.newKey()
	a.sign(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{use}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, key)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+"-key", "EC PRIVATE KEY", der)
}

// client are the credentials of a client that trusts the authority and shows a certificate of
// another one, or none.
func (a *authority) client(of *authority) credentials.TransportCredentials {
	a.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	cfg := &tls.Config{RootCAs: roots}
	if of != nil {
		cert, err := tls.LoadX509KeyPair(of.path("client"), of.path("client-key"))
		if err != nil {
			a.t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return credentials.NewTLS(cfg)
}

// serveTLS runs a switch with these options and returns its address.
func serveTLS(t *testing.T, o tlsOptions) string {
	t.Helper()
	creds, err := o.credentials()
	if err != nil {
		t.Fatal(err)
	}
	l := loopback(t)
	sw, err := New(DefaultConfig(), Deps{Log: slog.New(slog.DiscardHandler), Listener: l, TLS: creds})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := sw.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return l.Addr().String()
}

func TestTLS(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	ours.issue("server", x509.ExtKeyUsageServerAuth)
	ours.issue("client", x509.ExtKeyUsageClientAuth)
	others.issue("client", x509.ExtKeyUsageClientAuth)
	plain := tlsOptions{enabled: true, cert: ours.path("server"), key: ours.path("server-key")}
	given, mutual := plain, plain
	given.ca, mutual.ca, mutual.clientAuth = ours.path("ca"), ours.path("ca"), true
	for _, server := range []struct {
		name                        string
		o                           tlsOptions
		bare, known, unknown, noTLS codes.Code
	}{
		{"TLS", plain, codes.OK, codes.OK, codes.OK, codes.Unavailable},
		{"certificates that are given", given, codes.OK, codes.OK, codes.Unavailable, codes.Unavailable},
		{"certificates that are required", mutual, codes.Unavailable, codes.OK, codes.Unavailable, codes.Unavailable},
	} {
		t.Run(server.name, func(t *testing.T) {
			address := serveTLS(t, server.o)
			for name, c := range map[string]struct {
				creds credentials.TransportCredentials
				want  codes.Code
			}{
				"no certificate":         {ours.client(nil), server.bare},
				"a certificate":          {ours.client(ours), server.known},
				"somebody's certificate": {ours.client(others), server.unknown},
				"no TLS":                 {insecure.NewCredentials(), server.noTLS},
				"another authority":      {others.client(nil), codes.Unavailable},
			} {
				conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(c.creds))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), patient)
				_, err = p4.NewP4RuntimeClient(conn).Capabilities(ctx, &p4.CapabilitiesRequest{})
				cancel()
				conn.Close()
				if status.Code(err) != c.want {
					t.Errorf("%s: %v, want %s", name, err, c.want)
				}
			}
		})
	}
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", x509.ExtKeyUsageServerAuth)
	good := tlsOptions{enabled: true, cert: a.path("server"), key: a.path("server-key")}
	for name, change := range map[string]func(o *tlsOptions){
		"no such file":      func(o *tlsOptions) { o.cert = a.path("nobody") },
		"another's key":     func(o *tlsOptions) { a.issue("client", x509.ExtKeyUsageClientAuth); o.key = a.path("client-key") },
		"no such authority": func(o *tlsOptions) { o.ca = a.path("nobody") },
		"no authority":      func(o *tlsOptions) { o.ca = a.path("server-key") },
	} {
		o := good
		change(&o)
		if c, err := o.credentials(); err == nil {
			t.Errorf("%s: %v", name, c.Info())
		}
	}
}
