package cli_test

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/cli"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// update makes the scripts' golden output what the commands write now.
var update = flag.Bool("update", false, "rewrite the golden output of the scripts")

// later is what the clock of the commands shows.
func later() time.Time { return shop.Epoch().Add(5 * time.Minute) }

// TestScripts runs the command as an operator does, against a server whose facts are those
// of package shop; three minutes after they began cart-…-bbbbb is replaced by another pod.
func TestScripts(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), gnmitest.WithForgottenPast(t))
	forgotten := lab.AwaitForgotten(t).Format(time.RFC3339)
	roll(lab)
	empty := gnmitest.Start(t, nil)
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fabricscope": fabricscope,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("FABRICSCOPE_ADDRESS", lab.Address)
			e.Setenv("FABRICSCOPE_TLS_CA", lab.CA)
			e.Setenv("EMPTY", empty.Address)
			e.Setenv("EMPTY_CA", empty.CA)
			e.Setenv("NOBODY", freeAddress(t))
			e.Setenv("FORGOTTEN", forgotten)
			return nil
		},
	})
}

// roll replaces a pod, as a rolling update does.
func roll(lab *gnmitest.Lab) {
	drain(lab)
	lab.SetNow(shop.Epoch().Add(3 * time.Minute))
	var old []inventory.Fact
	for _, f := range shop.Facts() {
		switch f := f.(type) {
		case inventory.Pod:
			if f.UID == "uid-cart-1" {
				old = append(old, f)
			}
		case inventory.Attachment:
			if f.PodUID == "uid-cart-1" {
				old = append(old, f)
			}
		case inventory.Member:
			if f.PodUID == "uid-cart-1" {
				old = append(old, f)
			}
		case flow.Conversation:
			lab.Record(f)
		}
	}
	lab.End(old...)
	p := shop.Pod("cart", "8c1d-eeeee", "uid-cart-9", "worker2", "10.244.2.9")
	at := shop.Attachment(p.UID, "leaf2", 3, "swp3")
	at.Since = lab.Now()
	lab.Record(p, at, inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: p.IPs[0],
		PodUID: p.UID, Pod: p.Name, Node: p.Node, Ready: true, Serving: true})
	trouble(lab, p)
	lab.SetNow(later())
}

// drain has the old pod deleted: it gets no new connections, and answers until its probe fails.
func drain(lab *gnmitest.Lab) {
	for _, f := range shop.Facts() {
		m, ok := f.(inventory.Member)
		if !ok || m.PodUID != "uid-cart-1" {
			continue
		}
		lab.SetNow(shop.Epoch().Add(2*time.Minute + 50*time.Second))
		m.Ready, m.Terminating = false, true
		lab.Record(m)
		lab.SetNow(shop.Epoch().Add(2*time.Minute + 55*time.Second))
		m.Serving = false
		lab.Record(m)
	}
}

// tell has Kubernetes' own events of the new pod and its node, and the pod killed for its memory.
func tell(lab *gnmitest.Lab, p inventory.Pod, at func(seconds int) time.Time) {
	for i, e := range []inventory.Event{
		{Type: "Warning", Reason: "FailedScheduling", Message: "0/2 nodes are available", Source: "default-scheduler", Kind: "Pod"},
		{Type: "Normal", Reason: "Killing", Message: "Stopping container cart", Source: "kubelet", Kind: "Pod"},
		{Type: "Warning", Reason: "BackOff", Message: "Back-off restarting failed container", Source: "kubelet", Kind: "Pod"},
		{Type: "Warning", Reason: "Evicted", Message: "The node was low on resource: memory", Source: "kubelet", Kind: "Pod"},
		{Type: "Normal", Reason: "NodeNotReady", Message: "Node worker2 status is now: NodeNotReady", Source: "node-controller", Kind: "Node"},
	} {
		e.Cluster, e.UID, e.Count, e.Last = "blue", "uid-told-"+e.Reason, 1, at(52+i)
		e.Namespace, e.Name, e.ObjectUID = p.Namespace, p.Name, p.UID
		if e.Kind == "Node" {
			e.Namespace, e.Name, e.ObjectUID = "", p.Node, p.Node
		}
		lab.Record(e)
	}
	p.Restarts, p.Reason, p.Ready = 1, "CrashLoopBackOff after OOMKilled", false
	at(57)
	lab.Record(p)
}

// trouble goes on after the rolling update: nothing is known of the cluster for a while, a cable and a probe fail, and
// that the node was not ready comes to be known late.
func trouble(lab *gnmitest.Lab, p inventory.Pod) {
	at := func(seconds int) time.Time {
		t := shop.Epoch().Add(3*time.Minute + time.Duration(seconds)*time.Second)
		lab.SetNow(t)
		return t
	}
	gap := inventory.Gap{Cluster: "blue", Since: at(10), Why: "connection refused"}
	lab.Record(gap)
	at(20)
	lab.End(gap)
	for _, f := range shop.Facts() {
		if l, ok := f.(inventory.Link); ok && l.B.Switch == "spine1" && l.A.Switch == "leaf2" {
			back := inventory.Link{A: l.B, B: l.A}
			lab.Record(back)
			at(30)
			lab.End(back)
			at(32)
			lab.Record(back)
		}
	}
	flap(lab, at)
	lab.Store.Record(inventory.Became(inventory.Event{Cluster: "blue", UID: "uid-event-2", Type: "Warning", Reason: "Unhealthy",
		Message: "Readiness probe failed", Kind: "Pod", Namespace: "shop", Name: p.Name, ObjectUID: p.UID, Count: 4, Last: at(40)}, at(40)))
	find(lab, p, at)
	for _, f := range shop.Facts() {
		if n, ok := f.(inventory.Node); ok && n.Name == p.Node {
			n.Ready = false
			at(50)
			lab.Store.Record(inventory.Became(n, shop.Epoch().Add(3*time.Minute+25*time.Second)))
		}
	}
	tell(lab, p, at)
}

// flap lets a port go down, be shut, be unknown and come up.
func flap(lab *gnmitest.Lab, at func(seconds int) time.Time) {
	for i, port := range []inventory.Port{{Admin: "up", Oper: "down"}, {Admin: "down", Oper: "down"}, {Unknown: "Unavailable: no route to host"}, {Admin: "up", Oper: "up"}} {
		port.Switch, port.Number, port.Name, port.Peer = "leaf2", 3, "swp3", "worker2"
		at(33 + i)
		lab.Record(port)
	}
}

// find has findings about a service, one of its pods, its port and a cable, and about another service.
func find(lab *gnmitest.Lab, p inventory.Pod, at func(seconds int) time.Time) {
	findings := []inventory.Finding{
		{ID: "a", Kind: "refused-port", Severity: inventory.Critical, Subject: inventory.Subject{Kind: "service", Cluster: "blue", Name: "shop/cart:8080"}, Text: "service shop/cart:8080 refuses connections"},
		{ID: "b", Kind: "stalled-server", Severity: inventory.Major, Subject: inventory.Subject{Kind: "pod", Cluster: "blue", Name: "shop/" + p.Name + ":8080"}, Text: "pod " + p.Name + ":8080 accepts connections and does not take what is sent"},
		{ID: "c", Kind: "port-down", Severity: inventory.Critical, Subject: inventory.Subject{Kind: "port", Name: "leaf2/swp3"}, Text: "port leaf2/swp3 is down"},
		{ID: "d", Kind: "lossy-link", Severity: inventory.Major, Subject: inventory.Subject{Kind: "link", Name: "spine1/swp2>leaf2/swp1"}, Text: "spine1/swp2>leaf2/swp1 loses 2% of the packets"},
		{ID: "e", Kind: "refused-port", Severity: inventory.Critical, Subject: inventory.Subject{Kind: "service", Cluster: "blue", Name: "shop/frontend:80"}, Text: "another service's"},
	}
	for i, f := range findings {
		at(41 + i)
		lab.Record(f)
		f.Evidence++ // which is no news
		lab.Record(f)
	}
	for _, f := range findings {
		at(46)
		lab.End(f)
	}
}

// fabricscope is the command under test, in this process.
func fabricscope(ts *testscript.TestScript, negated bool, args []string) {
	status := cli.Main(cli.Surroundings{
		Args: args, Getenv: ts.Getenv, Now: later, Stdout: ts.Stdout(), Stderr: ts.Stderr(),
	})
	if failed := status != 0; failed != negated {
		ts.Fatalf("fabricscope %s: exit status %d", strings.Join(args, " "), status)
	}
}

// freeAddress gives an address that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestHelpNamesEveryCommand(t *testing.T) {
	var out strings.Builder
	if status := cli.Main(cli.Surroundings{Args: []string{"--help"}, Getenv: os.Getenv, Now: time.Now, Stdout: &out, Stderr: &out}); status != 0 {
		t.Fatalf("exit status %d", status)
	}
	for _, name := range []string{"pods", "services", "flows", "edges", "findings", "switches", "links", "timeline", "diff", "port", "impact", "accounting", "get", "watch", "export"} {
		if !strings.Contains(out.String(), "\n  "+name) {
			t.Errorf("no %s in the help:\n%s", name, out.String())
		}
	}
}
