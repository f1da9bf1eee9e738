package access_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

// follower is a call that would go on for ever.
type follower interface{ Recv() error }

type subscriber struct{ gpb.GNMI_SubscribeClient }

func (s subscriber) Recv() error { _, err := s.GNMI_SubscribeClient.Recv(); return err }

type reflector struct {
	grpc.BidiStreamingClient[grpc_reflection_v1.ServerReflectionRequest, grpc_reflection_v1.ServerReflectionResponse]
}

func (r reflector) Recv() error { _, err := r.BidiStreamingClient.Recv(); return err }

// follow subscribes to changes and reads what there is.
func (g *guarded) follow(t *testing.T, cert []tls.Certificate, pairs ...string) follower {
	t.Helper()
	stream, err := gpb.NewGNMIClient(g.dial(t, cert...)).Subscribe(login(within(t), pairs...))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: &gpb.SubscriptionList{
		Subscription: []*gpb.Subscription{{Path: &gpb.Path{}, Mode: gpb.SubscriptionMode_ON_CHANGE}}}}}); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if resp.GetSyncResponse() {
			return subscriber{stream}
		}
	}
}

// reflect opens a stream whose handler waits for its client.
func (g *guarded) reflect(t *testing.T, pairs ...string) follower {
	t.Helper()
	stream, err := grpc_reflection_v1.NewServerReflectionClient(g.dial(t)).ServerReflectionInfo(login(within(t), pairs...))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&grpc_reflection_v1.ServerReflectionRequest{MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	return reflector{stream}
}

// ends reads what still comes and gives the code that the call ends with.
func ends(t *testing.T, f follower, code codes.Code) {
	t.Helper()
	var err error
	for err == nil {
		err = f.Recv()
	}
	wantCode(t, err, code)
}

// goesOn has the own pod change, and wants that to come.
func (g *guarded) goesOn(t *testing.T, f follower) {
	t.Helper()
	g.change(t.Name())
	if err := f.Recv(); err != nil {
		t.Errorf("a call of somebody who may ends: %v", err)
	}
}

// TestStreamsOfGoneUsersEnd, and of those whose password changed; and nobody else's.
func TestStreamsOfGoneUsersEnd(t *testing.T) {
	alice, bob := user(t, "alice", "pw"), user(t, "bob", "pw")
	g := prepare(t, access.Off).withUsers(t, alice, bob, user(t, "carol", "pw")).start(t)
	kept := g.follow(t, nil, "username", "alice", "password", "pw")
	gone, waiting := g.follow(t, nil, "username", "bob", "password", "pw"), g.reflect(t, "username", "bob", "password", "pw")
	changed := g.follow(t, nil, "username", "carol", "password", "pw")
	writeFile(t, g.cfg.Users, []byte(alice+user(t, "carol", "new")))
	for _, f := range []follower{gone, waiting, changed} {
		ends(t, f, codes.Unauthenticated)
	}
	g.goesOn(t, kept)
	// A file that cannot be used ends nothing.
	writeFile(t, g.cfg.Users, []byte("torn"))
	until(t, "the torn file is refused", func() bool { return g.counted(t, reloads, "refused", "users-file") == 1 })
	g.goesOn(t, kept)
	if n := g.counted(t, "fabricscope_access_ended_streams_total", codes.Unauthenticated.String()); n != 3 {
		t.Errorf("%v streams ended", n)
	}
}

// TestStreamsAgainstANewPolicyEnd.
func TestStreamsAgainstANewPolicyEnd(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "pw"), user(t, "bob", "pw"))
	g.cfg.Policy = g.path("policy.json")
	only := func(who string) []byte {
		return []byte(`{"name": "p", "allow_rules": [{"name": "r", "request": {"headers": [{"key": "fabricscope-user", "values": [` + who + `]}]}}]}`)
	}
	writeFile(t, g.cfg.Policy, only(`"alice", "bob"`))
	g.start(t)
	alice, bob := g.follow(t, nil, "username", "alice", "password", "pw"), g.follow(t, nil, "username", "bob", "password", "pw")
	writeFile(t, g.cfg.Policy, only(`"alice"`))
	ends(t, bob, codes.PermissionDenied)
	g.goesOn(t, alice)
}

// TestStreamsEndWithTheirCertificates, without a file that changes.
func TestStreamsEndWithTheirCertificates(t *testing.T) {
	g := prepare(t, access.Required)
	var passed atomic.Int64 // nanoseconds
	g.now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	g.start(t)
	until := func(end time.Duration) []tls.Certificate {
		return []tls.Certificate{g.clients.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(end)})}
	}
	ending, lasting := g.follow(t, until(30*time.Minute)), g.follow(t, until(50*time.Minute))
	passed.Store(int64(40 * time.Minute))
	ends(t, ending, codes.Unauthenticated)
	g.goesOn(t, lasting)
}

// TestAStuckClientIsNotWaitedFor: the handler hangs in a message that the client does not take.
func TestAStuckClientIsNotWaitedFor(t *testing.T) {
	alice := user(t, "alice", "pw")
	g := prepare(t, access.Off).withUsers(t, alice, user(t, "bob", "pw"))
	g.start(t)
	g.follow(t, nil, "username", "bob", "password", "pw") // takes nothing from here on
	names := slices.Repeat([]byte("x"), 100<<10)
	for range 3 {
		g.change(string(names))
	}
	writeFile(t, g.cfg.Users, []byte(alice))
	until(t, "the stuck stream is gone", func() bool { return g.Server.Subscribers() == 0 })
}
