package access_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// user gives a line of a users file, as htpasswd -B makes it.
func user(t testing.TB, name, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return name + ":$2y$" + strings.TrimPrefix(string(hash), "$2a$") + "\n"
}

// withUsers gives a guard users.
func (g *guarded) withUsers(t *testing.T, lines ...string) *guarded {
	t.Helper()
	g.cfg.Users = g.path("users")
	writeFile(t, g.cfg.Users, []byte(strings.Join(lines, "")))
	return g
}

// login puts metadata into a call.
func login(ctx context.Context, pairs ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

func (g *guarded) capabilities(t *testing.T, cert []tls.Certificate, pairs ...string) error {
	t.Helper()
	conn := g.dial(t, cert...)
	defer conn.Close()
	_, err := gpb.NewGNMIClient(conn).Capabilities(login(within(t), pairs...), &gpb.CapabilityRequest{})
	return err
}

func TestUsers(t *testing.T) {
	g := prepare(t, access.Optional).withUsers(t, "# operators\n", user(t, "alice", "correct horse"), "\n", user(t, "bob", "battery")).start(t)
	wantCode(t, g.capabilities(t, nil, "username", "alice", "password", "correct horse"), codes.OK)
	wantCode(t, g.capabilities(t, nil, "username", "alice", "password", "correct horse"), codes.OK)
	wrong := g.capabilities(t, nil, "username", "alice", "password", "battery")
	wantCode(t, wrong, codes.Unauthenticated)
	unknown := g.capabilities(t, nil, "username", "carol", "password", "battery")
	wantCode(t, unknown, codes.Unauthenticated)
	if wrong.Error() != unknown.Error() {
		t.Errorf("%q tells who is a user from %q", wrong, unknown)
	}
	wantCode(t, g.capabilities(t, nil), codes.Unauthenticated)
	wantCode(t, g.capabilities(t, nil, "username", "alice"), codes.Unauthenticated)
	wantCode(t, g.capabilities(t, nil, "password", "battery"), codes.Unauthenticated)
	wantCode(t, g.capabilities(t, nil, "username", "alice", "username", "bob", "password", "battery"), codes.Unauthenticated)
	wantCode(t, g.capabilities(t, nil, access.UserHeader, "alice"), codes.Unauthenticated)
	// A certificate is enough, but not beside a wrong password.
	mine := []tls.Certificate{g.clients.client(t, "spiffe://example.org/nms")}
	wantCode(t, g.capabilities(t, mine), codes.OK)
	wantCode(t, g.capabilities(t, mine, "username", "alice", "password", "battery"), codes.Unauthenticated)

	// gnmic's library logs in as its command line does.
	client, err := api.NewTarget(api.Name("lab"), api.Address(g.Address), api.TLSCA(g.servers.write(t, g.dir, "ca.crt")),
		api.Username("bob"), api.Password("battery"), api.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CreateGNMIClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Capabilities(within(t)); err != nil {
		t.Error(err)
	}

	writeFile(t, g.cfg.Users, []byte(user(t, "alice", "new one")))
	until(t, "the new password counts", func() bool {
		return g.capabilities(t, nil, "username", "alice", "password", "new one") == nil
	})
	wantCode(t, g.capabilities(t, nil, "username", "alice", "password", "correct horse"), codes.Unauthenticated)
	wantCode(t, g.capabilities(t, nil, "username", "bob", "password", "battery"), codes.Unauthenticated)
}

func TestFailedLoginsAreLimited(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "right"), user(t, "bob", "right")).start(t)
	wantCode(t, g.capabilities(t, nil, "username", "alice", "password", "right"), codes.OK)
	limited := func() float64 { return g.counted(t, "fabricscope_access_failed_logins_total", "limited") }
	until(t, "the limit is met", func() bool {
		wantCode(t, g.capabilities(t, nil, "username", "bob", "password", "guess"), codes.Unauthenticated)
		return limited() > 0
	})
	// Who logged in before is not locked out by others behind the same address.
	wantCode(t, g.capabilities(t, nil, "username", "alice", "password", "right"), codes.OK)
}

const policy = `{"name": "operators", "allow_rules": [
	{"name": "all may ask what there is", "request": {"paths": ["/gnmi.gNMI/Capabilities"]}},
	{"name": "alice", "request": {"paths": ["/gnmi.gNMI/*"], "headers": [{"key": "fabricscope-user", "values": ["alice"]}]}},
	{"name": "nms", "source": {"principals": ["spiffe://example.org/nms"]}, "request": {"paths": ["/gnmi.gNMI/Get"]}}]}`

func TestPolicy(t *testing.T) {
	g := prepare(t, access.Optional).withUsers(t, user(t, "alice", "right"), user(t, "bob", "right"))
	g.cfg.Policy = g.path("policy.json")
	writeFile(t, g.cfg.Policy, []byte(policy))
	g.start(t)
	get := func(cert []tls.Certificate, pairs ...string) error {
		conn := g.dial(t, cert...)
		defer conn.Close()
		_, err := gpb.NewGNMIClient(conn).Get(login(within(t), pairs...), &gpb.GetRequest{})
		return err
	}
	wantCode(t, g.capabilities(t, nil, "username", "bob", "password", "right"), codes.OK)
	wantCode(t, get(nil, "username", "bob", "password", "right"), codes.PermissionDenied)
	wantCode(t, get(nil, "username", "bob", "password", "right", access.UserHeader, "alice"), codes.PermissionDenied)
	wantCode(t, get(nil, "username", "alice", "password", "right"), codes.OK)
	wantCode(t, get([]tls.Certificate{g.clients.client(t, "spiffe://example.org/nms")}), codes.OK)
	other := []tls.Certificate{g.clients.client(t, "spiffe://example.org/other")}
	wantCode(t, get(other), codes.PermissionDenied)
	wantCode(t, get(other, access.UserHeader, "alice"), codes.PermissionDenied)

	// A wrong policy leaves the one before; the next good one counts.
	writeFile(t, g.cfg.Policy, []byte(`{"name": "operators"}`))
	until(t, "the wrong policy is refused", func() bool { return g.counted(t, reloads, "refused", "policy-file") == 1 })
	wantCode(t, get(nil, "username", "bob", "password", "right"), codes.PermissionDenied)
	writeFile(t, g.cfg.Policy, []byte(strings.ReplaceAll(policy, `"alice"]`, `"bob"]`)))
	until(t, "the new policy counts", func() bool { return get(nil, "username", "bob", "password", "right") == nil })
	wantCode(t, get(nil, "username", "alice", "password", "right"), codes.PermissionDenied)
}

// TestWarnsOfReadersWhoCannotLogIn, who may be yet to come.
func TestWarnsOfReadersWhoCannotLogIn(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "x"))
	g.cfg.Readers = []access.Reader{{Name: "shop", Users: []string{"alice", "alicia"}}}
	var said strings.Builder
	_, err := access.New(g.cfg, access.Deps{Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil || !strings.Contains(said.String(), "field=access.readers[0].users user=alicia") || strings.Contains(said.String(), "user=alice ") {
		t.Errorf("%v, and said %q", err, said.String())
	}
}

func TestWrongFilesRefuseToStart(t *testing.T) {
	reader := access.Reader{Name: "shop", Users: []string{"alice"}}
	for words, change := range map[string]func(g *guarded){
		"users-file line 1 NAME:HASH":     func(g *guarded) { g.withUsers(t, "alice\n") },
		"users-file line 2 twice":         func(g *guarded) { g.withUsers(t, user(t, "alice", "x"), user(t, "alice", "x")) },
		"users-file alice bcrypt":         func(g *guarded) { g.withUsers(t, "alice:$apr1$hash\n") },
		"users-file alice bcrypt hash":    func(g *guarded) { g.withUsers(t, strings.TrimSpace(user(t, "alice", "x"))+":1000\n") },
		"users-file bob not bcrypt":       func(g *guarded) { g.withUsers(t, strings.TrimSpace(user(t, "bob", "x"))[:62]+"~~") },
		"users-file line 1 text":          func(g *guarded) { g.withUsers(t, user(t, "alic\xe9", "x")) },
		"users-file line 1 blank":         func(g *guarded) { g.withUsers(t, user(t, "alice ", "x")) },
		"users-file no user":              func(g *guarded) { g.withUsers(t, "# none\n") },
		"policy-file allow_rules":         func(g *guarded) { g.cfg.Policy = g.path("p"); writeFile(t, g.cfg.Policy, []byte(`{"name": "x"}`)) },
		"policy-file nowhere":             func(g *guarded) { g.cfg.Policy = "nowhere" },
		"audit-file":                      func(g *guarded) { g.cfg.Audit = g.dir },
		"access.readers[0].users file":    func(g *guarded) { g.cfg.Readers = []access.Reader{reader} },
		"access.readers[0].users neither": func(g *guarded) { g.cfg.Readers = []access.Reader{{Name: "x"}} },
		"access.readers[0].name":          func(g *guarded) { g.cfg.Readers = []access.Reader{{Users: []string{"alice"}}} },
		"access.readers[0].clusters a/b":  func(g *guarded) { r := reader; r.Clusters = []string{"a/b"}; g.cfg.Readers = []access.Reader{r} },
		"access.readers[0].hidden podz": func(g *guarded) {
			r := reader
			r.Hidden = []string{"/kubernetes/podz"}
			g.cfg.Readers = []access.Reader{r}
		},
		"access.readers[0].paths begin": func(g *guarded) { r := reader; r.Paths = []string{"kubernetes"}; g.cfg.Readers = []access.Reader{r} },
		"access.readers[0].shared":      func(g *guarded) { r := reader; r.Shared = []string{"/fabric"}; g.cfg.Readers = []access.Reader{r} },
	} {
		g := prepare(t, access.Optional)
		change(g)
		_, err := access.New(g.cfg, access.Deps{})
		if checked := access.Check(g.cfg); checked == nil || err == nil || checked.Error() != err.Error() {
			t.Errorf("the check says %v, the start %v", checked, err)
		}
		for w := range strings.FieldsSeq(words) {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v does not say %q", err, w)
			}
		}
	}
}
