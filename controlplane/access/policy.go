package access

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/authz"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
)

// exportMethod streams flow records.
const exportMethod = "/fabricscope.v1.FlowRecords/Export"

// recordsTrailer says how many an export was.
const recordsTrailer = "records"

// methods are the RPCs that there are.
func methods() []string {
	names := []string{exportMethod}
	for _, d := range []grpc.ServiceDesc{gpb.GNMI_ServiceDesc, grpc_reflection_v1.ServerReflection_ServiceDesc, grpc_reflection_v1alpha.ServerReflection_ServiceDesc} {
		for _, m := range d.Methods {
			names = append(names, "/"+d.ServiceName+"/"+m.MethodName)
		}
		for _, s := range d.Streams {
			names = append(names, "/"+d.ServiceName+"/"+s.StreamName)
		}
	}
	return names
}

// parsePolicy reads a policy in the JSON form of gRPC A43.
func (g *Guard) parsePolicy(contents [][]byte) (*authz.StaticInterceptor, error) {
	p, err := authz.NewStatic(string(contents[0]))
	if err == nil {
		err = checkPaths(contents[0])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.cfg.Policy, err)
	}
	return p, nil
}

// rules are those of a policy, as far as they name RPCs.
type rules []struct {
	Name    string
	Request struct{ Paths []string }
}

// checkPaths wants every path to be that of an RPC: one that is misspelt in a rule that denies would allow.
func checkPaths(policy []byte) error {
	var p struct {
		Allow rules `json:"allow_rules"`
		Deny  rules `json:"deny_rules"`
	}
	if err := json.Unmarshal(policy, &p); err != nil { // more than one document is an error here
		return err
	}
	for field, list := range map[string]rules{"allow_rules": p.Allow, "deny_rules": p.Deny} {
		for _, r := range list {
			for _, path := range r.Request.Paths {
				if !slices.ContainsFunc(methods(), func(m string) bool { return matches(path, m) }) {
					return fmt.Errorf("%s: rule %q: paths: no RPC is %q", field, r.Name, path)
				}
			}
		}
	}
	return nil
}

// matches says whether a pattern of A43 is that of a path: whole, or with * at either end.
func matches(pattern, path string) bool {
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(path, rest)
	}
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(path, rest)
	}
	return pattern == path
}
