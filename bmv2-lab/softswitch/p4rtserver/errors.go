package p4rtserver

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// errorSpace is the namespace of the server's errors in p4.Error.
const errorSpace = "softswitch"

// failure is an error with its canonical code.
type failure struct {
	code codes.Code
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// GRPCStatus makes status.FromError see the code.
func (f *failure) GRPCStatus() *status.Status { return status.New(f.code, f.err.Error()) }

// fail makes an error with a canonical code.
func fail(code codes.Code, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...)}
}

// within says what an error is about and keeps its code.
func within(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &failure{code: codeOf(err), err: fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)}
}

// unavailable gives the errors of a data plane that has stopped, or of a client that did not
// wait for it, a code; those that have one keep it.
func unavailable(what string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case codeOf(err) == codes.Internal:
		return fail(codes.Unavailable, "%s: %w", what, err)
	}
	return err
}

// codeOf is the canonical code of an error of this package or of the engine.
func codeOf(err error) codes.Code {
	var f *failure
	switch {
	case err == nil:
		return codes.OK
	case errors.As(err, &f):
		return f.code
	case errors.Is(err, engine.ErrExists):
		return codes.AlreadyExists
	case errors.Is(err, engine.ErrNotFound):
		return codes.NotFound
	case errors.Is(err, engine.ErrFull):
		return codes.ResourceExhausted
	case errors.Is(err, engine.ErrConst):
		return codes.PermissionDenied
	case errors.Is(err, engine.ErrInUse):
		return codes.FailedPrecondition
	case errors.Is(err, engine.ErrInvalid):
		return codes.InvalidArgument
	}
	return codes.Internal
}

// batchStatus is the status of a Write or a Read: nil if every part succeeded, else UNKNOWN
// with one p4.Error a part (specification, section 12.3). At most maxDetails bytes of message
// go along, because clients limit the size of a status.
func batchStatus(what string, errs []error) error {
	failed := 0
	var first error
	for _, err := range errs {
		if err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	if failed == 0 {
		return nil
	}
	room := maxDetails
	details := make([]protoadapt.MessageV1, len(errs))
	for i, err := range errs {
		d := &p4.Error{CanonicalCode: int32(codeOf(err))}
		if err != nil {
			d.Space = errorSpace
			if m := err.Error(); len(m) <= room {
				d.Message = m
				room -= len(m)
			}
		}
		details[i] = protoadapt.MessageV1Of(d)
	}
	st := status.New(codes.Unknown, fmt.Sprintf("%s: %d of %d failed; the first: %v", what, failed, len(errs), first))
	full, err := st.WithDetails(details...)
	if err != nil {
		return st.Err()
	}
	return full.Err()
}

// maxDetails bounds the texts in one status, in bytes; codes are always complete.
const maxDetails = 4 << 10
