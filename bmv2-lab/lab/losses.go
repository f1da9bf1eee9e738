package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// lossShare is the share of its frames that the faulty cable loses.
const lossShare = 0.05

// announcements bounds how many of the frames that a cable lost were LLDP's, which is no flow:
// one every two seconds.
const announcements = uint64(trafficLossy / (2 * time.Second))

// loseFrames lets traffic pass a cable that loses frames.
func (c *checked) loseFrames() error {
	faulty, err := c.faultyCable()
	if err != nil {
		return err
	}
	w := c.wire()
	if err := w.impair(c.ctx, faulty, lossShare); err != nil {
		return err
	}
	paused := c.pause(trafficLossy)
	// A run that is interrupted leaves no such cable either.
	c.lost, err = w.mend(context.WithoutCancel(c.ctx), faulty)
	return errors.Join(paused, err)
}

// checkLosing asks while traffic goes on: the cable is named already, and no other.
func (c *checked) checkLosing() {
	c.settles("the cable that loses frames is named while traffic goes on", func() (string, []string, error) {
		flows, err := ask[check.Flow](c.Lab, "flows")
		if err != nil {
			return "", nil, err
		}
		lost, segments, _ := check.Losses(flows)
		return fmt.Sprintf("%d segments", segments), c.elsewhere(lost, 1), nil
	})
}

// compareLosses holds the losses that are said, after the end of all traffic, against what the
// faulty cable has lost.
func (c *checked) compareLosses() (string, []string, error) {
	lost, segments, open := check.Losses(c.flows)
	if segments == 0 {
		open = append(open, "nothing was compared")
	}
	least := c.lost - min(c.lost, announcements)
	return fmt.Sprintf("%d segments, %d frames lost", segments, c.lost), append(open, c.elsewhere(lost, least)...), nil
}

// elsewhere tells of losses on other cables than the faulty one, and of too many or too few there.
// What a switch dropped because its TTL ended is lost behind that switch.
func (c *checked) elsewhere(lost map[string]uint64, least uint64) (lines []string) {
	name := ""
	if faulty, err := c.faultyCable(); err == nil {
		name = faulty.String()
		if n := lost[name]; n < least || n > c.lost {
			lines = append(lines, fmt.Sprintf("%d lost at %s, want %d to %d", n, name, least, c.lost))
		}
	}
	for _, where := range slices.Sorted(maps.Keys(lost)) {
		begins, _, _ := strings.Cut(where, "/")
		begins, _, _ = strings.Cut(begins, ">")
		if where != name && lost[where] > c.expiredAt[begins] {
			lines = append(lines, fmt.Sprintf("%d lost at %s, want none", lost[where], where))
		}
	}
	return lines
}
