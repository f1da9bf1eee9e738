package access_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// TestClientCertificates tries every sort of certificate in every mode.
func TestClientCertificates(t *testing.T) {
	const me = "spiffe://example.org/nms"
	for mode, wantNone := range map[string]codes.Code{access.Optional: codes.OK, access.Required: codes.Unavailable} {
		t.Run(mode, func(t *testing.T) {
			g := prepare(t, mode).start(t)
			expired := g.clients.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "late"},
				NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
			early := g.clients.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "early"},
				NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)})
			wantCode(t, g.ask(t), wantNone)
			wantCode(t, g.ask(t, g.clients.client(t, me)), codes.OK)
			wantCode(t, g.ask(t, newAuthority(t, "clients").client(t, me)), codes.Unavailable)
			wantCode(t, g.ask(t, new(authority).client(t, me)), codes.Unavailable)
			wantCode(t, g.ask(t, expired), codes.Unavailable)
			wantCode(t, g.ask(t, early), codes.Unavailable)
			wantCode(t, g.ask(t, g.clients.server(t)), codes.Unavailable) // good for servers only
		})
	}
}

// TestServerIsKnown has clients refuse servers that are not who they should be.
func TestServerIsKnown(t *testing.T) {
	g := prepare(t, access.Off).start(t)
	wantCode(t, g.ask(t), codes.OK)
	handshake := func(change func(*tls.Config)) error {
		cfg := &tls.Config{RootCAs: g.authority, ServerName: "localhost", NextProtos: []string{"h2"}}
		change(cfg)
		conn, err := tls.Dial("tcp", g.Address, cfg)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	for what, change := range map[string]func(*tls.Config){
		"another name":      func(c *tls.Config) { c.ServerName = "elsewhere.example" },
		"another authority": func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
		"TLS 1.1":           func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
	} {
		if handshake(change) == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	if err := handshake(func(*tls.Config) {}); err != nil {
		t.Error(err)
	}
	plain, err := net.Dial("tcp", g.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	plain.SetDeadline(time.Now().Add(patience))
	plain.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	answer := make([]byte, 9)
	if n, _ := plain.Read(answer); n == 9 && answer[3] == 4 { // SETTINGS: HTTP/2 would go on
		t.Error("the server speaks without TLS")
	}
}

// TestCertificateReload changes files under a stream.
func TestCertificateReload(t *testing.T) {
	const me = "spiffe://example.org/nms"
	g := prepare(t, access.Required).start(t)
	mine := g.clients.client(t, me)
	conn := g.dial(t, mine)
	stream, err := gpb.NewGNMIClient(conn).Subscribe(within(t))
	if err != nil {
		t.Fatal(err)
	}
	poll := &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Mode: gpb.SubscriptionList_POLL, UpdatesOnly: true, Subscription: []*gpb.Subscription{{Path: &gpb.Path{}}}}}}
	if err := stream.Send(poll); err != nil {
		t.Fatal(err)
	}
	synced := func() {
		t.Helper()
		if resp, err := stream.Recv(); err != nil || !resp.GetSyncResponse() {
			t.Fatalf("%v %v", resp, err)
		}
	}
	synced()
	shown := func() string {
		c, err := tls.Dial("tcp", g.Address, &tls.Config{RootCAs: g.authority, ServerName: "localhost", NextProtos: []string{"h2"}, Certificates: []tls.Certificate{mine}})
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	// Half of a change is none: the key does not fit.
	next := g.servers.server(t)
	writeFile(t, g.cfg.Certificate, certificatePEM(next))
	until(t, "the half change is refused", func() bool { return g.counted(t, reloads, "refused", "certificate") == 1 })
	if shown() == next.Leaf.SerialNumber.String() {
		t.Error("half of a change is used")
	}
	write(t, next, g.dir, "server")
	until(t, "the new certificate is shown", func() bool { return shown() == next.Leaf.SerialNumber.String() })

	// The stream has noticed nothing.
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{}}); err != nil {
		t.Fatal(err)
	}
	synced()

	// Another authority of clients: the old ones' certificates are foreign now, on connections that were there too.
	before := g.clients
	g.clients = newAuthority(t, "others")
	g.clients.write(t, g.dir, "clients.crt")
	until(t, "the new authority counts", func() bool { return g.ask(t, g.clients.client(t, me)) == nil })
	wantCode(t, g.ask(t, before.client(t, me)), codes.Unavailable)
	_, err = stream.Recv()
	wantCode(t, err, codes.Unauthenticated, "unknown authority")
	_, err = gpb.NewGNMIClient(conn).Capabilities(within(t), &gpb.CapabilityRequest{})
	wantCode(t, err, codes.Unauthenticated)
	writeFile(t, g.cfg.ClientCA, []byte("torn"))
	until(t, "the torn file is refused", func() bool { return g.counted(t, reloads, "refused", "client-ca-file") == 1 })
	wantCode(t, g.ask(t, g.clients.client(t, me)), codes.OK)
	if err := os.Remove(g.cfg.ClientCA); err != nil {
		t.Fatal(err)
	}
	until(t, "the missing file is refused", func() bool { return g.counted(t, reloads, "refused", "client-ca-file") == 2 })
	wantCode(t, g.ask(t, g.clients.client(t, me)), codes.OK)
}

// TestWarnsOfItsOwnCertificate, which is no reason not to start.
func TestWarnsOfItsOwnCertificate(t *testing.T) {
	g := prepare(t, access.Off)
	late := g.servers.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	write(t, late, g.dir, "server")
	var said strings.Builder
	if _, err := access.New(g.cfg, access.Deps{Log: slog.New(slog.NewTextHandler(&said, nil))}); err != nil || !strings.Contains(said.String(), "server.crt") {
		t.Errorf("%v, and said %q", err, said.String())
	}
}

const reloads = "fabricscope_access_reloads_total"

// TestRefusesToStart has New name the file and the field.
func TestRefusesToStart(t *testing.T) {
	for _, test := range []struct {
		words  string
		change func(g *guarded)
	}{
		{"certificate nowhere.crt", func(g *guarded) { g.cfg.Certificate = "nowhere.crt" }},
		{"server.crt the key clients.crt", func(g *guarded) { g.cfg.Key = g.cfg.ClientCA }},
		{"client-ca-file nowhere.crt", func(g *guarded) { g.cfg.ClientCA = "nowhere.crt" }},
		{"client-ca-file server.key", func(g *guarded) { g.cfg.ClientCA = g.cfg.Key }},
		{"access.client-ca-file", func(g *guarded) { g.cfg.ClientCA = "" }},
		{"access.client-certificates sometimes", func(g *guarded) { g.cfg.ClientCertificates = "sometimes" }},
		{"access.client-certificates", func(g *guarded) { g.cfg.ClientCertificates = access.Off }},
		{"access.refresh", func(g *guarded) { g.cfg.Refresh = 0 }},
	} {
		g := prepare(t, access.Required)
		test.change(g)
		_, err := access.New(g.cfg, access.Deps{})
		for w := range strings.FieldsSeq(test.words) {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v does not say %q", err, w)
			}
		}
	}
}
