package cli

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/status"
)

// patience is the context of a call. It ends when nothing has come for the time of --timeout: an
// answer may be long.
type patience struct {
	context.Context
	span   time.Duration
	cancel context.CancelCauseFunc
	late   *time.Timer
}

func (o *options) patience(ctx context.Context) *patience {
	p := &patience{span: o.timeout}
	p.Context, p.cancel = context.WithCancelCause(ctx)
	p.late = time.AfterFunc(o.timeout, func() { p.cancel(context.DeadlineExceeded) })
	return p
}

// came says that something has come. The time of what is done with it does not count.
func (p *patience) came() { p.late.Stop() }

// wait begins to wait for more.
func (p *patience) wait() { p.late.Reset(p.span) }

func (p *patience) end() {
	p.late.Stop()
	p.cancel(nil)
}

// explain makes the error of a call that was given up one that says so.
func (p *patience) explain(err error) error {
	if err != nil && errors.Is(context.Cause(p), context.DeadlineExceeded) {
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	return err
}
