package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
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

// ownHeaders is what the names of headers that the daemon sets begin with.
const ownHeaders = "fabricscope-"

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
		err = checkRules(contents[0])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.cfg.Policy, err)
	}
	return p, nil
}

// policyRule is a rule of A43, as far as more is asked of it than gRPC does. Lists are nil where the policy has none.
type policyRule struct {
	Name   string `json:"name"`
	Source struct {
		Principals *[]string `json:"principals"`
	} `json:"source"`
	Request struct {
		Paths   *[]string `json:"paths"`
		Headers *[]struct {
			Key    string   `json:"key"`
			Values []string `json:"values"`
		} `json:"headers"`
	} `json:"request"`
}

// checkRules refuses what gRPC takes and nobody can mean: it would allow what a rule was to deny. That are fields that
// are there twice, of which the last counts, rules with the same name, likewise, empty lists, which mean anything, and names
// that nothing has.
func checkRules(policy []byte) error {
	var p struct {
		Allow []policyRule `json:"allow_rules"`
		Deny  []policyRule `json:"deny_rules"`
	}
	// gRPC matches the names of fields in any case.
	if err := json.Unmarshal(policy, &p, json.MatchCaseInsensitiveNames(true)); err != nil { // more than one document is an error here
		return err
	}
	for _, list := range []struct {
		field string
		rules []policyRule
	}{{"allow_rules", p.Allow}, {"deny_rules", p.Deny}} {
		seen := map[string]bool{}
		for _, r := range list.rules {
			if seen[r.Name] {
				return fmt.Errorf("%s: name: rule %q is there twice", list.field, r.Name)
			}
			seen[r.Name] = true
			if err := r.check(); err != nil {
				return fmt.Errorf("%s: rule %q: %w", list.field, r.Name, err)
			}
		}
	}
	return nil
}

func (r *policyRule) check() error {
	if r.Source.Principals != nil {
		if len(*r.Source.Principals) == 0 {
			return errors.New("source: principals: is empty, which would mean anybody: leave it out for that")
		}
		for _, p := range *r.Source.Principals {
			if starWithin(p) {
				return fmt.Errorf("source: principals: %q has a * that is at neither end", p)
			}
		}
	}
	if r.Request.Paths != nil {
		if len(*r.Request.Paths) == 0 {
			return errors.New("request: paths: is empty, which would mean every RPC: leave it out for that")
		}
		for _, path := range *r.Request.Paths {
			if !slices.ContainsFunc(methods(), func(m string) bool { return matches(path, m) }) {
				return fmt.Errorf("request: paths: no RPC is %q", path)
			}
		}
	}
	if r.Request.Headers == nil {
		return nil
	}
	if len(*r.Request.Headers) == 0 {
		return errors.New("request: headers: is empty, which would mean any: leave it out for that")
	}
	for _, h := range *r.Request.Headers {
		key := strings.ToLower(h.Key)
		if strings.HasPrefix(key, ownHeaders) && key != UserHeader {
			return fmt.Errorf("request: headers: key: there is no %q; the user who logged in is in %q", h.Key, UserHeader)
		}
		if key == UserHeader && slices.ContainsFunc(h.Values, starWithin) {
			return fmt.Errorf("request: headers: values: of %q, one has a * that is at neither end", h.Values)
		}
	}
	return nil
}

// starWithin says whether a pattern has a * that is not at one of its ends, where it would stand for itself.
func starWithin(pattern string) bool {
	return len(pattern) > 2 && strings.Contains(pattern[1:len(pattern)-1], "*")
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
