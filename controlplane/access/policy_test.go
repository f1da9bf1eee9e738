package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// TestPolicyForms has paths, principals and headers as gRPC A43 has them: whole, with * at an end, and denied before allowed.
func TestPolicyForms(t *testing.T) {
	allow := func(request string) string {
		return fmt.Sprintf(`{"name": "p", "allow_rules": [{"name": "r", "request": %s}]}`, request)
	}
	from := func(principals string) string {
		return fmt.Sprintf(`{"name": "p", "allow_rules": [{"name": "r", "source": {"principals": %s}}]}`, principals)
	}
	for name, c := range map[string]struct {
		policy                   string
		get, capabilities, spies codes.Code // spies ask for reflection
	}{
		"a whole path":      {allow(`{"paths": ["/gnmi.gNMI/Get"]}`), codes.OK, codes.PermissionDenied, codes.PermissionDenied},
		"a prefix":          {allow(`{"paths": ["/gnmi.gNMI/*"]}`), codes.OK, codes.OK, codes.PermissionDenied},
		"a suffix":          {allow(`{"paths": ["*/Capabilities"]}`), codes.PermissionDenied, codes.OK, codes.PermissionDenied},
		"any":               {allow(`{"paths": ["*"]}`), codes.OK, codes.OK, codes.OK},
		"a principal":       {from(`["spiffe://example.org/nms"]`), codes.OK, codes.OK, codes.OK},
		"its beginning":     {from(`["spiffe://example.org/*"]`), codes.OK, codes.OK, codes.OK},
		"another":           {from(`["spiffe://example.org/nm"]`), codes.PermissionDenied, codes.PermissionDenied, codes.PermissionDenied},
		"the user":          {allow(`{"headers": [{"key": "fabricscope-user", "values": ["alice"]}]}`), codes.OK, codes.OK, codes.OK},
		"another user":      {allow(`{"headers": [{"key": "fabricscope-user", "values": ["bob"]}]}`), codes.PermissionDenied, codes.PermissionDenied, codes.PermissionDenied},
		"denied, and allow": {`{"name": "p", "deny_rules": [{"name": "d", "request": {"paths": ["*/Get"]}}], "allow_rules": [{"name": "a"}]}`, codes.PermissionDenied, codes.OK, codes.OK},
		"nobody":            {from(`["nobody"]`), codes.PermissionDenied, codes.PermissionDenied, codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			g := prepare(t, access.Optional).withUsers(t, user(t, "alice", "right"))
			g.cfg.Policy = g.path("policy.json")
			writeFile(t, g.cfg.Policy, []byte(c.policy))
			g.start(t)
			conn := g.dial(t, g.clients.client(t, "spiffe://example.org/nms"))
			client, ctx := gpb.NewGNMIClient(conn), login(within(t), "username", "alice", "password", "right")
			_, err := client.Get(ctx, &gpb.GetRequest{})
			wantCode(t, err, c.get)
			_, err = client.Capabilities(ctx, &gpb.CapabilityRequest{})
			wantCode(t, err, c.capabilities)
			stream, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx, grpc.WaitForReady(true))
			if err != nil {
				t.Fatal(err)
			}
			stream.CloseSend()
			if _, err := stream.Recv(); c.spies == codes.OK {
				if err == nil || err.Error() != "EOF" {
					t.Errorf("reflection: %v", err)
				}
			} else {
				wantCode(t, err, c.spies)
			}
		})
	}
}

// TestPoliciesKnowEveryService that the server has.
func TestPoliciesKnowEveryService(t *testing.T) {
	g := prepare(t, access.Off).start(t)
	stream, err := grpc_reflection_v1.NewServerReflectionClient(g.dial(t)).ServerReflectionInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range resp.GetListServicesResponse().GetService() {
		if !slices.ContainsFunc(access.Methods(), func(m string) bool { return strings.HasPrefix(m, "/"+s.GetName()+"/") }) {
			t.Errorf("a policy cannot name %s", s.GetName())
		}
	}
}

// TestWrongPoliciesRefuseToStart: nothing in a policy is passed over in silence.
func TestWrongPoliciesRefuseToStart(t *testing.T) {
	for policy, words := range map[string]string{
		``:                          "policy-file",
		`{`:                         "policy-file",
		`[]`:                        "policy-file",
		`{"allow_rules": []}`:       "name",
		`{"name": "p"}`:             "allow_rules",
		`{"name": "p", "rules": 1}`: "rules",
		`{"name": "p", "allow_rules": [{"request": {"paths": ["*"]}}]}`:                                                                                "name",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"path": ["*"]}}]}`:                                                                    "path",
		`{"name": "p", "allow_rules": [{"name": "r", "source": {"principal": ["x"]}}]}`:                                                                "principal",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": [{"key": "", "values": ["x"]}]}}]}`:                                        "key",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": [{"key": "x", "values": []}]}}]}`:                                          "values",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": [{"key": ":path", "values": ["x"]}]}}]}`:                                   ":path",
		`{"name": "p", "allow_rules": [{"name": "r"}], "deny_rules": [{"name": ""}]}`:                                                                  "name",
		`{"name": "p", "allow_rules": [{"name": "r"}]} {"name": "q", "allow_rules": [{"name": "r", "source": {"principals": ["nobody"]}}]}`:            "policy-file",
		`{"name": "p", "allow_rules": [{"name": "r"}], "deny_rules": [{"name": "d", "request": {"paths": ["/gnmi.gnmi/get"]}}]}`:                       "/gnmi.gnmi/get",
		`{"name": "p", "allow_rules": [{"name": "r"}], "deny_rules": [{"name": "d", "request": {"Paths": ["/gnmi.gnmi/get"]}}]}`:                       "/gnmi.gnmi/get",
		`{"name": "p", "allow_rules": [{"name": "r"}], "deny_rules": [{"name": "d"}], "deny_rules": [{"name": "e", "request": {"paths": ["*/Get"]}}]}`: "deny_rules",
		`{"name": "p", "allow_rules": [{"name": "r"}], "deny_rules": [{"name": "d", "request": {"paths": ["*/Get"], "Paths": ["*/Set"]}}]}`:            "Paths",
		`{"name": "p", "allow_rules": [{"name": "r"}], "deny_rules": [{"name": "d"}, {"name": "d", "request": {"paths": ["*/Get"]}}]}`:                 `deny_rules: name: rule "d" is there twice`,
		`{"name": "p", "allow_rules": [{"name": "r", "source": {"principals": []}}]}`:                                                                  `allow_rules: rule "r": source: principals`,
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"paths": []}}]}`:                                                                      "request: paths",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": []}}]}`:                                                                    "request: headers",
		`{"name": "p", "allow_rules": [{"name": "r", "source": {"principals": ["spiffe://*/nms"]}}]}`:                                                  "spiffe://*/nms",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": [{"key": "Fabricscope-Users", "values": ["x"]}]}}]}`:                       "Fabricscope-Users",
		`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": [{"key": "fabricscope-user", "values": ["a*b"]}]}}]}`:                      "a*b",
	} {
		g := prepare(t, access.Off)
		g.cfg.Policy = g.path("policy.json")
		writeFile(t, g.cfg.Policy, []byte(policy))
		_, err := access.New(g.cfg, access.Deps{})
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: error %v does not say %q", policy, err, words)
		}
	}
}
