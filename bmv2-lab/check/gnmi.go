package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/value"
	"github.com/openconfig/gnmic/pkg/api"
	"github.com/openconfig/gnmic/pkg/api/target"
	"google.golang.org/grpc/metadata"
)

// GNMI reads the daemon with gnmic's client library.
type GNMI struct {
	target *target.Target
	login  []string // metadata (gNMI authentication, section "Credentialed RPCs")
}

// Dial connects, as a user, to a daemon whose certificate is signed by the one in a PEM file.
func Dial(ctx context.Context, address, ca, user, password string) (*GNMI, error) {
	t, err := api.NewTarget(api.Name("daemon"), api.Address(address), api.TLSCA(ca), api.Timeout(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("gnmic: %w", err)
	}
	if err := t.CreateGNMIClient(ctx); err != nil {
		return nil, fmt.Errorf("gnmic: connect to %s: %w", address, err)
	}
	return &GNMI{t, []string{"username", user, "password", password}}, nil
}

// Close closes the connection.
func (g *GNMI) Close() error { return g.target.Close() }

// Leaves are values by their path, written /a/b[k=v]/c with keys in alphabetical order.
type Leaves map[string]string

// Once gives what a path of Fabricscope's own models holds now.
func (g *GNMI) Once(ctx context.Context, path string) (Leaves, error) {
	return g.OnceAt(ctx, "fabric", path)
}

// OnceAt gives what a path of a target holds now: of a switch, by its name, or of the fabric.
func (g *GNMI) OnceAt(ctx context.Context, target, path string) (Leaves, error) {
	leaves := Leaves{}
	err := g.subscribe(ctx, target, path, api.SubscriptionListModeONCE(), func(r *gpb.SubscribeResponse) bool {
		leaves.Take(r.GetUpdate())
		return !r.GetSyncResponse()
	})
	return leaves, err
}

// Stream follows the changes of a path until ctx ends, and gives each response to visit.
func (g *GNMI) Stream(ctx context.Context, path string, visit func(*gpb.SubscribeResponse)) error {
	err := g.subscribe(ctx, "fabric", path, api.SubscriptionListModeSTREAM(), func(r *gpb.SubscribeResponse) bool {
		visit(r)
		return true
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (g *GNMI) subscribe(ctx context.Context, target, path string, mode api.GNMIOption, more func(*gpb.SubscribeResponse) bool) error {
	subscription := []api.GNMIOption{api.Path(path), api.SubscriptionModeON_CHANGE()}
	request, err := api.NewSubscribeRequest(mode, api.EncodingPROTO(), api.Target(target), api.Subscription(subscription...))
	if err != nil {
		return fmt.Errorf("gnmic: subscribe to %s: %w", path, err)
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx, g.login...))
	defer cancel()
	stream, err := g.target.Client.Subscribe(ctx)
	if err != nil {
		return fmt.Errorf("gnmic: subscribe to %s: %w", path, err)
	}
	if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) { // receiving tells why
		return fmt.Errorf("gnmic: subscribe to %s: %w", path, err)
	}
	for {
		response, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("gnmic: subscribe to %s: %w", path, err)
		}
		if !more(response) {
			return nil
		}
	}
}

// Take applies a notification: deletes first (gNMI specification, section 3.5.2.3).
func (l Leaves) Take(n *gpb.Notification) {
	for _, d := range n.GetDelete() {
		gone := PathText(n.GetPrefix(), d)
		for path := range l {
			if path == gone || strings.HasPrefix(path, gone+"/") {
				delete(l, path)
			}
		}
	}
	for _, u := range n.GetUpdate() {
		l[PathText(n.GetPrefix(), u.GetPath())] = text(u.GetVal())
	}
}

// PathText writes a path below its prefix as the keys of Leaves are.
func PathText(prefix, path *gpb.Path) string {
	var b strings.Builder
	for _, e := range slices.Concat(prefix.GetElem(), path.GetElem()) {
		b.WriteString("/" + e.GetName())
		var keys []string
		for k, v := range e.GetKey() {
			keys = append(keys, "["+k+"="+v+"]")
		}
		slices.Sort(keys)
		b.WriteString(strings.Join(keys, ""))
	}
	return b.String()
}

func text(v *gpb.TypedValue) string {
	scalar, err := value.ToScalar(v)
	if err != nil {
		return v.String()
	}
	list, ok := scalar.([]any)
	if !ok {
		return fmt.Sprint(scalar)
	}
	words := make([]string, len(list))
	for i, one := range list {
		words[i] = fmt.Sprint(one)
	}
	return strings.Join(words, ",")
}

// Key is the value of a list key on a path, of the last list that has such a key; of the list with a
// name, if one is given.
func Key(path, key string, list ...string) string {
	for _, name := range list {
		_, after, _ := strings.Cut(path, "/"+name+"[")
		element, _, _ := strings.Cut(after, "]/")
		path = "[" + element + "]"
	}
	i := strings.LastIndex(path, "["+key+"=")
	if i < 0 {
		return ""
	}
	rest := path[i+len(key)+2:]
	value, _, _ := strings.Cut(rest, "]")
	return value
}
