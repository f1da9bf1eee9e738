package portstate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/gnmiserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard is what a Watcher told its sink.
type heard chan string

func (h heard) PortStates(sw string, states []State, all bool) {
	for _, s := range states {
		at := "?"
		if !s.At.IsZero() {
			at = fmt.Sprint(s.At.Unix())
		}
		h <- fmt.Sprintf("%s %d %s %s %s %s %v", sw, s.Number, s.Name, s.Admin, s.Oper, at, all)
	}
}

func (h heard) PortsUnknown(sw string, _ time.Time, why string) { h <- sw + " unknown: " + why }

func (h heard) expect(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case text := <-h:
			got = append(got, text)
		case <-time.After(30 * time.Second):
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

// serve serves gNMI until stop.
func serve(t *testing.T, address string, s gpb.GNMIServer) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	if s != nil {
		gpb.RegisterGNMIServer(g, s)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Serve(l) })
	stop = sync.OnceFunc(func() { g.Stop(); wg.Wait() })
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// watch runs a Watcher until the test ends.
func watch(t *testing.T, address string) heard {
	t.Helper()
	h := make(heard, 64)
	cfg := DefaultConfig()
	cfg.Switches = []Switch{{"leaf1", address}}
	cfg.BackoffMin, cfg.BackoffMax, cfg.Mute = time.Millisecond, time.Millisecond, 10*time.Millisecond
	w, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Sink: h, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ends with %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return h
}

// softswitch is the gNMI server of softswitch with ports of the test's own.
func softswitch(t *testing.T) (s *gnmiserver.Server, set func(oper string, at time.Time)) {
	t.Helper()
	var mu sync.Mutex // guards port
	port := gnmiserver.Interface{Name: "veth1", ID: 1, Index: 40, AdminUp: true, Oper: "UP", LastChange: time.Unix(1000, 0)}
	s, err := gnmiserver.New(gnmiserver.DefaultConfig(), gnmiserver.Deps{Registry: prometheus.NewRegistry(), Interfaces: func() []gnmiserver.Interface {
		mu.Lock()
		defer mu.Unlock()
		return []gnmiserver.Interface{port}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s, func(oper string, at time.Time) {
		mu.Lock()
		port.Oper, port.LastChange = oper, at
		mu.Unlock()
		s.Changed()
	}
}

func TestSoftswitchTells(t *testing.T) {
	s, set := softswitch(t)
	address, stop := serve(t, "127.0.0.1:0", s)
	h := watch(t, address)
	h.expect(t, "leaf1 1 veth1 up up 1000 true")
	now := time.Now()
	set("DOWN", now)
	h.expect(t, fmt.Sprintf("leaf1 1 veth1 up down %d false", now.Unix()))
	set("NOT_PRESENT", now.Add(time.Millisecond))
	h.expect(t, fmt.Sprintf("leaf1 1 veth1 up down %d false", now.Add(time.Millisecond).Unix()))
	stop()
	text := <-h
	if !strings.HasPrefix(text, "leaf1 unknown: Unavailable: ") {
		t.Errorf("after the switch stopped: %s", text)
	}
	again, _ := softswitch(t)
	serve(t, address, again)
	for text := ""; text != "leaf1 1 veth1 up up 1000 true"; { // it may be unavailable in other words before
		text = <-h
	}
}

// stratum is a switch that takes a wildcard for ids alone, and tells only changes.
type stratum struct {
	gpb.UnimplementedGNMIServer
	numbers string // the leaf with the numbers
	changes chan string
}

func (s *stratum) Get(_ context.Context, req *gpb.GetRequest) (*gpb.GetResponse, error) {
	resp := &gpb.GetResponse{}
	for _, p := range req.GetPath() {
		name, leaf := at(nil, p)
		answer := func(name string, v *gpb.TypedValue) {
			resp.Notification = append(resp.Notification, &gpb.Notification{Update: []*gpb.Update{{Path: path(name, leaf), Val: v}}})
		}
		switch {
		case req.GetEncoding() != gpb.Encoding_PROTO:
			return nil, status.Error(codes.InvalidArgument, "PROTO only")
		case name == "*" && leaf == s.numbers:
			answer("1/1/1", &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: 7}})
			answer("1/1/2", &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: 8}})
		case slices.Contains([]string{"1/1/1", "1/1/2"}, name) && leaf == "oper-status":
			answer(name, &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: "UNKNOWN"}})
		case slices.Contains([]string{"1/1/1", "1/1/2"}, name) && leaf == "admin-status":
			answer(name, &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: "UP"}})
		default:
			return nil, status.Errorf(codes.Unimplemented, "unsupported path %s", leaf)
		}
	}
	return resp, nil
}

func (s *stratum) Subscribe(stream gpb.GNMI_SubscribeServer) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	for _, sub := range req.GetSubscribe().GetSubscription() {
		if name, _ := at(nil, sub.GetPath()); name != "1/1/1" && name != "1/1/2" {
			return status.Errorf(codes.InvalidArgument, "no interface %q", name)
		}
	}
	if err := stream.Send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_SyncResponse{SyncResponse: true}}); err != nil {
		return err
	}
	for {
		select {
		case state := <-s.changes:
			err = stream.Send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_Update{Update: &gpb.Notification{
				Timestamp: 1, // of a clock that was never set
				Update: []*gpb.Update{{Path: path("1/1/2", "oper-status"), Val: &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: state}}},
					{Path: path("1/1/9", "oper-status"), Val: &gpb.TypedValue{}}, {Path: path("1/1/2", "mtu"), Val: &gpb.TypedValue{}}}}}})
			if err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

func TestStratumTells(t *testing.T) {
	for _, numbers := range []string{"id", "ifindex"} { // the latter in older versions
		s := &stratum{numbers: numbers, changes: make(chan string)}
		address, _ := serve(t, "127.0.0.1:0", s)
		h := watch(t, address)
		h.expect(t, "leaf1 7 1/1/1 up  ? true", "leaf1 8 1/1/2 up  ? true")
		s.changes <- "UP"
		if text := <-h; !strings.HasPrefix(text, "leaf1 8 1/1/2 up up ") || text == "leaf1 8 1/1/2 up up 0 false" {
			t.Errorf("told %s", text)
		}
	}
}

func TestMuteSwitches(t *testing.T) {
	address, _ := serve(t, "127.0.0.1:0", nil)
	watch(t, address).expect(t, "leaf1 unknown: the switch does not tell: it serves no gNMI")
	address, _ = serve(t, "127.0.0.1:0", strange{})
	watch(t, address).expect(t, "leaf1 unknown: the switch does not tell: its gNMI server says InvalidArgument: what?")
	address, _ = serve(t, "127.0.0.1:0", empty{})
	watch(t, address).expect(t, "leaf1 unknown: the switch does not tell: its gNMI server has no interfaces")
}

type strange struct{ gpb.UnimplementedGNMIServer }

func (strange) Get(context.Context, *gpb.GetRequest) (*gpb.GetResponse, error) {
	return nil, status.Error(codes.InvalidArgument, "what?")
}

type empty struct{ gpb.UnimplementedGNMIServer }

func (empty) Get(context.Context, *gpb.GetRequest) (*gpb.GetResponse, error) {
	return &gpb.GetResponse{}, nil
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Switches: []Switch{{"leaf1", ""}}, BackoffMin: -1, BackoffMax: -2}.Validate()
	for _, want := range []string{"Timeout", "BackoffMin", "BackoffMax", "Mute", "MaxSkew", `switch "leaf1"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("nothing to work with is taken")
	}
}
