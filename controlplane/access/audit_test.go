package access_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// TestAudit reads back who asked for what.
func TestAudit(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "hush-hush"))
	g.cfg.Audit = g.path("audit")
	g.start(t)
	lines := func() (all []map[string]any) {
		b, err := os.ReadFile(g.cfg.Audit)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "hush") {
			t.Fatalf("a password is in the log: %s", b)
		}
		for line := range strings.Lines(string(b)) {
			one := map[string]any{}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		return all
	}
	conn := g.dial(t)
	client := gpb.NewGNMIClient(conn)
	ctx := login(within(t), "username", "alice", "password", "hush-hush")
	if _, err := client.Get(ctx, &gpb.GetRequest{Path: []*gpb.Path{{Elem: []*gpb.PathElem{{Name: "fabric"}}}}}); err != nil {
		t.Fatal(err)
	}
	client.Get(login(within(t), "username", "alice", "password", "hush"), &gpb.GetRequest{})
	stream, err := client.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Mode: gpb.SubscriptionList_ONCE, Subscription: []*gpb.Subscription{{Path: &gpb.Path{Elem: []*gpb.PathElem{{Name: "flows"}}}}}}}})
	for err = nil; err == nil; _, err = stream.Recv() {
	}
	until(t, "three calls are in the log", func() bool { return len(lines()) == 3 })
	for i, want := range []map[string]any{
		{"user": "alice", "rpc": "/gnmi.gNMI/Get", "code": "OK", "messages": 1.0, "path": "/fabric", "some": true},
		{"msg": "refused", "user": "", "rpc": "/gnmi.gNMI/Get", "code": "Unauthenticated", "messages": 0.0,
			"by": "password", "claims": "alice", "why": "the username or the password is wrong"},
		{"user": "alice", "rpc": "/gnmi.gNMI/Subscribe", "code": "OK", "mode": "ONCE", "path": "/flows", "some": true},
	} {
		got := lines()[i]
		if paths, _ := got["paths"].([]any); len(paths) == 1 {
			got["path"] = paths[0]
		}
		leaves, _ := got["leaves"].(float64)
		if _, ok := want["some"]; ok {
			got["some"] = leaves > 1
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("line %d: %s is %v, not %v", i, k, got[k], v)
			}
		}
	}
	// The file is moved away, and opened anew.
	if err := os.Rename(g.cfg.Audit, g.cfg.Audit+".1"); err != nil {
		t.Fatal(err)
	}
	if err := g.guard.Reopen(); err != nil {
		t.Fatal(err)
	}
	client.Capabilities(ctx, &gpb.CapabilityRequest{})
	until(t, "the new file has the call", func() bool { return len(lines()) == 1 })
}

// TestAuditOfThoseRefused: who could not be known is in the log with what he claimed and from where, handshakes that come to no
// call among them.
func TestAuditOfThoseRefused(t *testing.T) {
	const me = "spiffe://example.org/nms"
	g := prepare(t, access.Required).withUsers(t, user(t, "alice", "pw"))
	g.cfg.Audit = g.path("audit")
	g.start(t)
	expired := g.clients.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "late"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	began := time.Now()
	g.ask(t)
	g.ask(t, newAuthority(t, "clients").client(t, me))
	g.ask(t, expired)
	g.ask(t, g.clients.client(t, me))
	mine := []tls.Certificate{g.clients.client(t, me)}
	g.capabilities(t, mine, "username", "mallory", "password", "pw")
	g.capabilities(t, mine, "username", "mallory")
	for _, line := range []string{
		`"msg":"refused","peer":"127\.0\.0\.1:\d+","by":"nothing","claims":"","why":"[^"]*provide a certificate`,
		`"msg":"refused","peer":"127\.0\.0\.1:\d+","by":"certificate","claims":"` + me + `","why":"[^"]*unknown authority`,
		`"msg":"refused","peer":"127\.0\.0\.1:\d+","by":"certificate","claims":"CN=late","why":"[^"]*expired`,
		`"msg":"read","user":"","principals":\["` + me + `"\],[^}]*"code":"OK"`,
		`"msg":"refused",[^}]*"peer":"127\.0\.0\.1:\d+","rpc":"/gnmi.gNMI/Capabilities",[^}]*"by":"password","claims":"mallory","why":"[^"]*wrong`,
		`"msg":"refused",[^}]*"by":"password","claims":"mallory","why":"[^"]*once each`,
	} {
		pattern := regexp.MustCompile(line)
		until(t, "a line is "+line, func() bool {
			b, err := os.ReadFile(g.cfg.Audit)
			return err == nil && pattern.Match(b)
		})
	}
	until(t, "no more of them are told of", func() bool {
		g.ask(t)
		return g.counted(t, "fabricscope_access_audit_failures_total", "limited") > 0
	})
	log, err := os.ReadFile(g.cfg.Audit)
	if n := strings.Count(string(log), `"by":"nothing"`); err != nil || n > 11+int(time.Since(began)/time.Second) {
		t.Errorf("%d lines of the log are of one address: %v", n, err)
	}
	if n, c := g.counted(t, handshakes, "nothing"), g.counted(t, handshakes, "certificate"); n == 0 || c < 2 {
		t.Errorf("%v handshakes without a certificate, %v with a bad one", n, c)
	}
}

const handshakes = "fabricscope_access_failed_handshakes_total"

// TestAuditOfLongCalls: one that goes on is in the log when it begins, and an export has its records counted.
func TestAuditOfLongCalls(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "pw"))
	g.cfg.Audit = g.path("audit")
	g.start(t)
	text := func() string {
		b, err := os.ReadFile(g.cfg.Audit)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	g.follow(t, nil, "username", "alice", "password", "pw")
	until(t, "the beginning is in the log", func() bool { return strings.Contains(text(), `"msg":"reads","user":"alice"`) })
	g.export(t, "alice")
	until(t, "the export is in the log", func() bool { return regexp.MustCompile(`"records":"[1-9]`).MatchString(text()) })
	writeFile(t, g.cfg.Users, []byte(user(t, "bob", "pw")))
	until(t, "the end is in the log", func() bool { return strings.Contains(text(), `"code":"Unauthenticated"`) })
	if last := text()[strings.LastIndex(strings.TrimSpace(text()), "\n")+1:]; !strings.Contains(last, `"msg":"read","user":"alice"`) || strings.Contains(last, `"leaves":0`) {
		t.Errorf("the end: %s", last)
	}
}

// TestAuditIsBounded: files that are full are moved away, and the oldest go.
func TestAuditIsBounded(t *testing.T) {
	g := prepare(t, access.Off)
	g.cfg.Audit, g.cfg.AuditBytes, g.cfg.AuditKeep = g.path("audit"), 1000, 2
	g.start(t)
	conn := g.dial(t)
	for range 40 {
		if _, err := gpb.NewGNMIClient(conn).Capabilities(within(t), &gpb.CapabilityRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	size := func(name string) int64 {
		info, err := os.Stat(g.path(name))
		if err != nil {
			return 0
		}
		return info.Size()
	}
	until(t, "two files are full", func() bool { return size("audit.1") > 0 && size("audit.2") > 0 })
	for _, name := range []string{"audit", "audit.1", "audit.2"} {
		if size(name) > 1000 {
			t.Errorf("%s has %d bytes", name, size(name))
		}
	}
	if size("audit.3") > 0 {
		t.Error("a third is kept")
	}
}

// TestAuditToStderr, from where it gets to the journal.
func TestAuditToStderr(t *testing.T) {
	g := prepare(t, access.Off)
	g.cfg.Audit = access.AuditToStderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	g.stderr = w
	g.start(t)
	wantCode(t, g.ask(t), codes.OK)
	line := map[string]any{}
	if err := json.NewDecoder(r).Decode(&line); err != nil || line["rpc"] != "/gnmi.gNMI/Capabilities" {
		t.Errorf("%v %v", line, err)
	}
}
