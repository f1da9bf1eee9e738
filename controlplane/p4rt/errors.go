package p4rt

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Sentinels. Errors of this package wrap them with the switch and the operation.
var (
	// ErrNotConnected says that there is no connection to the switch now; the session is
	// trying to get one.
	ErrNotConnected = errors.New("not connected")
	// ErrNotPrimary says that another controller has a higher election id: this one may
	// read, and not write.
	ErrNotPrimary = errors.New("not the primary controller")
	// ErrQueueFull says that the switch takes packet-outs slower than they come; this one
	// was dropped and counted.
	ErrQueueFull = errors.New("outbound queue full")
	// ErrUnknownName says that the P4 program has no object of that name.
	ErrUnknownName = errors.New("not in the P4 program")
)

// WriteError lists the updates of a batch that a switch refused; the others of the batch
// were applied (P4Runtime 1.4, section 12.2, CONTINUE_ON_ERROR).
type WriteError struct {
	Switch string
	Total  int // updates in the batch
	Failed []FailedUpdate
}

// FailedUpdate is one refused update.
type FailedUpdate struct {
	Index   int // in the batch
	Update  string
	Code    codes.Code
	Message string
}

// Error names the first refused update and how many there are.
func (e *WriteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "switch %s: write: %d of %d updates refused", e.Switch, len(e.Failed), e.Total)
	if len(e.Failed) > 0 {
		f := e.Failed[0]
		fmt.Fprintf(&b, "; first: %s: %s", f.Update, f.Code)
		if f.Message != "" {
			b.WriteString(": " + f.Message)
		}
	}
	return b.String()
}

// OnlyCode says whether every refused update was refused with c.
func (e *WriteError) OnlyCode(c codes.Code) bool {
	for _, f := range e.Failed {
		if f.Code != c {
			return false
		}
	}
	return len(e.Failed) > 0
}

// writeError turns the status of a Write RPC into a WriteError where it carries one status
// per update, and wraps it as it is otherwise.
func (s *Session) writeError(updates []*p4v1.Update, err error) error {
	st, ok := status.FromError(err)
	if !ok {
		return fmt.Errorf("switch %s: write: %w", s.cfg.Name, err)
	}
	details := st.Proto().GetDetails()
	if len(details) != len(updates) {
		return fmt.Errorf("switch %s: write of %d updates: %w", s.cfg.Name, len(updates), err)
	}
	failed := &WriteError{Switch: s.cfg.Name, Total: len(updates)}
	for i, any := range details {
		var e p4v1.Error
		if any.UnmarshalTo(&e) != nil {
			return fmt.Errorf("switch %s: write of %d updates: %w", s.cfg.Name, len(updates), err)
		}
		if e.CanonicalCode == int32(code.Code_OK) {
			continue
		}
		failed.Failed = append(failed.Failed, FailedUpdate{
			Index: i, Update: s.program.describe(updates[i]),
			Code: codes.Code(e.CanonicalCode), Message: e.Message,
		})
	}
	return failed
}

// statusText is a google.rpc.Status for messages.
func statusText(st *spb.Status) string {
	if st.GetMessage() != "" {
		return st.GetMessage()
	}
	return codes.Code(st.GetCode()).String()
}
