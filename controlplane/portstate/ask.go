package portstate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// errMute says that a switch has nothing to tell, and that there is no use in asking it again soon.
var errMute = errors.New("the switch does not tell")

// reason is an error in the words of an operator.
func reason(err error) string {
	if s, ok := status.FromError(err); ok {
		return fmt.Sprintf("%s: %s", s.Code(), s.Message())
	}
	return err.Error()
}

// asked is one connection to a switch.
type asked struct {
	*Watcher
	sw     Switch
	log    *slog.Logger
	told   bool // the sink was
	client gpb.GNMIClient
	ports  map[string]*State // by the switch's names
	order  []string
}

// ask connects, and tells the sink until the connection is lost.
func (a *asked) ask(ctx context.Context) error {
	opts := []grpc.DialOption{
		grpc.WithNoProxy(), // as for P4Runtime
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: a.cfg.Timeout}),
	}
	if len(a.deps.Dial) == 0 {
		opts = append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	conn, err := grpc.NewClient(a.sw.Address, append(opts, a.deps.Dial...)...)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", a.sw.Address, err)
	}
	defer conn.Close()
	a.client = gpb.NewGNMIClient(conn)
	if err := a.name(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(a.cfg.Timeout, func() { cancel(fmt.Errorf("no answer from %s in %s", a.sw.Address, a.cfg.Timeout)) })
	defer timer.Stop()
	stream, err := a.client.Subscribe(ctx)
	if err == nil {
		err = stream.Send(a.subscription())
	}
	for err == nil {
		var resp *gpb.SubscribeResponse
		if resp, err = stream.Recv(); err != nil {
			break
		}
		now := time.Now()
		changed := a.take(resp.GetUpdate(), now)
		switch {
		case resp.GetSyncResponse() && !a.told && timer.Stop():
			a.first(ctx)
		case a.told && len(changed) > 0:
			a.tell(changed, false)
		}
	}
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// name learns which interface is which port.
func (a *asked) name(ctx context.Context) error {
	var err error
	for _, leaf := range []string{"id", "ifindex"} {
		var got []*gpb.Notification
		if got, err = a.get(ctx, []*gpb.Path{path("*", leaf)}); err == nil {
			a.ports, a.order = map[string]*State{}, nil
			for _, n := range got {
				for _, u := range n.GetUpdate() {
					if name, at := at(n.GetPrefix(), u.GetPath()); at == leaf && a.ports[name] == nil {
						a.ports[name] = &State{Name: name, Number: uint32(u.GetVal().GetUintVal())}
						a.order = append(a.order, name)
					}
				}
			}
			if len(a.ports) == 0 {
				return fmt.Errorf("%w: its gNMI server has no interfaces", errMute)
			}
			return nil
		}
		if c := status.Code(err); c == codes.Unavailable || c == codes.DeadlineExceeded || ctx.Err() != nil {
			return err
		}
	}
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%w: it serves no gNMI", errMute)
	}
	return fmt.Errorf("%w: its gNMI server says %s", errMute, reason(err))
}

// get asks for leaves.
func (a *asked) get(ctx context.Context, paths []*gpb.Path) ([]*gpb.Notification, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	resp, err := a.client.Get(ctx, &gpb.GetRequest{Path: paths, Type: gpb.GetRequest_STATE, Encoding: gpb.Encoding_PROTO})
	return resp.GetNotification(), err
}

func (a *asked) subscription() *gpb.SubscribeRequest {
	list := &gpb.SubscriptionList{Mode: gpb.SubscriptionList_STREAM, Encoding: gpb.Encoding_PROTO}
	for _, p := range a.paths("oper-status", "admin-status") {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: p, Mode: gpb.SubscriptionMode_ON_CHANGE})
	}
	return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}
}

func (a *asked) paths(leaves ...string) (all []*gpb.Path) {
	for _, name := range a.order {
		for _, l := range leaves {
			all = append(all, path(name, l))
		}
	}
	return all
}

// first tells the sink of all ports, with what the subscription did not say by itself.
func (a *asked) first(ctx context.Context) {
	var missing []*gpb.Path
	for _, name := range a.order {
		if a.ports[name].Oper == Unknown {
			missing = append(missing, path(name, "oper-status"), path(name, "admin-status"))
		}
	}
	for _, want := range [][]*gpb.Path{missing, a.paths("last-change")} {
		if len(want) == 0 {
			continue
		}
		got, err := a.get(ctx, want)
		if err != nil {
			a.log.Debug("the switch does not tell all of its ports", "error", err)
			continue
		}
		for _, n := range got {
			a.take(n, time.Now())
		}
	}
	a.told = true
	a.metrics.known.WithLabelValues(a.sw.Name).Set(1)
	a.tell(a.order, true)
}

// tell tells the sink of some ports.
func (a *asked) tell(names []string, all bool) {
	states := make([]State, len(names))
	for i, name := range names {
		states[i] = *a.ports[name]
	}
	a.metrics.changes.WithLabelValues(a.sw.Name).Add(float64(len(states)))
	a.deps.Sink.PortStates(a.sw.Name, states, all)
}

// take notes what a notification says, and gives the ports that it is about.
func (a *asked) take(n *gpb.Notification, now time.Time) (names []string) {
	for _, u := range n.GetUpdate() {
		name, leaf := at(n.GetPrefix(), u.GetPath())
		p := a.ports[name]
		if p == nil {
			continue
		}
		switch leaf {
		case "oper-status":
			p.Oper = oper(u.GetVal().GetStringVal())
		case "admin-status":
			p.Admin = statusOf(u.GetVal().GetStringVal() == "UP")
		case "last-change":
			p.At = time.Unix(0, int64(u.GetVal().GetUintVal()))
			continue
		default:
			continue
		}
		if a.told {
			p.At = a.believed(time.Unix(0, n.GetTimestamp()), now)
		}
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return names
}

// believed is when a change was that came now.
func (a *asked) believed(said, now time.Time) time.Time {
	if d := now.Sub(said); d < -a.cfg.MaxSkew || d > a.cfg.MaxSkew {
		return now
	}
	return said
}

// oper is what oper-status means: a port that waits, is tested or is not there carries nothing.
func oper(text string) Status {
	if text == "UNKNOWN" || text == "" {
		return Unknown
	}
	return statusOf(text == "UP")
}

func statusOf(up bool) Status {
	if up {
		return Up
	}
	return Down
}

// path is that of a leaf of an interface's state.
func path(name, leaf string) *gpb.Path {
	return &gpb.Path{Elem: []*gpb.PathElem{{Name: "interfaces"}, {Name: "interface", Key: map[string]string{"name": name}}, {Name: "state"}, {Name: leaf}}}
}

// at is the reverse; names are empty for any other path.
func at(prefix, p *gpb.Path) (name, leaf string) {
	e := append(append([]*gpb.PathElem{}, prefix.GetElem()...), p.GetElem()...)
	if len(e) != 4 || e[0].GetName() != "interfaces" || e[1].GetName() != "interface" || e[2].GetName() != "state" {
		return "", ""
	}
	return e[1].GetKey()["name"], e[3].GetName()
}
