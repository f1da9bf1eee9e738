package gnmi

import (
	"context"
	"errors"
	"time"

	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// moment is the past instant that a request asks about; nil for now.
type moment struct {
	at   time.Time
	axis history.Axis
}

// parseMoment reads the extensions of a request. The history extension asks by commit time
// (gNMI history extension, section 2.2.1); the registered extension EID_EXPERIMENTAL, whose
// message is a google.protobuf.Timestamp, asks by event time.
func parseMoment(extensions []*gnmi_ext.Extension) (*moment, error) {
	var m *moment
	for _, x := range extensions {
		next, err := readExtension(x)
		if err != nil {
			return nil, err
		}
		if m != nil {
			return nil, status.Error(codes.InvalidArgument, "extensions: more than one asks about a moment")
		}
		m = next
	}
	return m, nil
}

func readExtension(x *gnmi_ext.Extension) (*moment, error) {
	switch x := x.GetExt().(type) {
	case *gnmi_ext.Extension_History:
		switch r := x.History.GetRequest().(type) {
		case *gnmi_ext.History_SnapshotTime:
			if r.SnapshotTime <= 0 {
				return nil, status.Errorf(codes.InvalidArgument, "history extension: snapshot_time %d is not after 1970", r.SnapshotTime)
			}
			return &moment{time.Unix(0, r.SnapshotTime), history.ByCommit}, nil
		case *gnmi_ext.History_Range:
			if r.Range.GetStart() > r.Range.GetEnd() {
				return nil, status.Error(codes.InvalidArgument, "history extension: the range starts after its end")
			}
			return nil, status.Error(codes.Unimplemented, "history extension: ranges are not provided; ask for a snapshot_time")
		}
		return nil, status.Error(codes.InvalidArgument, "history extension: neither snapshot_time nor range")
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
		return &moment{at.AsTime(), history.ByEvent}, nil
	case nil:
		return nil, status.Error(codes.InvalidArgument, "extensions: an empty extension")
	}
	return nil, status.Errorf(codes.Unimplemented, "extension %T is not provided", x.GetExt())
}

// view gives the state that a request asks about.
func (s *Server) view(ctx context.Context, m *moment) (inventory.View, error) {
	if m == nil {
		return s.source.Now(), nil
	}
	if m.at.After(s.now()) {
		return nil, status.Errorf(codes.Unimplemented, "%s is in the future", m.at.UTC().Format(time.RFC3339Nano))
	}
	v, err := s.source.At(ctx, m.at, m.axis)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, history.ErrBeforeRetention):
		return nil, status.Error(codes.OutOfRange, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, status.FromContextError(err).Err()
	case errors.Is(err, history.ErrNotStored), errors.Is(err, history.ErrClosed):
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return nil, status.Error(codes.Internal, err.Error())
}
