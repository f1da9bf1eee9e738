package gnmi

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// replay serves a STREAM of the past (gNMI history extension, section 2.2.2): the state that the range begins with,
// sync_response, every change in it, and the end. A range that ends in the future goes on with the changes as they
// happen.
func (sub *subscription) replay() error {
	until := *sub.moment.until
	if sub.member != nil {
		until = sub.start.commit.Add(1) // from there on the log has it
	}
	told, err := sub.tellPast(until)
	if err != nil || sub.member == nil {
		return err
	}
	sub.stop()
	sub.leavePast()
	return sub.goOn(told)
}

// tellPast sends the range until a time, and gives the state at its end. The history holds on to what a reader may
// still want, so it is closed then.
func (sub *subscription) tellPast(until time.Time) (inventory.View, error) {
	past, err := sub.server.source.Replay(sub.ctx, sub.moment.at, until, wantsOf(sub.parts)...)
	if err != nil {
		return nil, pastError(err)
	}
	defer past.Close()
	if err := sub.snapshot(past.View()); err != nil {
		return nil, err
	}
	for {
		updates, err := past.Next()
		if errors.Is(err, io.EOF) {
			return past.View(), nil
		}
		if err != nil {
			return nil, pastError(err)
		}
		for _, u := range updates {
			if err := sub.tellUpdate(u); err != nil {
				return nil, err
			}
		}
	}
}

func (sub *subscription) tellUpdate(u inventory.Update) error {
	for _, p := range sub.parts {
		for _, m := range p.changes([]inventory.Update{u}, 0) {
			if sub.known {
				m = appendKnown(m, u.Commit)
			}
			if err := sub.sendOwn(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// goOn serves the rest of a range from the changes as they happen. told is the state that the client knows; what the
// history does not keep is told now.
func (sub *subscription) goOn(told inventory.View) error {
	for _, p := range sub.parts {
		if err := p.difference(sub.stream.Context(), told, sub.start.view, sub.server.now(), sub.sendOwn); err != nil {
			return err
		}
	}
	over := time.NewTimer(sub.moment.until.Sub(sub.server.now()))
	defer over.Stop()
	for {
		done, err := sub.tellUntil(*sub.moment.until)
		if done || err != nil {
			return err
		}
		select {
		case <-sub.member.wake:
		case <-over.C:
			ctx := sub.stream.Context()
			if err := sub.server.hub.reach(ctx, sub.server.source.Now().Version()); err != nil {
				return err
			}
			_, err := sub.tellUntil(*sub.moment.until)
			return err
		case <-sub.stream.Context().Done():
			return nil
		}
	}
}

// tellUntil sends what the log has from before a time, and says whether it got there.
func (sub *subscription) tellUntil(until time.Time) (bool, error) {
	for {
		b := sub.member.take(maxTake)
		if b.empty() {
			return false, nil
		}
		for _, l := range b.links {
			if !l.Commit.Before(until) {
				return true, nil
			}
			if err := sub.tellLink(l); err != nil {
				return false, err
			}
		}
	}
}

// tellLink sends a change of the log.
func (sub *subscription) tellLink(l *link) error {
	messages := sub.member.group.encode(l)
	if !sub.known {
		return yieldAll(messages, sub.notify)
	}
	for _, m := range messages {
		if err := sub.sendOwn(appendKnown(slices.Clone(m.bytes), l.Commit)); err != nil { // m is everybody's
			return err
		}
	}
	return nil
}
