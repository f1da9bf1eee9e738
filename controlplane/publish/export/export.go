// Package export streams flow records to clients of the daemon's gRPC server, beside gNMI: with the
// same certificate, port and credentials. docs/formats/export.md has the service.
package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// Names of the service, its method, and the trailer with the number of records.
const (
	serviceName  = "fabricscope.v1.FlowRecords"
	methodName   = "Export"
	countTrailer = "records"
)

// chunkBytes is the size of a message of an answer.
const chunkBytes = 64 << 10

// Source is where records come from. *records.Store is one.
type Source interface {
	Export(ctx context.Context, q records.Query, f records.Format, w io.Writer) (n int64, err error)
}

// Service answers calls.
type Service struct {
	source Source
	view   func(context.Context) (show func(*records.Record) bool, err error)
}

// New makes a service of a source. view says what the caller of an RPC may see of a record, with nil for everything; it
// may be nil itself.
func New(s Source, view func(context.Context) (show func(*records.Record) bool, err error)) *Service {
	return &Service{source: s, view: view}
}

// Register adds the service to a server.
func (s *Service) Register(to grpc.ServiceRegistrar) {
	to.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName, HandlerType: (*any)(nil), Metadata: "fabricscope",
		Streams: []grpc.StreamDesc{{StreamName: methodName, ServerStreams: true, Handler: s.export}},
	}, s)
}

func (s *Service) export(_ any, stream grpc.ServerStream) error {
	var asked structpb.Struct
	if err := stream.RecvMsg(&asked); err != nil {
		return err
	}
	q, format, err := parse(&asked)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if s.view != nil {
		if q.Permit, err = s.view(stream.Context()); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(chunks{stream}, chunkBytes)
	n, err := s.source.Export(stream.Context(), q, format, w)
	if err == nil {
		err = w.Flush()
	}
	stream.SetTrailer(metadata.Pairs(countTrailer, strconv.FormatInt(n, 10)))
	return answer(err)
}

// answer gives an error the status that tells a client what to do about it.
func answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, records.ErrCorrupt):
		return status.Error(codes.DataLoss, err.Error())
	}
	return status.Error(codes.Internal, fmt.Sprintf("export: %v", err))
}

// chunks makes a message of each write. A client that does not read holds it up.
type chunks struct{ stream grpc.ServerStream }

// Write implements io.Writer.
func (c chunks) Write(b []byte) (int, error) {
	if err := c.stream.SendMsg(wrapperspb.Bytes(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}
