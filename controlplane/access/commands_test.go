package access_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/cli"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// command runs the operator's command as a user, and gives all that it writes and its status.
func (g *guarded) command(t *testing.T, ctx context.Context, who string, out *bytes.Buffer, args ...string) int {
	t.Helper()
	env := map[string]string{"FABRICSCOPE_ADDRESS": g.Address, "FABRICSCOPE_TLS_CA": g.servers.write(t, g.dir, "ca.crt"),
		"FABRICSCOPE_USERNAME": who, "FABRICSCOPE_PASSWORD": "pw"}
	return cli.Run(ctx, cli.Surroundings{Args: args, Getenv: func(name string) string { return env[name] }, Now: g.Now, Stdout: out, Stderr: out})
}

// TestNoByteOfAnotherByCommand has a tenant ask everything that the command can.
func TestNoByteOfAnotherByCommand(t *testing.T) {
	g := tenants(t)
	g.change("by command")
	if err := g.Records.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := "--at=" + shop.Epoch().Add(time.Minute).Format(time.RFC3339)
	for line, mine := range map[string]string{
		"pods -o wide": "mine-1", "pods -o json": "uid-mine", "pods -o wide " + at: "mine-1",
		"services -o json": "mine", "services -o wide": "mine", "services --vips -o wide": "10.55.55.6", "services --vips -o json " + at: "10.55.55.6",
		"flows -o wide": "mine-1", "flows -o json": "uid-mine", "flows --legs -o wide": "mine-1", "flows -o json " + at: "uid-mine",
		"edges -o wide": "mine-1", "edges -o json": "e-mine", "edges -o json " + at: "e-mine",
		"findings -o wide": "mine/svc", "findings -o json": "mine/svc", "findings -o json " + at: "mine/svc",
		"switches -o json": "", "links -o json": "", "accounting -o json": "",
		"timeline pod mine/mine-1 --since 10m": "mine-1", "timeline service mine/svc --since 10m": "mine",
		"diff " + at + " -o json": "", "port leaf1 swp3 -o json": "", "impact --switch leaf1": "", "impact --node worker1 -o json": "", "impact --port leaf1/swp3": "",
		"get / --target *": "uid-mine", "get /kubernetes " + at: "uid-mine",
		"export flows": "uid-mine", "export flows --format parquet": "uid-mine",
	} {
		for _, who := range []string{"tenant", "root"} {
			var out bytes.Buffer
			status := g.command(t, t.Context(), who, &out, strings.Fields(line)...)
			leaks := slices.DeleteFunc(canaries(), func(c string) bool { return !bytes.Contains(out.Bytes(), []byte(c)) })
			switch {
			case who == "tenant" && len(leaks) > 0:
				t.Errorf("%s: %q is told:\n%s", line, leaks, &out)
			case who == "tenant" && !strings.Contains(out.String(), mine):
				t.Errorf("%s: nothing of the own:\n%s", line, &out)
			case who == "root" && len(leaks) == 0 && mine != "" && !strings.HasPrefix(line, "timeline"):
				t.Errorf("%s: root sees nothing of the others", line)
			case status != 0 && mine != "":
				t.Errorf("%s as %s: status %d:\n%s", line, who, status, &out)
			}
		}
	}
}

// TestSharedClustersTellWhatIsOld: who sees the clusters beside a namespace is told that what is shown of it may be of long ago,
// without the nodes.
func TestSharedClustersTellWhatIsOld(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "tenant", "pw"))
	g.cfg.Readers = []access.Reader{{Name: "mine", Users: []string{"tenant"}, Namespaces: []string{"mine"},
		Shared: []string{"/kubernetes/clusters/cluster"}, Hidden: []string{"/kubernetes/clusters/cluster/nodes"}}}
	g.facts = rivals()
	g.start(t)
	var out bytes.Buffer
	if status := g.command(t, t.Context(), "tenant", &out, "pods"); status != 0 || !strings.Contains(out.String(), "Cluster green is unreachable") {
		t.Errorf("status %d:\n%s", status, &out)
	}
	out.Reset()
	if g.command(t, t.Context(), "tenant", &out, "get", "/kubernetes"); strings.Contains(out.String(), "/nodes/") || strings.Contains(out.String(), "uid=uid-rival]") {
		t.Errorf("a node or another's pod is told:\n%s", &out)
	}
}

// TestCommandsDoNotTellWhatIsHidden: what is asked about by its name or its address is answered as if it were not there.
func TestCommandsDoNotTellWhatIsHidden(t *testing.T) {
	g := tenants(t)
	for line, names := range map[string][2]string{
		"pods -n %s": {"rival", "absent"}, "pods --pod %s": {"rival-1", "absent-1"}, "pods --cluster %s": {"green", "absent"},
		"services -n %s": {"rival", "absent"}, "services --vips -n %s": {"rival", "absent"}, "services --service %s": {"rival/svc", "absent/svc"},
		"flows -n %s": {"rival", "absent"}, "flows --pod %s": {"rival-1", "absent-1"}, "edges -n %s": {"rival", "absent"},
		"findings --cluster %s":                             {"green", "absent"},
		"timeline pod %s":                                   {"rival/rival-1", "absent/absent-1"},
		"timeline service %s":                               {"rival/svc", "absent/svc"},
		"timeline node %s":                                  {"worker2", "absent"},
		"timeline port %s swp1":                             {"spine1", "absent"},
		"port %s swp1":                                      {"spine1", "absent"},
		"impact --switch %s":                                {"spine1", "absent"},
		"impact --port %s/swp1":                             {"spine1", "absent"},
		"impact --link %s/swp1":                             {"spine1", "absent"},
		"impact --node %s":                                  {"worker2", "absent"},
		"export flows --pod %s":                             {"rival-1", "absent-1"},
		"export flows --end %s":                             {"10.66.66.6", "10.99.99.9"},
		"export flows -n %s":                                {"rival", "absent"},
		"export flows --switch %s":                          {"leaf1", "absent"},
		"get /kubernetes/clusters/cluster[name=%s]":         {"green", "absent"},
		"get /kubernetes/clusters/cluster/pods/pod[uid=%s]": {"uid-rival", "uid-absent"},
		"get /diagnosis/findings/finding[id=%s]":            {"no-endpoints:service:blue/rival/svc", "absent"},
		"get /flows/conversations/conversation[id=%s]":      {"cccc", "absent"},
		"get / --target %s":                                 {"leaf1", "absent"},
	} {
		var answers [2]string
		for i, name := range names {
			var out bytes.Buffer
			status := g.command(t, t.Context(), "tenant", &out, strings.Fields(fmt.Sprintf(line, name))...)
			answers[i] = fmt.Sprint(status, " ", strings.ReplaceAll(out.String(), name, "NAME"))
		}
		if answers[0] != answers[1] {
			t.Errorf("%s: %s is answered\n%s\nand %s\n%s", line, names[0], answers[0], names[1], answers[1])
		}
	}
}

// TestWatchShowsNoOther keeps showing pods while those of others change.
func TestWatchShowsNoOther(t *testing.T) {
	g := tenants(t)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	out := &marked{until: "moved-to", done: cancel, began: func() {
		g.change("by watching")
		g.Record(inventory.Pod{Cluster: "blue", Namespace: "mine", Name: "mine-1", UID: "uid-mine", Node: "moved-to"})
	}}
	env := map[string]string{"FABRICSCOPE_ADDRESS": g.Address, "FABRICSCOPE_TLS_CA": g.servers.write(t, g.dir, "ca.crt"),
		"FABRICSCOPE_USERNAME": "tenant", "FABRICSCOPE_PASSWORD": "pw"}
	cli.Run(ctx, cli.Surroundings{Args: []string{"watch", "pods"}, Getenv: func(name string) string { return env[name] }, Now: g.Now, Stdout: out, Stderr: out})
	if leaks := slices.DeleteFunc(canaries(), func(c string) bool { return !strings.Contains(out.text.String(), c) }); len(leaks) > 0 {
		t.Errorf("%q is told:\n%s", leaks, out.text.String())
	}
	if !strings.Contains(out.text.String(), "moved-to") {
		t.Errorf("nothing of the own:\n%s", out.text.String())
	}
}

// marked is output that says when the first of it came, and when something did.
type marked struct {
	text  strings.Builder
	until string
	began func()
	done  func()
}

func (m *marked) Write(b []byte) (int, error) {
	if m.text.Len() == 0 {
		m.began()
	}
	m.text.Write(b)
	if strings.Contains(m.text.String(), m.until) {
		m.done()
	}
	return len(b), nil
}
