package gnmiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/openconfig/gnmi/value"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/openconfig/gnmic/pkg/api/path"
	"github.com/openconfig/gnmic/pkg/api/target"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a switch with two ports.
type box struct {
	*Server
	address string
	mu      sync.Mutex // guards ports
	ports   []Interface
}

var began = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newBox(t *testing.T, cfg Config) *box {
	t.Helper()
	b := &box{}
	for i, name := range []string{"veth1", "veth2"} {
		b.ports = append(b.ports, Interface{Name: name, ID: uint32(i + 1), Index: uint32(10 + i), AdminUp: true, Oper: "UP", LastChange: began,
			In: Counters{Octets: 1 << 40, Packets: 3}})
	}
	var err error
	if b.Server, err = New(cfg, Deps{Registry: prometheus.NewRegistry(), Interfaces: func() []Interface {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Clone(b.ports)
	}}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	g := grpc.NewServer(grpc.WaitForHandlers(true))
	b.Register(g)
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() { g.Stop(); wg.Wait() })
	return b
}

// turn changes a port and tells the server.
func (b *box) turn(port int, after time.Duration, change func(*Interface)) {
	b.mu.Lock()
	change(&b.ports[port])
	b.ports[port].LastChange = began.Add(after)
	b.mu.Unlock()
	b.Changed()
}

func (b *box) client(t *testing.T) gpb.GNMIClient {
	t.Helper()
	c, err := grpc.NewClient(b.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return gpb.NewGNMIClient(c)
}

// gnmic is gnmic's client library.
func (b *box) gnmic(t *testing.T) *target.Target {
	t.Helper()
	c, err := api.NewTarget(api.Name("switch"), api.Address(b.address), api.Insecure(true), api.Timeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CreateGNMIClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// lines writes updates as paths with their values.
func lines(t *testing.T, list []*gpb.Notification) (out []string) {
	t.Helper()
	for _, n := range list {
		for _, u := range n.GetUpdate() {
			text := string(u.GetVal().GetJsonIetfVal()) + string(u.GetVal().GetJsonVal())
			if text == "" {
				v, err := value.ToScalar(u.GetVal())
				if err != nil {
					t.Fatal(err)
				}
				text = fmt.Sprint(v)
			}
			out = append(out, path.GnmiPathToXPath(u.GetPath(), false)+"="+text)
		}
	}
	return out
}

func TestGet(t *testing.T) {
	b := newBox(t, DefaultConfig())
	c := b.gnmic(t)
	for _, tc := range []struct {
		path, encoding string
		want           []string
	}{
		{"/interfaces/interface[name=*]/state/id", "proto", []string{"interfaces/interface[name=veth1]/state/id=1", "interfaces/interface[name=veth2]/state/id=2"}},
		{"openconfig-interfaces:interfaces/interface[name=veth2]/state/oper-status", "proto", []string{"interfaces/interface[name=veth2]/state/oper-status=UP"}},
		{"/interfaces/.../in-pkts", "proto", []string{"interfaces/interface[name=veth1]/state/counters/in-pkts=3", "interfaces/interface[name=veth2]/state/counters/in-pkts=3"}},
		{strings.Repeat("/...", 1000) + "/counters" + strings.Repeat("/...", 1000) + "/out-pkts" + strings.Repeat("/...", 1000), "json",
			[]string{"interfaces/interface[name=veth1]/state/counters/out-pkts=0", "interfaces/interface[name=veth2]/state/counters/out-pkts=0"}},
		{"/interfaces/interface[name=veth1]/*/counters/in-octets", "json_ietf", []string{`interfaces/interface[name=veth1]/state/counters/in-octets="1099511627776"`}},
		{"/interfaces/interface[name=veth1]/state/counters/in-octets", "json", []string{`interfaces/interface[name=veth1]/state/counters/in-octets=1099511627776`}},
		{"/interfaces/interface[name=veth1]/state/enabled", "json", []string{`interfaces/interface[name=veth1]/state/enabled=true`}},
	} {
		req, err := api.NewGetRequest(api.Path(tc.path), api.Encoding(tc.encoding))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Get(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", tc.path, err)
			continue
		}
		if diff := cmp.Diff(tc.want, lines(t, resp.GetNotification())); diff != "" {
			t.Errorf("%s %s: %s", tc.path, tc.encoding, diff)
		}
	}
	resp, err := c.Get(t.Context(), &gpb.GetRequest{Path: []*gpb.Path{{}}, Encoding: gpb.Encoding_PROTO})
	if err != nil || len(resp.GetNotification()[0].GetUpdate()) != 2*len(leaves()) {
		t.Errorf("everything: %v, %v", resp, err)
	}
}

func TestErrors(t *testing.T) {
	b := newBox(t, DefaultConfig())
	c := b.client(t)
	parse := func(text string) *gpb.Path {
		p, err := path.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tc := range map[string]struct {
		req  *gpb.GetRequest
		code codes.Code
		says string
	}{
		"no such node":      {&gpb.GetRequest{Path: []*gpb.Path{parse("/interfaces/interface/state/mtu")}, Encoding: gpb.Encoding_PROTO}, codes.InvalidArgument, "/interfaces/interface/state/mtu"},
		"no such root":      {&gpb.GetRequest{Path: []*gpb.Path{parse("/system")}}, codes.InvalidArgument, "/system"},
		"no such interface": {&gpb.GetRequest{Path: []*gpb.Path{parse("/interfaces/interface[name=veth9]")}}, codes.NotFound, "veth9"},
		"no such key":       {&gpb.GetRequest{Path: []*gpb.Path{parse("/interfaces/interface[id=9]")}}, codes.InvalidArgument, "no key id"},
		"other origin":      {&gpb.GetRequest{Path: []*gpb.Path{{Origin: "cli"}}}, codes.InvalidArgument, "cli"},
		"old path":          {&gpb.GetRequest{Path: []*gpb.Path{{Element: []string{"interfaces"}}}}, codes.InvalidArgument, "element"}, //nolint:staticcheck // That is the test.
		"ASCII":             {&gpb.GetRequest{Encoding: gpb.Encoding_ASCII}, codes.Unimplemented, "ASCII"},
		"configuration":     {&gpb.GetRequest{Type: gpb.GetRequest_CONFIG, Path: []*gpb.Path{{}}}, codes.NotFound, "state only"},
		"too many paths":    {&gpb.GetRequest{Path: make([]*gpb.Path, DefaultConfig().MaxPaths+1)}, codes.ResourceExhausted, "4096"},
		"extension":         {&gpb.GetRequest{Extension: []*gnmi_ext.Extension{{}}}, codes.Unimplemented, "extensions"},
	} {
		if _, err := c.Get(t.Context(), tc.req); status.Code(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %v with %q", name, err, tc.code, tc.says)
		}
	}
	if _, err := c.Set(t.Context(), &gpb.SetRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("Set: %v", err)
	}
	for name, tc := range map[string]struct {
		sub  *gpb.SubscribeRequest
		code codes.Code
	}{
		"poll first":     {&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{}}, codes.InvalidArgument},
		"nothing":        {subscription(gpb.SubscriptionList_STREAM), codes.InvalidArgument},
		"too many paths": {subscription(gpb.SubscriptionList_ONCE, slices.Repeat([]*gpb.Subscription{{}}, DefaultConfig().MaxPaths+1)...), codes.ResourceExhausted},
		"heartbeat":      {subscription(gpb.SubscriptionList_STREAM, &gpb.Subscription{HeartbeatInterval: 1}), codes.Unimplemented},
		"short interval": {subscription(gpb.SubscriptionList_STREAM, &gpb.Subscription{Mode: gpb.SubscriptionMode_SAMPLE, SampleInterval: 1}), codes.InvalidArgument},
		"no such node":   {subscription(gpb.SubscriptionList_ONCE, &gpb.Subscription{Path: parse("/interfaces/x")}), codes.InvalidArgument},
		"unknown mode":   {subscription(gpb.SubscriptionList_Mode(9), &gpb.Subscription{}), codes.InvalidArgument},
	} {
		stream := b.subscribe(t, tc.sub)
		if _, err := stream.Recv(); status.Code(err) != tc.code {
			t.Errorf("Subscribe, %s: %v, want %v", name, err, tc.code)
		}
	}
}

func subscription(mode gpb.SubscriptionList_Mode, subs ...*gpb.Subscription) *gpb.SubscribeRequest {
	return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{Mode: mode, Encoding: gpb.Encoding_PROTO, Subscription: subs}}}
}

func (b *box) subscribe(t *testing.T, req *gpb.SubscribeRequest) gpb.GNMI_SubscribeClient {
	t.Helper()
	stream, err := b.client(t).Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil {
		t.Fatal(err)
	}
	return stream
}

// told gives what comes until a number of notifications, or the end of the initial ones.
func told(t *testing.T, stream gpb.GNMI_SubscribeClient, count int) (out []*gpb.Notification, synced bool) {
	t.Helper()
	for len(out) < count {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			return out, true
		}
		out = append(out, resp.GetUpdate())
	}
	return out, false
}

func TestChangesAreToldOnceWithTheirTime(t *testing.T) {
	b := newBox(t, DefaultConfig())
	var subs []*gpb.Subscription
	for _, name := range []string{"veth1", "veth2"} {
		for _, l := range []string{"oper-status", "admin-status"} {
			p, _ := path.ParsePath("/interfaces/interface[name=" + name + "]/state/" + l)
			subs = append(subs, &gpb.Subscription{Path: p, Mode: gpb.SubscriptionMode_ON_CHANGE})
		}
	}
	stream := b.subscribe(t, subscription(gpb.SubscriptionList_STREAM, subs...))
	if first, synced := told(t, stream, 9); !synced || len(lines(t, first)) != 4 {
		t.Fatalf("at first: %v", first)
	}
	b.turn(1, time.Second, func(i *Interface) { i.Oper = "DOWN" })
	b.Changed() // nothing new
	b.turn(1, 2*time.Second, func(i *Interface) { i.Oper, i.AdminUp = "UP", false })
	b.turn(0, 3*time.Second, func(i *Interface) { i.Oper = "NOT_PRESENT" })
	got, _ := told(t, stream, 3)
	if diff := cmp.Diff([]string{"interfaces/interface[name=veth2]/state/oper-status=DOWN", "interfaces/interface[name=veth2]/state/admin-status=DOWN",
		"interfaces/interface[name=veth2]/state/oper-status=UP", "interfaces/interface[name=veth1]/state/oper-status=NOT_PRESENT"}, lines(t, got)); diff != "" {
		t.Error(diff)
	}
	for i, n := range got {
		if n.GetTimestamp() != began.Add(time.Duration(i+1)*time.Second).UnixNano() {
			t.Errorf("change %d is of %d", i, n.GetTimestamp())
		}
	}
	b.Stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("after Stop: %v", err)
	}
}

// A subscriber that comes between a change and Changed hides it from nobody.
func TestANewSubscriberHidesNothing(t *testing.T) {
	b := newBox(t, DefaultConfig())
	oper, _ := path.ParsePath("/interfaces/interface[name=*]/state/oper-status")
	req := subscription(gpb.SubscriptionList_STREAM, &gpb.Subscription{Path: oper, Mode: gpb.SubscriptionMode_ON_CHANGE})
	first := b.subscribe(t, req)
	told(t, first, 9)
	b.mu.Lock()
	b.ports[0].Oper, b.ports[0].LastChange = "DOWN", began.Add(time.Second)
	b.mu.Unlock()
	second := b.subscribe(t, req)
	told(t, second, 9)
	b.Changed()
	if got, _ := told(t, first, 1); lines(t, got)[0] != "interfaces/interface[name=veth1]/state/oper-status=DOWN" {
		t.Errorf("the first subscriber is told %v", got)
	}
}

func TestSamplesAndCounters(t *testing.T) {
	b := newBox(t, DefaultConfig())
	packets, _ := path.ParsePath("/interfaces/interface[name=veth1]/state/counters/in-pkts")
	stream := b.subscribe(t, subscription(gpb.SubscriptionList_STREAM, &gpb.Subscription{Path: packets, Mode: gpb.SubscriptionMode_ON_CHANGE}))
	told(t, stream, 9)
	sampled := b.subscribe(t, subscription(gpb.SubscriptionList_STREAM, &gpb.Subscription{Path: packets, Mode: gpb.SubscriptionMode_SAMPLE}))
	told(t, sampled, 9)
	b.mu.Lock()
	b.ports[0].In.Packets = 7
	b.mu.Unlock()
	for _, s := range []gpb.GNMI_SubscribeClient{stream, sampled} {
		for text := ""; text != "interfaces/interface[name=veth1]/state/counters/in-pkts=7"; {
			got, _ := told(t, s, 1)
			text = lines(t, got)[0]
		}
	}
	if got, _ := told(t, sampled, 1); lines(t, got)[0] != "interfaces/interface[name=veth1]/state/counters/in-pkts=7" {
		t.Errorf("a sample without a change: %v", got)
	}
}

func TestPollAndOnce(t *testing.T) {
	b := newBox(t, DefaultConfig())
	stream := b.subscribe(t, subscription(gpb.SubscriptionList_POLL, &gpb.Subscription{}))
	for range 2 {
		if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Poll{Poll: &gpb.Poll{}}}); err != nil {
			t.Fatal(err)
		}
		if got, synced := told(t, stream, 9); !synced || len(lines(t, got)) != 2*len(leaves()) {
			t.Errorf("polled: %v", got)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	once := b.subscribe(t, subscription(gpb.SubscriptionList_ONCE, &gpb.Subscription{}))
	told(t, once, 9)
	if _, err := once.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after ONCE: %v", err)
	}
}

// What a subscriber does not take is bounded, and there are only so many of them.
func TestLimits(t *testing.T) {
	b := newBox(t, Config{MaxSubscribers: 1, Queue: 2, MaxPaths: 1})
	sub, _, err := b.join()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.join(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a second subscriber: %v", err)
	}
	for i := range 3 {
		b.turn(0, time.Duration(i+1)*time.Second, func(*Interface) {})
	}
	select {
	case <-sub.cut:
	default:
		t.Error("a subscriber that takes nothing is not cut off")
	}
	if _, _, err := b.join(); err != nil {
		t.Errorf("after it was cut off: %v", err)
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("no bounds are taken")
	}
}

func TestCapabilities(t *testing.T) {
	b := newBox(t, DefaultConfig())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	resp, err := b.gnmic(t).Capabilities(ctx)
	if err != nil || resp.GetSupportedModels()[0].GetName() != "openconfig-interfaces" {
		t.Errorf("%v, %v", resp, err)
	}
}
