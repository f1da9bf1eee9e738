// Package nms_test holds the recipes to the models, to a running server, and to the names that gnmic gives.
package nms_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
	"github.com/fabricscope/fabricscope/models/schema"
)

// stream is what one entry of stream-subscriptions has, or a subscription without them.
type stream struct {
	Paths    []string      `yaml:"paths"`
	Mode     string        `yaml:"stream-mode"`
	Interval time.Duration `yaml:"sample-interval"`
}

type subscription struct {
	stream  `yaml:",inline"`
	Target  string   `yaml:"target"`
	Outputs []string `yaml:"outputs"`
	Streams []stream `yaml:"stream-subscriptions"`
}

type recipe struct {
	Encoding      string                    `yaml:"encoding"`
	Subscriptions map[string]subscription   `yaml:"subscriptions"`
	Outputs       map[string]map[string]any `yaml:"outputs"`
	Processors    map[string]map[string]any `yaml:"processors"`
}

func (s subscription) all() []stream {
	if len(s.Streams) > 0 {
		return s.Streams
	}
	return []stream{s.stream}
}

func readRecipe(t *testing.T, file string) recipe {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r recipe
	if err := yaml.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(r.Subscriptions) == 0 || len(r.Outputs) == 0 {
		t.Fatalf("%s subscribes to nothing or sends it nowhere", file)
	}
	return r
}

// TestRecipesOfGnmic asks a server for all that each recipe subscribes to, as gnmic would, and wants something of every
// subscription, and names that exist.
func TestRecipesOfGnmic(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts())
	client, err := api.NewTarget(api.Name("lab"), api.Address(lab.Address), api.TLSCA(lab.CA), api.Timeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CreateGNMIClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	files, err := filepath.Glob("gnmic-*/gnmic*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("recipes %q, %v", files, err)
	}
	for _, file := range files {
		r := readRecipe(t, file)
		for name, output := range r.Outputs {
			used, _ := output["event-processors"].([]any)
			for _, p := range used {
				if r.Processors[p.(string)] == nil {
					t.Errorf("%s: output %s has no processor %v", file, name, p)
				}
			}
		}
		for name, s := range r.Subscriptions {
			for _, o := range s.Outputs {
				if r.Outputs[o] == nil {
					t.Errorf("%s: subscription %s has no output %s", file, name, o)
				}
			}
			t.Run(file+"/"+name, func(t *testing.T) {
				req, err := api.NewSubscribeRequest(options(r.Encoding, s)...)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				call, err := client.Client.Subscribe(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := call.Send(req); err != nil {
					t.Fatal(err)
				}
				if leaves := untilSync(t, call); leaves == 0 {
					t.Error("nothing comes of it")
				}
			})
		}
	}
}

// TestSeriesEnd holds the outputs to Prometheus to what README.md says of series that end. What comes by changes is in a cache that keeps it
// until it is deleted, however old it is; what comes by samples is not, and outlives one sample that is late.
func TestSeriesEnd(t *testing.T) {
	files, err := filepath.Glob("gnmic-prometheus/gnmic*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("recipes %q, %v", files, err)
	}
	for _, file := range files {
		r := readRecipe(t, file)
		for name, output := range r.Outputs {
			changes, slowest := false, time.Duration(0)
			for _, s := range r.Subscriptions {
				if !slices.Contains(s.Outputs, name) {
					continue
				}
				for _, one := range s.all() {
					changes = changes || one.Mode != "sample"
					slowest = max(slowest, one.Interval)
				}
			}
			cache, cached := output["cache"].(map[string]any)
			expiration := duration(t, output["expiration"])
			switch {
			case changes && !cached:
				t.Errorf("%s: what does not change leaves %s, which has no cache", file, name)
			case cached && (expiration >= 0 || duration(t, cache["expiration"]) >= 0):
				t.Errorf("%s: %s leaves out what is older than its expiration, changed or not", file, name)
			case !cached && expiration < 2*slowest:
				t.Errorf("%s: %s drops series after %v, with samples every %v", file, name, expiration, slowest)
			}
		}
	}
}

func duration(t *testing.T, v any) time.Duration {
	t.Helper()
	text, _ := v.(string)
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func options(encoding string, s subscription) []api.GNMIOption {
	out := []api.GNMIOption{api.SubscriptionListModeSTREAM(), api.Encoding(encoding), api.Target(s.Target)}
	for _, one := range s.all() {
		for _, p := range one.Paths {
			out = append(out, api.Subscription(api.Path(p), api.SubscriptionMode(one.Mode), api.SampleInterval(one.Interval)))
		}
	}
	return out
}

func untilSync(t *testing.T, call gpb.GNMI_SubscribeClient) (leaves int) {
	t.Helper()
	for {
		resp, err := call.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			return leaves
		}
		leaves += len(resp.GetUpdate().GetUpdate())
	}
}

// TestPathsOfTelegraf looks for each path of the recipe in the models.
func TestPathsOfTelegraf(t *testing.T) {
	b, err := os.ReadFile("telegraf/telegraf.conf")
	if err != nil {
		t.Fatal(err)
	}
	paths := regexp.MustCompile(`= "(/[^"]+)"`).FindAllStringSubmatch(string(b), -1)
	if len(paths) < 8 {
		t.Fatalf("only %d paths", len(paths))
	}
	for _, p := range paths {
		if len(leavesOf(p[1])) == 0 {
			t.Errorf("no model has %s", p[1])
		}
	}
}

// leavesOf gives the leaves at and beneath a path without keys.
func leavesOf(path string) []string {
	nodes, at := schema.Root(), ""
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		i := slices.IndexFunc(nodes, func(n schema.Node) bool { return n.Name == name })
		if i < 0 {
			return nil
		}
		at += "/" + name
		if nodes = nodes[i].Children; len(nodes) == 0 {
			return []string{at}
		}
	}
	var out []string
	for _, n := range nodes {
		out = append(out, leavesOf(at+"/"+n.Name)...)
	}
	return out
}

// TestDashboard parses the query of each panel, and wants each series of it to be one that gnmic makes of a leaf that
// the recipe subscribes to: the prefix and the path, with _ for whatever is no letter and no digit.
func TestDashboard(t *testing.T) {
	made := map[string]bool{}
	for _, s := range readRecipe(t, "gnmic-prometheus/gnmic.yaml").Subscriptions {
		for _, one := range s.all() {
			for _, p := range one.Paths {
				for _, leaf := range leavesOf(p) {
					made["fabricscope"+regexp.MustCompile(`[^a-zA-Z0-9_]+`).ReplaceAllString(leaf, "_")] = true
				}
			}
		}
	}
	own := regexp.MustCompile(`^(fabricscope_(?:track|history|records|gnmi)_)([a-z_]+?)(?:_bucket|_sum|_count)?$`) // the daemon's own, at /metrics
	b, err := os.ReadFile("grafana/fabricscope.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "1m", "$switch", ".*", "$service", ".*")
	series := 0
	for _, panel := range board.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %s asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			expr, err := parser.NewParser(parser.Options{}).ParseExpr(variables.Replace(target.Expr))
			if err != nil {
				t.Errorf("panel %s: %v", panel.Title, err)
				continue
			}
			parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok {
					series++
					switch parts := own.FindStringSubmatch(v.Name); {
					case made[v.Name]:
					case parts == nil:
						t.Errorf("panel %s: gnmic makes no %s", panel.Title, v.Name)
					case !named(t, parts[1], parts[2]):
						t.Errorf("panel %s: the daemon has no %s", panel.Title, v.Name)
					}
				}
				return nil
			})
		}
	}
	if series < 20 {
		t.Errorf("only %d series", series)
	}
}

// named says whether the daemon's sources name a metric, whole or in two parts.
func named(t *testing.T, prefix, name string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir("../../controlplane", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		b, err := os.ReadFile(file)
		text := string(b)
		found = found || strings.Contains(text, `"`+prefix+name+`"`) || strings.Contains(text, `"`+prefix+`"`) && strings.Contains(text, `"`+name+`"`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
