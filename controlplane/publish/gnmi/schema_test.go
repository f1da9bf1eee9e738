package gnmi

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/ygot/ygot"
	"github.com/openconfig/ygot/ytypes"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
	"github.com/fabricscope/fabricscope/models"
)

// everything renders a fact whole.
func everything(t *testing.T, table []*kind, f inventory.Fact) []rendered {
	t.Helper()
	var p program
	p.add(nil)
	var out []rendered
	for _, k := range table {
		if k.fact != f.Ref().Kind {
			continue
		}
		r, ok := new(writer).render(k, inventory.Entry{Fact: f, Event: time.Unix(1700000000, 0)}, &p, nil)
		if !ok {
			t.Fatalf("%v renders to nothing", f.Ref())
		}
		out = append(out, r)
	}
	return out
}

// checkAgainstModels sets every leaf of the facts in the generated models, in PROTO and in
// JSON_IETF, validates the result, and gives the schema paths that occurred.
func checkAgainstModels(t *testing.T, table []*kind, facts []inventory.Fact) map[*node]bool {
	t.Helper()
	seen := map[*node]bool{}
	for _, enc := range []gpb.Encoding{gpb.Encoding_PROTO, gpb.Encoding_JSON_IETF} {
		schema, err := models.Schema()
		if err != nil {
			t.Fatal(err)
		}
		root := schema.Root.(*models.Root)
		for _, f := range facts {
			for _, r := range everything(t, table, f) {
				for _, l := range r.leaves {
					seen[l.node] = true
					path := &gpb.Path{Elem: protoPath(slices.Concat(r.entry, l.path()))}
					err := ytypes.SetNode(schema.RootSchema(), root, path, l.value.typed(enc, l.node.wide), &ytypes.InitMissingElements{})
					if err != nil {
						t.Errorf("%v %s: %v", enc, pathText(path), err)
					}
				}
			}
		}
		if err := root.ΛValidate(&ytypes.LeafrefOptions{IgnoreMissingData: true}); err != nil {
			t.Errorf("%v: %v", enc, err)
		}
		if _, err := ygot.EmitJSON(root, &ygot.EmitJSONConfig{Format: ygot.RFC7951}); err != nil {
			t.Error(err)
		}
	}
	return seen
}

// unseen gives the served leaves beneath n that did not occur.
func unseen(n *node, seen map[*node]bool, path string) []string {
	path += "/" + n.name
	if n.leaf && n.served && !seen[n] {
		return []string{path}
	}
	var out []string
	for _, c := range n.children {
		out = append(out, unseen(c, seen, path)...)
	}
	return out
}

func TestEveryLeafFitsTheModels(t *testing.T) {
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		root   *node
		device bool
	}{"fabric": {s.fabric, false}, "device": {s.device, true}} {
		t.Run(name, func(t *testing.T) {
			facts := shop.Facts()
			if test.device {
				facts = slices.DeleteFunc(facts, func(f inventory.Fact) bool {
					return deviceOf(f) != "leaf1"
				})
			}
			seen := checkAgainstModels(t, s.kinds(test.device), facts)
			if left := unseen(test.root, seen, ""); len(left) > 0 {
				slices.Sort(left)
				t.Errorf("in the model and never given:\n%s", strings.Join(left, "\n"))
			}
		})
	}
}

func TestKeysAndRefsAreReverses(t *testing.T) {
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, device := range []bool{false, true} {
		for _, k := range s.kinds(device) {
			for _, f := range shop.Facts() {
				if f.Ref().Kind != k.fact {
					continue
				}
				on := ""
				if device {
					on = deviceOf(f)
				}
				keys := k.keys(f, nil)
				got := k.stretch(on, keys)
				if want := (stretch{cluster: f.Ref().Cluster, id: f.Ref().ID, one: true}); !reflect.DeepEqual(got, want) {
					t.Errorf("keys %q of %v lead to %+v", keys, f.Ref(), got)
				}
				for n := range keys { // fewer keys lead to more facts, this one among them
					some := slices.Clone(keys)
					clear(some[n:])
					if more := k.stretch(on, some); !more.covers(got) || more.one {
						t.Errorf("keys %q of %v lead to %+v", some, f.Ref(), more)
					}
				}
			}
		}
	}
}
