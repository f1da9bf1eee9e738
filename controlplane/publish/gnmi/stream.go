package gnmi

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// follow serves a STREAM: everything there is, sync_response, then changes and samples
// until the client has enough. While the client is slow the feed merges what it missed.
func (sub *subscription) follow() error {
	view, feed := sub.server.source.Subscribe()
	defer feed.Close()
	changes := false
	for _, p := range sub.parts {
		changes = changes || p.interval == 0
		if p.interval == 0 || p.suppress {
			p.sent = map[inventory.Ref]inventory.Entry{}
		}
		if !sub.list.GetUpdatesOnly() {
			if err := p.sendAll(sub, view); err != nil {
				return err
			}
		} else if p.sent != nil {
			p.learn(view)
		}
		p.plan(time.Now())
	}
	if err := sub.sync(); err != nil {
		return err
	}
	if !changes {
		feed.Close()
	}
	return sub.tail(feed, changes)
}

// tail sends changes and samples as they come due.
func (sub *subscription) tail(feed *history.Feed, changes bool) error {
	ctx := sub.stream.Context()
	for {
		updates, err := sub.wait(ctx, feed, changes)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, history.ErrClosed):
			return status.Error(codes.Unavailable, "the server stops")
		case err != nil:
			return status.Error(codes.Internal, err.Error())
		}
		for _, u := range updates {
			for _, p := range sub.parts {
				if p.interval != 0 {
					continue
				}
				if err := p.apply(sub, u); err != nil {
					return err
				}
			}
		}
		if err := sub.due(time.Now()); err != nil {
			return err
		}
	}
}

// wait gives the next updates; none and no error when a sample or a heartbeat is due
// first.
func (sub *subscription) wait(ctx context.Context, feed *history.Feed, changes bool) ([]inventory.Update, error) {
	if next := sub.next(); !next.IsZero() {
		limited, cancel := context.WithDeadline(ctx, next)
		defer cancel()
		ctx = limited
	}
	if !changes {
		<-ctx.Done()
		return nil, nil
	}
	updates, err := feed.Next(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nil
	}
	return updates, err
}

// next is when something is due; zero for never.
func (sub *subscription) next() time.Time {
	var next time.Time
	for _, p := range sub.parts {
		for _, t := range []time.Time{p.sample, p.beat} {
			if !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// plan sets when the part's first sample and heartbeat are due.
func (p *part) plan(now time.Time) {
	if p.interval > 0 {
		p.sample = now.Add(p.interval)
	}
	if p.heartbeat > 0 {
		p.beat = now.Add(p.heartbeat)
	}
}

// due sends the samples and heartbeats whose time has come.
func (sub *subscription) due(now time.Time) error {
	for _, p := range sub.parts {
		beats := !p.beat.IsZero() && !now.Before(p.beat)
		samples := !p.sample.IsZero() && !now.Before(p.sample)
		if beats {
			p.beat = following(p.beat, p.heartbeat, now)
		}
		if samples {
			p.sample = following(p.sample, p.interval, now)
		}
		var err error
		switch {
		case beats || samples && !p.suppress:
			err = p.sendAll(sub, sub.server.source.Now())
		case samples:
			err = p.sendChanged(sub, sub.server.source.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// following gives the first time after now that is a multiple of interval after t; what
// was missed is not made up for.
func following(t time.Time, interval time.Duration, now time.Time) time.Time {
	missed := now.Sub(t)/interval + 1
	return t.Add(missed * interval)
}
