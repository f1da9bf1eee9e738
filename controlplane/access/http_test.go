package access_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// TestWhole has HTTP ask for users, certificates and readers as gRPC does.
func TestWhole(t *testing.T) {
	const nms, other = "spiffe://example.org/nms", "spiffe://example.org/other"
	g := prepare(t, access.Optional).withUsers(t, user(t, "tenant", "pw"), user(t, "root", "pw"), user(t, "partly", "pw"), user(t, "nobody", "pw"))
	g.cfg.Audit = g.path("audit")
	g.cfg.Readers = []access.Reader{{Name: "mine", Users: []string{"tenant"}, Namespaces: []string{"mine"}},
		{Name: "part", Users: []string{"partly"}, Hidden: []string{"/kubernetes"}},
		{Name: "all", Users: []string{"root"}, Principals: []string{nms}}}
	g.start(t)
	server := httptest.NewUnstartedServer(g.guard.Whole(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "numbers") })))
	server.TLS = g.guard.TLS("http/1.1")
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	get := func(name, password string, certs ...tls.Certificate) int {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.authority, Certificates: certs}}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(within(t), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if name != "" {
			req.SetBasicAuth(name, password)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if (resp.StatusCode == http.StatusOK) != strings.Contains(string(body), "numbers") {
			t.Errorf("status %d with %q", resp.StatusCode, body)
		}
		return resp.StatusCode
	}
	for _, c := range []struct {
		name, password string
		certs          []tls.Certificate
		want           int
	}{
		{"root", "pw", nil, http.StatusOK},
		{"root", "no", nil, http.StatusUnauthorized},
		{"", "", nil, http.StatusUnauthorized},
		{"tenant", "pw", nil, http.StatusForbidden},
		{"partly", "pw", nil, http.StatusForbidden},
		{"nobody", "pw", nil, http.StatusForbidden},
		{"", "", []tls.Certificate{g.clients.client(t, nms)}, http.StatusOK},
		{"", "", []tls.Certificate{g.clients.client(t, other)}, http.StatusForbidden},
		{"", "", []tls.Certificate{newAuthority(t, "clients").client(t, nms)}, 0}, // refused in the handshake
	} {
		if got := get(c.name, c.password, c.certs...); got != c.want {
			t.Errorf("%q with %d certificates: %d, want %d", c.name, len(c.certs), got, c.want)
		}
	}
}
