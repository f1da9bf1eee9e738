package gnmi

import (
	"context"
	"errors"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// moment is the past instant or range that a request asks about; nil for now.
type moment struct {
	at    time.Time
	until *time.Time // the end of a range; nil for an instant
	axis  history.Axis
}

// extensions are what the extensions of a request ask for.
type extensions struct {
	moment *moment // nil for now
	known  bool    // each change of a range comes with the time when it was known
	levels int     // beneath the paths; 0 for all
}

// parseExtensions reads the extensions of a request. The history extension asks by commit time
// (gNMI history extension, section 2.2); the registered extension EID_EXPERIMENTAL, whose
// message is a google.protobuf.Timestamp, asks by event time, and without a message, beside a range, for commit times. The
// depth extension says how many levels beneath the paths are meant (gNMI depth extension, section 3.1).
func parseExtensions(list []*gnmi_ext.Extension) (extensions, error) {
	var all extensions
	for _, x := range list {
		if d := x.GetDepth(); d != nil {
			if all.levels = int(d.GetLevel()); all.levels > maxElements {
				all.levels = 0 // the models are not so deep
			}
			continue
		}
		if r := x.GetRegisteredExt(); r.GetId() == gnmi_ext.ExtensionID_EID_EXPERIMENTAL && len(r.GetMsg()) == 0 {
			all.known = true
			continue
		}
		next, err := readMoment(x)
		if err != nil {
			return all, err
		}
		if all.moment != nil {
			return all, status.Error(codes.InvalidArgument, "extensions: more than one asks about a moment")
		}
		all.moment = next
	}
	if all.known && (all.moment == nil || all.moment.until == nil) {
		return all, status.Error(codes.InvalidArgument, "extension EID_EXPERIMENTAL: without a moment it asks when the changes of a range were known, and there is no range")
	}
	return all, nil
}

func readMoment(x *gnmi_ext.Extension) (*moment, error) {
	switch x := x.GetExt().(type) {
	case *gnmi_ext.Extension_History:
		return readHistory(x.History)
	case *gnmi_ext.Extension_RegisteredExt:
		if id := x.RegisteredExt.GetId(); id != gnmi_ext.ExtensionID_EID_EXPERIMENTAL {
			return nil, status.Errorf(codes.InvalidArgument, "registered extension %v is not known", id)
		}
		var at timestamppb.Timestamp
		if err := proto.Unmarshal(x.RegisteredExt.GetMsg(), &at); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "extension EID_EXPERIMENTAL: not a google.protobuf.Timestamp: %v", err)
		}
		if err := at.CheckValid(); err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "extension EID_EXPERIMENTAL: %v", err)
		}
		return &moment{at: at.AsTime(), axis: history.ByEvent}, nil
	case nil:
		return nil, status.Error(codes.InvalidArgument, "extensions: an empty extension")
	}
	return nil, status.Errorf(codes.Unimplemented, "extension %T is not provided", x.GetExt())
}

func readHistory(h *gnmi_ext.History) (*moment, error) {
	switch r := h.GetRequest().(type) {
	case *gnmi_ext.History_SnapshotTime:
		if r.SnapshotTime <= 0 {
			return nil, status.Errorf(codes.InvalidArgument, "history extension: snapshot_time %d is not after 1970", r.SnapshotTime)
		}
		return &moment{at: time.Unix(0, r.SnapshotTime), axis: history.ByCommit}, nil
	case *gnmi_ext.History_Range:
		start, end := r.Range.GetStart(), r.Range.GetEnd()
		switch {
		case start <= 0:
			return nil, status.Errorf(codes.InvalidArgument, "history extension: the range starts at %d, not after 1970", start)
		case start > end:
			return nil, status.Errorf(codes.InvalidArgument, "history extension: the range starts at %d, after its end at %d", start, end)
		}
		until := time.Unix(0, end)
		return &moment{at: time.Unix(0, start), until: &until, axis: history.ByCommit}, nil
	}
	return nil, status.Error(codes.InvalidArgument, "history extension: neither snapshot_time nor range")
}

// fits says whether a subscription of a mode can be about the moment.
func (m *moment) fits(mode gpb.SubscriptionList_Mode) error {
	switch {
	case m == nil:
	case m.until != nil && mode != gpb.SubscriptionList_STREAM:
		return status.Errorf(codes.InvalidArgument, "a range of the past can only be asked for with mode STREAM, not %v", mode)
	case m.until == nil && mode != gpb.SubscriptionList_ONCE:
		return status.Errorf(codes.InvalidArgument, "a past moment can only be asked for with mode ONCE, not %v", mode)
	}
	return nil
}

// goesOn says whether the moment is a range that is not over.
func (m *moment) goesOn(now time.Time) bool { return m.until != nil && m.until.After(now) }

// enterPast counts a call about the past until it ends or leave is called.
func (s *Server) enterPast(ctx context.Context) (leave func(), err error) {
	leave, err = s.past.enter(s.caller(ctx))
	if err == nil {
		context.AfterFunc(ctx, leave)
	}
	return leave, err
}

// view gives as much as is wanted of the state that a request asks about; of a range, that at its end, or now.
func (s *Server) view(ctx context.Context, m *moment, wants []history.Want) (inventory.View, error) {
	if m == nil {
		return s.source.Now(), nil
	}
	if m.at.After(s.now()) {
		return nil, future(m.at)
	}
	at := m.at
	switch {
	case m.goesOn(s.now()):
		return s.source.Now(), nil
	case m.until != nil:
		at = *m.until
	}
	v, err := s.source.At(ctx, at, m.axis, wants...)
	if err != nil {
		return nil, pastError(err)
	}
	return v, nil
}

// want gives what of a kind a path can match; ok is false where that is nothing.
func (k *kind) want(device string, path request) (w history.Want, ok bool) {
	keys, ok := k.wantedBy(path)
	if !ok {
		return w, false
	}
	st := k.stretch(device, keys)
	w = history.Want{Kind: k.fact, Cluster: st.cluster, Anywhere: st.anyCluster, ID: st.id, Exact: st.one}
	if pod := keys[len(keys)-1]; k.fact == inventory.KindMember && !st.one && pod != noPod {
		w.Pod = pod
	}
	return w, true
}

// wantsOf gives what of a past moment parts need to answer: what their paths may match, and the clusters, which stand in
// for any.
func wantsOf(parts []*part) []history.Want {
	wants := history.AllOf(inventory.KindCluster)
	seen := map[history.Want]bool{}
	for _, p := range parts {
		for _, s := range p.selectors {
			for _, k := range s.kinds {
				for _, path := range p.paths {
					if w, ok := k.want(s.device, path); ok && !seen[w] {
						seen[w] = true
						wants = append(wants, w)
					}
				}
			}
		}
	}
	return wants
}

func future(t time.Time) error {
	return status.Errorf(codes.Unimplemented, "%s is in the future", t.UTC().Format(time.RFC3339Nano))
}

// errLate ends a call about the past that takes too long.
func (s *Server) errLate() error {
	return status.Errorf(codes.ResourceExhausted, "the past was not read within %v (gnmi.past-timeout)", s.cfg.PastTimeout)
}

// pastError gives an error of the history its code.
func pastError(err error) error {
	switch {
	case errors.Is(err, history.ErrBeforeRetention):
		return status.Error(codes.OutOfRange, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, history.ErrNotStored), errors.Is(err, history.ErrClosed):
		return status.Error(codes.Unavailable, err.Error())
	}
	return status.Error(codes.Internal, err.Error())
}
