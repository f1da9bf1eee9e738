package gnmi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/openconfig/gnmic/pkg/api/target"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest"
)

func TestMain(m *testing.M) {
	// The bindings that the tests check against bring in a logger that always runs.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// patience is how long a test waits for what must come.
const patience = time.Minute

// dial gives gnmic's client of a lab.
func dial(t *testing.T, lab *gnmitest.Lab) *target.Target {
	t.Helper()
	client, err := api.NewTarget(api.Name("lab"), api.Address(lab.Address), api.TLSCA(lab.CA), api.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CreateGNMIClient(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// once asks for paths and gives the leaves by their full path.
func once(t *testing.T, client *target.Target, options ...api.GNMIOption) (map[string]string, error) {
	t.Helper()
	req, err := api.NewSubscribeRequest(append([]api.GNMIOption{api.SubscriptionListModeONCE(), api.EncodingPROTO()}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := client.Client.Subscribe(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(req); err != nil && !errors.Is(err, io.EOF) { // refused already: receiving tells why
		t.Fatal(err)
	}
	return leavesUntilSync(t, stream)
}

func leavesUntilSync(t *testing.T, stream gpb.GNMI_SubscribeClient) (map[string]string, error) {
	t.Helper()
	leaves := map[string]string{}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if resp.GetSyncResponse() {
			return leaves, nil
		}
		for path, v := range updates(resp.GetUpdate()) {
			if _, twice := leaves[path]; twice {
				t.Errorf("%s came twice", path)
			}
			leaves[path] = v
		}
	}
}

func subscribe(path string, options ...api.GNMIOption) api.GNMIOption {
	return api.Subscription(append([]api.GNMIOption{api.Path(path)}, options...)...)
}

func updates(n *gpb.Notification) map[string]string {
	leaves := map[string]string{}
	for _, u := range n.GetUpdate() {
		leaves[join(n.GetPrefix(), u.GetPath())] = show(u.GetVal())
	}
	return leaves
}

func deletes(n *gpb.Notification) []string {
	var paths []string
	for _, d := range n.GetDelete() {
		paths = append(paths, join(n.GetPrefix(), d))
	}
	slices.Sort(paths)
	return paths
}

func join(prefix, path *gpb.Path) string {
	var b strings.Builder
	for _, e := range slices.Concat(prefix.GetElem(), path.GetElem()) {
		b.WriteString("/" + e.GetName())
		keys := make([]string, 0, len(e.GetKey()))
		for k, v := range e.GetKey() {
			keys = append(keys, fmt.Sprintf("[%s=%s]", k, v))
		}
		slices.Sort(keys)
		b.WriteString(strings.Join(keys, ""))
	}
	return b.String()
}

func show(v *gpb.TypedValue) string {
	switch v := v.GetValue().(type) {
	case *gpb.TypedValue_StringVal:
		return v.StringVal
	case *gpb.TypedValue_UintVal:
		return fmt.Sprint(v.UintVal)
	case *gpb.TypedValue_IntVal:
		return fmt.Sprint(v.IntVal)
	case *gpb.TypedValue_BoolVal:
		return fmt.Sprint(v.BoolVal)
	case *gpb.TypedValue_LeaflistVal:
		var list []string
		for _, e := range v.LeaflistVal.GetElement() {
			list = append(list, show(e))
		}
		return strings.Join(list, " ")
	case *gpb.TypedValue_AsciiVal:
		return v.AsciiVal
	case *gpb.TypedValue_JsonVal:
		return string(v.JsonVal)
	case *gpb.TypedValue_JsonIetfVal:
		return string(v.JsonIetfVal)
	}
	return fmt.Sprintf("%v", v)
}

// wantCode checks the code of an error and that its message has every word.
func wantCode(t *testing.T, err error, code codes.Code, words ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Fatalf("error %v, want code %v", err, code)
	}
	for _, w := range words {
		if !strings.Contains(status.Convert(err).Message(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}
