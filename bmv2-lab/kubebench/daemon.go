package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// Ports of the run are below those that the kernel gives to connections.
const (
	gnmiAddress = "127.0.0.1:9581"
	httpAddress = "127.0.0.1:9582"
	clusterPort = 6473 // and the four after it
)

const daemonName = "fabricscoped"

// daemon is the controller under test.
type daemon struct {
	process *process.Process
	killed  atomic.Bool // by this program
	conn    *grpc.ClientConn
	client  gpb.GNMIClient
}

// learn starts the controller with nothing known and measures until it answers with every pod.
func (w *world) learn(ctx context.Context) error {
	dir := filepath.Join(w.dir, "state")
	config := filepath.Join(w.dir, "fabricscoped.yaml")
	text := fmt.Sprintf("state-dir: %s\ngnmi: {listen: %q}\nhttp: {listen: %q}\nclusters:\n  - {name: %s, kubeconfig: %s}\n",
		dir, gnmiAddress, httpAddress, clusterName, w.cluster.Kubeconfig(cluster.UserFabricscope))
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	begin := time.Now()
	if err := w.startDaemon(ctx); err != nil {
		return err
	}
	listed := time.Since(begin)
	ready, err := w.d.ready(ctx)
	if err != nil {
		return err
	}
	if ready != w.pods {
		return fmt.Errorf("the controller knows %d ready pods, and there are %d", ready, w.pods)
	}
	measured("from the start with an empty history until all pods are read", time.Since(begin).Round(time.Millisecond).String(), "under 60 s")
	report("%-64s %12v", "of that until everything is listed", listed.Round(time.Millisecond))
	report("%-64s %12s   at most %s", "resident memory then", w.d.resident("VmRSS"), w.d.resident("VmHWM"))
	return nil
}

// startDaemon starts the controller, and returns when it has listed everything.
func (w *world) startDaemon(ctx context.Context) error {
	p, err := w.launch(process.Spec{Name: daemonName, Path: w.daemon, Log: filepath.Join(w.dir, daemonName+".log"),
		Args: []string{"--config", filepath.Join(w.dir, "fabricscoped.yaml")}})
	if err != nil {
		return err
	}
	d := &daemon{process: p}
	w.d = d
	go func() {
		<-p.Done()
		if !d.killed.Load() {
			w.cancel(p.Err())
		}
	}()
	if err := w.until("the controller has listed everything", synced(ctx)); err != nil {
		return err
	}
	return d.dial(filepath.Join(w.dir, "state", "gnmi.crt"))
}

// synced reads the metric that is 1 once everything of the cluster is known.
func synced(ctx context.Context) func() (int, int) {
	want := fmt.Sprintf("fabricscope_kube_synced{cluster=%q} 1", clusterName)
	return func() (int, int) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+httpAddress+"/metrics", nil)
		if err != nil {
			return 0, 1
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, 1 // it does not listen yet
		}
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if lines.Text() == want {
				return 1, 1
			}
		}
		return 0, 1
	}
}

func (d *daemon) dial(certificate string) error {
	pem, err := os.ReadFile(certificate)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	d.conn, err = grpc.NewClient("passthrough:///"+gnmiAddress, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})))
	if err != nil {
		return err
	}
	d.client = gpb.NewGNMIClient(d.conn)
	return nil
}

func (d *daemon) stop() {
	d.killed.Store(true)
	if d.conn != nil {
		d.conn.Close()
	}
	d.process.Stop(10 * time.Second)
}

// kill ends the controller as kill -9 does.
func (d *daemon) kill() {
	d.killed.Store(true)
	d.conn.Close()
	d.process.Kill()
}

// resident gives a line of the process's memory, as the kernel counts it.
func (d *daemon) resident(name string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.PID()))
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				return fmt.Sprintf("%.2f GiB", float64(kib)/(1<<20))
			}
		}
	}
	return "unknown"
}

// subscription asks for leaves of the state of each pod.
func subscription(mode gpb.SubscriptionList_Mode, leaves ...string) *gpb.SubscribeRequest {
	list := &gpb.SubscriptionList{Mode: mode, Encoding: gpb.Encoding_PROTO, UpdatesOnly: mode == gpb.SubscriptionList_STREAM}
	for _, leaf := range leaves {
		path := &gpb.Path{Elem: append(clusterPath(), &gpb.PathElem{Name: "pods"}, &gpb.PathElem{Name: "pod"}, &gpb.PathElem{Name: "state"}, &gpb.PathElem{Name: leaf})}
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: path, Mode: gpb.SubscriptionMode_ON_CHANGE})
	}
	return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}
}

func clusterPath() []*gpb.PathElem {
	return []*gpb.PathElem{{Name: "kubernetes"}, {Name: "clusters"}, {Name: "cluster", Key: map[string]string{"name": clusterName}}}
}

// once calls each for everything that the answer to a request has.
func (d *daemon) once(ctx context.Context, req *gpb.SubscribeRequest, each func(prefix *gpb.Path, u *gpb.Update)) error {
	stream, err := d.client.Subscribe(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(req); err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n := resp.GetUpdate()
		for _, u := range n.GetUpdate() {
			each(n.GetPrefix(), u)
		}
	}
}

// ready gives the pods that are ready now.
func (d *daemon) ready(ctx context.Context) (n int, err error) {
	err = d.once(ctx, subscription(gpb.SubscriptionList_ONCE, "ready"), func(_ *gpb.Path, u *gpb.Update) {
		if u.GetVal().GetBoolVal() {
			n++
		}
	})
	return n, err
}

// readyAt gives the pods that were ready at a time, with their addresses.
func (d *daemon) readyAt(ctx context.Context, t time.Time) (map[string]string, error) {
	ready, addresses := map[string]bool{}, map[string]string{}
	req := subscription(gpb.SubscriptionList_ONCE, "ready", "ip")
	req.Extension = []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_History{History: &gnmi_ext.History{
		Request: &gnmi_ext.History_SnapshotTime{SnapshotTime: t.UnixNano()}}}}}
	err := d.once(ctx, req, func(prefix *gpb.Path, u *gpb.Update) {
		uid := uidOf(prefix, u.GetPath())
		if ips := u.GetVal().GetLeaflistVal().GetElement(); len(ips) > 0 {
			addresses[uid] = ips[0].GetStringVal()
		} else if u.GetVal().GetBoolVal() {
			ready[uid] = true
		}
	})
	maps.DeleteFunc(addresses, func(uid, _ string) bool { return !ready[uid] })
	return addresses, err
}

// known says whether the controller claims today to know what was in the cluster at a time. That is asked by event time: by
// commit time nobody knew of a gap before somebody ran again.
func (d *daemon) known(ctx context.Context, t time.Time) (bool, error) {
	at, err := proto.Marshal(timestamppb.New(t))
	if err != nil {
		return false, err
	}
	path := &gpb.Path{Elem: append(clusterPath(), &gpb.PathElem{Name: "state"}, &gpb.PathElem{Name: "unknown-since"})}
	req := &gpb.SubscribeRequest{
		Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
			Mode: gpb.SubscriptionList_ONCE, Encoding: gpb.Encoding_PROTO, Subscription: []*gpb.Subscription{{Path: path}}}},
		Extension: []*gnmi_ext.Extension{{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{
			Id: gnmi_ext.ExtensionID_EID_EXPERIMENTAL, Msg: at}}}},
	}
	known := true
	err = d.once(ctx, req, func(*gpb.Path, *gpb.Update) { known = false })
	return known, err
}

// follow tells of every pod that becomes ready or goes, once the server has said that it sends what changes.
func (d *daemon) follow(ctx context.Context, synced chan<- struct{}, heard func(uid string, ready bool, at time.Time)) error {
	stream, err := d.client.Subscribe(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(subscription(gpb.SubscriptionList_STREAM, "ready")); err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if ctx.Err() != nil || status.Code(err) == codes.Canceled {
			return nil
		}
		if err != nil {
			return fmt.Errorf("subscriber: %w", err)
		}
		at := time.Now()
		if resp.GetSyncResponse() {
			close(synced)
		}
		n := resp.GetUpdate()
		for _, u := range n.GetUpdate() {
			if u.GetVal().GetBoolVal() {
				heard(uidOf(n.GetPrefix(), u.GetPath()), true, at)
			}
		}
		for _, p := range n.GetDelete() {
			heard(uidOf(n.GetPrefix(), p), false, at)
		}
	}
}

// uidOf gives the pod that a path is about.
func uidOf(prefix, path *gpb.Path) string {
	for _, p := range []*gpb.Path{prefix, path} {
		for _, e := range p.GetElem() {
			if e.Name == "pod" {
				return e.Key["uid"]
			}
		}
	}
	return ""
}
