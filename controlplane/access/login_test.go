package access_test

import (
	"crypto/tls"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/controlplane/access"
)

const hashes = "fabricscope_access_password_hashes_total"

// TestManyLogInAtOnce, as the subscribers of an NMS do that starts: one hash is enough, also after others' lines changed.
func TestManyLogInAtOnce(t *testing.T) {
	alice := user(t, "alice", "right")
	g := prepare(t, access.Off).withUsers(t, alice).start(t)
	crowd := func() {
		t.Helper()
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() {
				conn := g.dial(t)
				defer conn.Close()
				_, err := gpb.NewGNMIClient(conn).Capabilities(login(within(t), "username", "alice", "password", "right"), &gpb.CapabilityRequest{})
				wantCode(t, err, codes.OK)
			})
		}
		calls.Wait()
		if n := g.counted(t, hashes); n != 1 {
			t.Errorf("%v passwords were hashed", n)
		}
	}
	crowd()
	writeFile(t, g.cfg.Users, []byte(user(t, "bob", "right")+alice))
	until(t, "the new file counts", func() bool { return g.counted(t, reloads, "ok", "users-file") == 1 })
	crowd()
}

// TestOddLogins has what no client should send.
func TestOddLogins(t *testing.T) {
	long := strings.Repeat("x", 72)
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "right"), user(t, "long", long), user(t, "Ünï", "pass wörd:%\\")).start(t)
	for name, c := range map[string]struct {
		pairs []string
		want  codes.Code
	}{
		"as it should be":          {[]string{"username", "alice", "password", "right"}, codes.OK},
		"keys in capitals":         {[]string{"USERNAME", "alice", "Password", "right"}, codes.OK}, // gRPC makes them small
		"72 bytes":                 {[]string{"username", "long", "password", long}, codes.OK},
		"more than bcrypt takes":   {[]string{"username", "long", "password", long + "x"}, codes.Unauthenticated},
		"name in capitals":         {[]string{"username", "Alice", "password", "right"}, codes.Unauthenticated},
		"blank behind the name":    {[]string{"username", "alice x", "password", "right"}, codes.Unauthenticated},
		"name with a colon":        {[]string{"username", "alice:", "password", "right"}, codes.Unauthenticated},
		"empty name":               {[]string{"username", "", "password", "right"}, codes.Unauthenticated},
		"empty password":           {[]string{"username", "alice", "password", ""}, codes.Unauthenticated},
		"both empty":               {[]string{"username", "", "password", ""}, codes.Unauthenticated},
		"two names":                {[]string{"username", "alice", "username", "alice", "password", "right"}, codes.Unauthenticated},
		"two passwords":            {[]string{"username", "alice", "password", "right", "password", "wrong"}, codes.Unauthenticated},
		"in the header of a user":  {[]string{access.UserHeader, "alice"}, codes.Unauthenticated},
		"as another":               {[]string{"username", "alice", "password", "right", access.UserHeader, "root"}, codes.OK},
		"as bytes":                 {[]string{"username-bin", "alice", "password-bin", "right"}, codes.Unauthenticated},
		"a large password":         {[]string{"username", "alice", "password", strings.Repeat("y", 32<<10)}, codes.Unauthenticated},
		"a larger one":             {[]string{"username", "alice", "password", strings.Repeat("y", 128<<10)}, codes.Internal},
		"hash in place of a word":  {[]string{"username", "alice", "password", "$2y$04$"}, codes.Unauthenticated},
		"HTTP basic authorization": {[]string{"authorization", "Basic YWxpY2U6cmlnaHQ="}, codes.Unauthenticated},
	} {
		err := g.capabilities(t, nil, c.pairs...)
		if wantCode(t, err, c.want); t.Failed() {
			t.Fatal(name)
		}
		// A good login gives the address its tries back.
		wantCode(t, g.capabilities(t, nil, "username", "alice", "password", "right"), codes.OK)
	}
}

// rawStatus makes a call with header fields that a gRPC client would not send, and gives the status that came.
func (g *guarded) rawStatus(t *testing.T, fields ...hpack.HeaderField) string {
	t.Helper()
	conn, err := tls.Dial("tcp", g.Address, &tls.Config{RootCAs: g.authority, ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write([]byte(http2.ClientPreface))
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	var block strings.Builder
	enc := hpack.NewEncoder(&block)
	for _, h := range append([]hpack.HeaderField{{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/gnmi.gNMI/Capabilities"},
		{Name: ":authority", Value: "localhost"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}}, fields...) {
		enc.WriteField(h)
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndHeaders: true})
	f.WriteData(1, true, make([]byte, 5)) // an empty message
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range frame.Fields {
				if h.Name == "grpc-status" {
					return h.Value
				}
			}
		case *http2.RSTStreamFrame:
			return frame.ErrCode.String()
		case *http2.GoAwayFrame:
			return frame.ErrCode.String()
		}
	}
}

// TestRawLogins has bytes on the wire that gRPC clients refuse to send.
func TestRawLogins(t *testing.T) {
	g := prepare(t, access.Off).withUsers(t, user(t, "alice", "right"), user(t, "bob", "p\xc3\xa4ss\xff")).start(t)
	call := func(name, password string) string {
		return g.rawStatus(t, hpack.HeaderField{Name: "username", Value: name}, hpack.HeaderField{Name: "password", Value: password})
	}
	const ok, unauthenticated = "0", "16"
	if got := call("alice", "right"); got != ok {
		t.Fatalf("status %s", got)
	}
	if got := call("bob", "p\xc3\xa4ss\xff"); got != ok {
		t.Errorf("bytes that are no text: %s", got)
	}
	for _, password := range []string{"right\x00", "right\x00more", "\xff\xfe", "right\t", "ri\x7fght"} {
		if got := call("alice", password); got == ok {
			t.Errorf("password %q is accepted", password)
		}
		if got := call("alice", "right"); got != ok {
			t.Fatalf("then: %s", got)
		}
	}
	if got := g.rawStatus(t, hpack.HeaderField{Name: "Username", Value: "alice"}, hpack.HeaderField{Name: "Password", Value: "right"}); got == ok {
		t.Error("names of headers in capitals are accepted")
	}
	if got := g.rawStatus(t); got != unauthenticated {
		t.Errorf("nothing: %s", got)
	}
}

// TestCostsOfHashes: a hash that would take seconds is refused.
func TestCostsOfHashes(t *testing.T) {
	g := prepare(t, access.Off)
	line := func(cost int) string {
		hash, err := bcrypt.GenerateFromPassword([]byte("right"), cost)
		if err != nil {
			t.Fatal(err)
		}
		return string(hash)
	}
	dear := "bob:$2y$15$" + line(bcrypt.MinCost)[7:] + "\n"
	g.withUsers(t, "alice:"+line(5)+"\n", dear)
	if _, err := access.New(g.cfg, access.Deps{}); err == nil || !strings.Contains(err.Error(), "line 2: user bob: the cost 15") {
		t.Errorf("error %v", err)
	}
}

// TestStrangersAtThePort hold neither calls nor connections of others up.
func TestStrangersAtThePort(t *testing.T) {
	g := prepare(t, access.Required).start(t)
	for _, bytes := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", strings.Repeat("\x00", 4096)} {
		conn, err := net.Dial("tcp", g.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.Write([]byte(bytes))
	}
	wantCode(t, g.ask(t, g.clients.client(t, "spiffe://example.org/nms")), codes.OK)
}
