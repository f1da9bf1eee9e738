package gnmi_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// wantClosed waits until the server closes a connection.
func wantClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := io.Copy(io.Discard, conn); errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the server keeps the connection")
	}
}

// TestConnectionsThatNeverShakeHands fill the places of one address, and have to go by themselves.
func TestConnectionsThatNeverShakeHands(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) {
		c.MaxAddressConnections, c.HandshakeTimeout = 2, 200*time.Millisecond
	})
	silent := make([]net.Conn, 3)
	for i := range silent {
		conn, err := net.Dial("tcp", lab.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent[i] = conn
	}
	for _, conn := range []net.Conn{silent[2], silent[0], silent[1]} {
		wantClosed(t, conn)
	}
	if _, err := dial(t, lab).Get(deadline(t), get(t, api.Path(role))); err != nil {
		t.Error(err)
	}
}

// TestTooManyConnections wants the one above the limit told why, in every call, and let in when there is room.
func TestTooManyConnections(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.MaxAddressConnections = 1 })
	connect := func() *grpc.ClientConn {
		t.Helper()
		conn, err := grpc.NewClient(lab.Address, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(t, lab.CA))))
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	first, second := connect(), connect()
	defer second.Close()
	if _, err := gpb.NewGNMIClient(first).Capabilities(deadline(t), new(gpb.CapabilityRequest)); err != nil {
		t.Fatal(err)
	}
	over := gpb.NewGNMIClient(second)
	for range 2 {
		_, err := over.Capabilities(deadline(t), new(gpb.CapabilityRequest))
		wantCode(t, err, codes.ResourceExhausted, "1 connections of 127.0.0.1 already", "gnmi.max-address-connections")
	}
	stream, err := over.Subscribe(deadline(t))
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, err, codes.ResourceExhausted, "1 connections of 127.0.0.1 already")
	first.Close()
	waitFor(t, "a connection that was closed still counts", func() bool {
		conn := connect()
		defer conn.Close()
		_, err := gpb.NewGNMIClient(conn).Capabilities(deadline(t), new(gpb.CapabilityRequest))
		return err == nil
	})
}

// TestDeadPeer has a client who shakes hands and then answers no ping.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	lab := gnmitest.Start(t, nil, func(_ *historyConfig, c *gnmiConfig) { c.Keepalive = time.Second })
	conn, err := tls.Dial("tcp", lab.Address, clientTLS(t, lab.CA))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	settings := []byte{0, 0, 0, 4, 0, 0, 0, 0, 0} // an empty frame (RFC 9113, section 6.5)
	if _, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings...)); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, conn)
}

// TestCallsThatSayNothing are ended, whatever they are calls of.
func TestCallsThatSayNothing(t *testing.T) {
	lab := gnmitest.Start(t, nil, func(_ *historyConfig, c *gnmiConfig) { c.SendTimeout = 50 * time.Millisecond })
	conn, err := grpc.NewClient(lab.Address, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(t, lab.CA))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for method, streams := range map[string]bool{
		"/gnmi.gNMI/Subscribe": true, "/gnmi.gNMI/Get": false, "/fabricscope.v1.FlowRecords/Export": true,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": true,
	} {
		stream, err := conn.NewStream(deadline(t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: streams}, method)
		if err != nil {
			t.Fatal(err)
		}
		err = stream.RecvMsg(new(gpb.SubscribeResponse))
		if streams {
			wantCode(t, err, codes.DeadlineExceeded, "gnmi.send-timeout")
		} else if err == nil {
			t.Errorf("%s is answered", method)
		}
	}
}

// TestTooManyCalls wants a call refused before it is even known what it asks for, and let in when another has ended.
func TestTooManyCalls(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(_ *historyConfig, c *gnmiConfig) { c.MaxAddressCalls = 1 })
	client := dial(t, lab)
	ctx, end := context.WithCancel(deadline(t))
	defer end()
	if _, err := client.Client.Subscribe(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := client.Get(deadline(t), get(t, api.Path(role)))
	wantCode(t, err, codes.ResourceExhausted, "1 calls of 127.0.0.1", "gnmi.max-address-calls")
	end()
	for waiting := deadline(t); err != nil; {
		if _, err = client.Get(waiting, get(t, api.Path(role))); err != nil {
			wantCode(t, err, codes.ResourceExhausted)
		}
	}
}

// TestTooManySubscribers counts those of one caller apart from those of all.
func TestTooManySubscribers(t *testing.T) {
	lab := gnmitest.StartWithAccess(t, shop.Facts(), onlyNamespace{"kube-system"}, func(_ *historyConfig, c *gnmiConfig) { c.MaxCallerSubscribers = 1 })
	follow(t, lab, nil, subscribe("/kubernetes", api.SubscriptionModeON_CHANGE()))
	_, err := once(t, dial(t, lab), subscribe("/kubernetes"))
	wantCode(t, err, codes.ResourceExhausted, "1 subscribers of user kube-system already", "gnmi.max-caller-subscribers")
}

// slowPast is a history that has to be waited for.
type slowPast struct {
	gnmi.Source
	asked chan struct{}
	on    *atomic.Bool
}

func (s slowPast) At(ctx context.Context, t time.Time, axis history.Axis, wants ...history.Want) (inventory.View, error) {
	if !s.on.Load() {
		return s.Source.At(ctx, t, axis, wants...)
	}
	select {
	case s.asked <- struct{}{}:
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestTooManyAskAboutThePast wants who waits for the past to be ended, and others refused meanwhile.
func TestTooManyAskAboutThePast(t *testing.T) {
	slow := slowPast{asked: make(chan struct{}), on: new(atomic.Bool)}
	slow.on.Store(true)
	lab := gnmitest.StartWith(t, shop.Facts(), func(d *gnmi.Deps, _ *records.Store) {
		slow.Source = d.Source
		d.Source = slow
	}, func(_ *historyConfig, c *gnmiConfig) { c.MaxPast, c.PastTimeout = 1, time.Second })
	client := dial(t, lab)
	snapshot := []api.GNMIOption{subscribe(role), api.Extension_HistorySnapshotTime(shop.Epoch().Add(time.Minute))}
	waited := make(chan error, 1)
	go func() {
		_, err := once(t, client, snapshot...)
		waited <- err
	}()
	<-slow.asked
	_, err := once(t, client, snapshot...)
	wantCode(t, err, codes.ResourceExhausted, "1 calls about the past already", "gnmi.max-past")
	wantCode(t, <-waited, codes.ResourceExhausted, "within 1s", "gnmi.past-timeout")
	slow.on.Store(false)
	if _, err := once(t, client, snapshot...); err != nil {
		t.Error(err)
	}
}

// TestRangeThatGoesOnLeavesThePast wants nothing of the history held once a range has come to the present.
func TestRangeThatGoesOnLeavesThePast(t *testing.T) {
	lab := gnmitest.Start(t, shop.Facts(), func(h *historyConfig, c *gnmiConfig) { h.Readers, c.MaxPast = 1, 1 })
	stream := openStream(t, lab, subscribe(role), api.Extension_HistoryRange(shop.Epoch().Add(time.Minute), time.Unix(0, math.MaxInt64)))
	if _, err := leavesUntilSync(t, stream); err != nil {
		t.Fatal(err)
	}
	lab.Record(inventory.Switch{Name: "leaf1", Role: "spine"})
	next(t, stream, map[string]string{role: "SPINE"})
	if _, err := once(t, dial(t, lab), subscribe(role), api.Extension_HistorySnapshotTime(shop.Epoch().Add(time.Minute))); err != nil {
		t.Error(err)
	}
}

// endless is a service that sends without end.
type endless struct{}

func (endless) Register(to grpc.ServiceRegistrar) {
	to.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Endless", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Send", ServerStreams: true, Handler: func(_ any, stream grpc.ServerStream) error {
			if err := stream.RecvMsg(new(gpb.CapabilityRequest)); err != nil {
				return err
			}
			for {
				if err := stream.SendMsg(&gpb.CapabilityResponse{GNMIVersion: strings.Repeat("x", 1<<14)}); err != nil {
					return err
				}
			}
		}}}}, endless{})
}

// TestOtherServicesAreBounded has a client of another service take nothing, and a second one asking meanwhile.
func TestOtherServicesAreBounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	lab := gnmitest.StartWith(t, nil, func(d *gnmi.Deps, _ *records.Store) {
		d.Services, d.Registerer = append(d.Services, endless{}), registry
	},
		func(_ *historyConfig, c *gnmiConfig) { c.MaxPast, c.SendTimeout = 1, time.Second })
	conn, err := grpc.NewClient(lab.Address, grpc.WithTransportCredentials(credentials.NewTLS(clientTLS(t, lab.CA))))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func() grpc.ClientStream {
		t.Helper()
		stream, err := conn.NewStream(deadline(t), &grpc.StreamDesc{ServerStreams: true}, "/test.Endless/Send")
		if err == nil {
			err = stream.SendMsg(new(gpb.CapabilityRequest))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		return stream
	}
	stuck := call()
	if _, err := stuck.Header(); err != nil { // it is being served
		t.Fatal(err)
	}
	wantCode(t, call().RecvMsg(new(gpb.CapabilityResponse)), codes.ResourceExhausted, "1 calls about the past already", "gnmi.max-past")
	waitFor(t, "who takes nothing stays", func() bool { return gauge(t, registry, "fabricscope_gnmi_past_calls") == 0 })
	for err = nil; err == nil; {
		err = stuck.RecvMsg(new(gpb.CapabilityResponse))
	}
	wantCode(t, err, codes.ResourceExhausted, "took nothing for 1s", "gnmi.send-timeout")
}

// waitFor waits until something is so.
func waitFor(t *testing.T, not string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(not)
		}
	}
}
