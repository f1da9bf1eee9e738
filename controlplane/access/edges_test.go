package access_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// read gives the values of leaves of a list, by the leaf's name, for the entry with a key or for all.
func (g *guarded) read(t *testing.T, who, key string, path ...string) (map[string][]string, error) {
	t.Helper()
	p := &gpb.Path{}
	for _, name := range path {
		p.Elem = append(p.Elem, &gpb.PathElem{Name: name})
	}
	if key != "" {
		p.Elem[len(p.Elem)-1].Key = map[string]string{"id": key}
	}
	resp, err := gpb.NewGNMIClient(g.dial(t)).Get(login(within(t), "username", who, "password", "pw"),
		&gpb.GetRequest{Path: []*gpb.Path{p}, Encoding: gpb.Encoding_PROTO})
	got := map[string][]string{}
	for _, n := range resp.GetNotification() {
		for _, u := range n.GetUpdate() {
			elems := u.GetPath().GetElem()
			name := elems[len(elems)-1].GetName()
			got[name] = append(got[name], u.GetVal().GetStringVal())
		}
	}
	return got, err
}

// TestEdgesWithAnother: an edge with one end is there, under an ID that nobody can guess, and can be asked for by it.
func TestEdgesWithAnother(t *testing.T) {
	g := tenants(t)
	edges := []string{"flows", "services", "edge"}
	got, err := g.read(t, "tenant", "", edges...)
	if err != nil {
		t.Fatal(err)
	}
	var renamed []string
	for _, id := range got["id"] {
		if !strings.HasPrefix(id, "e-") && !slices.Contains(renamed, id) {
			renamed = append(renamed, id)
		}
	}
	slices.Sort(renamed)
	// e-mine as it is; e-to-rival, e-from-rival, e-from-node, e-from-outside and e-both in part.
	if len(renamed) != 5 || !slices.Contains(got["id"], "e-mine") {
		t.Fatalf("IDs %q, want five new ones and e-mine", got["id"])
	}
	for _, leaf := range []string{"client-name", "client-namespace", "server-namespace", "server-name"} {
		for _, v := range got[leaf] {
			if v != "mine-1" && v != "mine" && v != "svc" {
				t.Errorf("%s %q", leaf, v)
			}
		}
	}
	one, err := g.read(t, "tenant", renamed[0], edges...)
	if err != nil || !slices.Contains(one["id"], renamed[0]) || len(slices.Compact(one["id"])) != 1 {
		t.Errorf("asked for %s: %v %v", renamed[0], one, err)
	}
	_, hidden := g.read(t, "tenant", "e-to-rival", edges...)
	_, absent := g.read(t, "tenant", "e-to-nobody", edges...)
	wantCode(t, hidden, codes.NotFound)
	if strings.ReplaceAll(hidden.Error(), "e-to-rival", "") != strings.ReplaceAll(absent.Error(), "e-to-nobody", "") {
		t.Errorf("%v tells what is hidden from %v", hidden, absent)
	}
	if one, err := g.read(t, "root", "e-to-rival", edges...); err != nil || !slices.Contains(one["server-namespace"], "rival") {
		t.Errorf("root: %v %v", one, err)
	}
}

// TestFindingsOfAReader are those whose subject is the reader's, and of what is shared.
func TestFindingsOfAReader(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "tenant", "pw"), user(t, "sharer", "pw"))
	g.cfg.Readers = []access.Reader{{Name: "mine", Users: []string{"tenant"}, Clusters: []string{"blue"}, Namespaces: []string{"mine"}},
		{Name: "shared", Users: []string{"sharer"}, Clusters: []string{"blue"}, Namespaces: []string{"mine"}, Shared: []string{"/diagnosis", "/fabric/links"}}}
	g.facts = rivals()
	g.start(t)
	mine := []string{"no-endpoints:service:blue/mine/svc", "unanswered-port:pod:blue/mine/mine-1:81", "unanswered-port:service:blue/mine/svc:80"}
	common := []string{"api-gap:cluster:blue/blue", "lossy-link:link:/rival-leaf/1>leaf2/1", "lossy-link:link:leaf2/swp1>spine1/swp2",
		"unanswered-port:address:/10.66.66.6:80", "unanswered-port:node:blue/rival-node:22"}
	for who, want := range map[string][]string{"tenant": mine, "sharer": append(common, mine...)} {
		got, err := g.read(t, who, "", "diagnosis", "findings", "finding")
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		slices.Sort(got["id"])
		ids := slices.DeleteFunc(slices.Compact(got["id"]), func(id string) bool { return !strings.Contains(id, ":") })
		if !slices.Equal(ids, want) {
			t.Errorf("%s sees %q, want %q", who, ids, want)
		}
	}
	if losses, err := g.read(t, "sharer", "", "fabric", "links", "link"); err != nil || !slices.Contains(losses["status"], "LOSSY") {
		t.Errorf("losses of links that are shared: %v %v", losses, err)
	}
}

// TestFindingAboutServicesOfSeveral: of those behind one address a reader sees its own, under an ID that nobody can guess, by
// which the finding can be asked for and by which its end is told.
func TestFindingAboutServicesOfSeveral(t *testing.T) {
	g := tenants(t)
	findings := []string{"diagnosis", "findings", "finding"}
	all, err := g.read(t, "tenant", "", findings...)
	if err != nil {
		t.Fatal(err)
	}
	renamed := slices.DeleteFunc(slices.Compact(all["id"]), func(id string) bool { return strings.Contains(id, ":") })
	if len(renamed) != 1 {
		t.Fatalf("IDs %q, want one new one", all["id"])
	}
	one, err := g.read(t, "tenant", renamed[0], findings...)
	if err != nil {
		t.Fatal(err)
	}
	for leaf, want := range map[string]string{"subject": "mine/svc:80", "text": "service mine/svc:80 is not well", "kind": "unanswered-port"} {
		if !slices.Equal(one[leaf], []string{want}) {
			t.Errorf("%s is %q, want %q", leaf, one[leaf], want)
		}
	}
	const whole = "unanswered-port:service:blue/mine/svc,rival/svc:80"
	_, hidden := g.read(t, "tenant", whole, findings...)
	wantCode(t, hidden, codes.NotFound)
	if one, err := g.read(t, "root", whole, findings...); err != nil || !slices.Contains(one["subject"], "mine/svc,rival/svc:80") {
		t.Errorf("root: %v %v", one, err)
	}
	stream, err := gpb.NewGNMIClient(g.dial(t)).Subscribe(login(within(t), "username", "tenant", "password", "pw"))
	if err != nil {
		t.Fatal(err)
	}
	path := &gpb.Path{Elem: []*gpb.PathElem{{Name: "diagnosis"}, {Name: "findings"}, {Name: "finding", Key: map[string]string{"id": renamed[0]}}}}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Subscription: []*gpb.Subscription{{Path: path, Mode: gpb.SubscriptionMode_ON_CHANGE}}}}}); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			for _, f := range found() {
				g.End(f)
			}
		}
		if gone := resp.GetUpdate().GetDelete(); len(gone) > 0 {
			if !strings.Contains(gone[0].String(), renamed[0]) {
				t.Errorf("%v ends", gone)
			}
			return
		}
	}
}

// TestEveryKindOfFindingHasARule, for one that has none is not seen by readers of namespaces.
func TestEveryKindOfFindingHasARule(t *testing.T) {
	text, err := os.ReadFile("../../docs/FINDINGS.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllSubmatch(text, -1)
	if len(kinds) == 0 {
		t.Fatal("no kind of finding is in the table")
	}
	for _, k := range kinds {
		if !access.KnowsFinding(string(k[1])) {
			t.Errorf("no rule says whether the text of %s names others", k[1])
		}
	}
}
