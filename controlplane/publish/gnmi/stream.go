package gnmi

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// clockwork is when a part of one subscription is due.
type clockwork struct {
	*part
	told   inventory.View // what the last sample told; of a part that suppresses or tells what is gone
	at     time.Time      // of the last sample; what came before is as old
	sample time.Time      // when the next sample is due; zero for never
	beat   time.Time      // when the next heartbeat is
}

// follow serves a STREAM: everything there is, sync_response, then changes and samples
// until the client has enough.
func (sub *subscription) follow() error {
	view := sub.start.view
	if view == nil {
		view = sub.server.source.Now()
	}
	if err := sub.snapshot(view); err != nil {
		return err
	}
	var clocks []*clockwork
	for _, p := range sub.parts {
		c := &clockwork{part: p, told: view, at: sub.server.now()}
		c.plan(time.Now())
		clocks = append(clocks, c)
	}
	return sub.tail(clocks)
}

// tail sends changes and samples as they come due.
func (sub *subscription) tail(clocks []*clockwork) error {
	ctx := sub.stream.Context()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var wake <-chan struct{}
	if sub.member != nil {
		wake = sub.member.wake
	}
	for {
		if err := sub.tellChanges(); err != nil {
			return err
		}
		if err := sub.due(clocks, time.Now()); err != nil {
			return err
		}
		var alarm <-chan time.Time
		if next := earliest(clocks); !next.IsZero() {
			timer.Reset(time.Until(next))
			alarm = timer.C
		}
		select {
		case <-wake:
		case <-alarm:
		case <-ctx.Done():
			return nil
		}
	}
}

// tellChanges sends what the log has.
func (sub *subscription) tellChanges() error {
	if sub.member == nil {
		return nil
	}
	for {
		b := sub.member.take(maxTake)
		if b.empty() {
			return nil
		}
		if err := sub.member.group.tell(b, sub.notify); err != nil {
			return err
		}
	}
}

// earliest is when something is due; zero for never.
func earliest(clocks []*clockwork) time.Time {
	var next time.Time
	for _, c := range clocks {
		for _, t := range []time.Time{c.sample, c.beat} {
			if !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// plan sets when the part's first sample and heartbeat are due.
func (c *clockwork) plan(now time.Time) {
	if c.interval > 0 {
		c.sample = now.Add(c.interval)
	}
	if c.heartbeat > 0 {
		c.beat = now.Add(c.heartbeat)
	}
}

// due sends the samples and heartbeats whose time has come.
func (sub *subscription) due(clocks []*clockwork, now time.Time) error {
	for _, c := range clocks {
		beats := !c.beat.IsZero() && !now.Before(c.beat)
		samples := !c.sample.IsZero() && !now.Before(c.sample)
		if beats {
			c.beat = following(c.beat, c.heartbeat, now)
		}
		if samples {
			c.sample = following(c.sample, c.interval, now)
		}
		if !beats && !samples {
			continue
		}
		if err := sub.tick(c, beats); err != nil {
			return err
		}
	}
	return nil
}

// tick sends a sample, or with beat everything.
func (sub *subscription) tick(c *clockwork, beat bool) error {
	ctx := sub.stream.Context()
	if c.interval == 0 {
		// What the log has comes first: nothing that the heartbeat says may be followed by something older.
		unread, view := sub.server.hub.now(sub.member)
		if err := sub.member.group.tell(unread, sub.notify); err != nil {
			return err
		}
		return c.all(ctx, view, sub.sendOwn)
	}
	view, before := sub.server.source.Now(), c.told
	c.told = view
	last, at := c.at, sub.server.now()
	if c.suppress && !beat {
		return c.difference(ctx, before, view, at, sub.sendOwn)
	}
	if err := c.ends(ctx, before, view, true, at, sub.sendOwn); err != nil {
		return err
	}
	if c.suppress { // changes keep their time, and none may seem older than a heartbeat before it
		return c.all(ctx, view, sub.sendOwn)
	}
	c.at = at
	return c.part.sample(ctx, view, last.UnixNano(), at.UnixNano(), sub.sendOwn)
}

// following gives the first time after now that is a multiple of interval after t; what
// was missed is not made up for.
func following(t time.Time, interval time.Duration, now time.Time) time.Time {
	missed := now.Sub(t)/interval + 1
	return t.Add(missed * interval)
}
