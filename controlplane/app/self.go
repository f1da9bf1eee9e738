package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/clock"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// stepShown is for how long a step of the clock is a finding.
const stepShown = time.Hour

// self gives the daemon's findings about itself.
func (d *Daemon) self() []inventory.Finding {
	return append(ofStores(d.store.Status(), d.records.Status(), time.Now()), ofSteps(d.clock.Recent(stepShown))...)
}

// ofStores gives what is wrong with the disk.
func ofStores(h history.Status, r records.Status, now time.Time) (list []inventory.Finding) {
	add := func(kind, severity, store string, evidence uint64, text string) {
		list = append(list, inventory.Finding{Kind: kind, Severity: severity, Since: now, Evidence: evidence, Text: text,
			Subject: inventory.Subject{Kind: "storage", Name: store}})
	}
	if h.Err != nil {
		add("storage-failing", inventory.Critical, historyDir, 1, fmt.Sprintf("the history cannot be written, %d changes wait and %d were dropped: %v", h.Queued, h.Dropped, h.Err))
	}
	if r.Err != nil {
		add("storage-failing", inventory.Critical, recordsDir, 1, fmt.Sprintf("flow records cannot be written: %v", r.Err))
	}
	if n := uint64(len(h.Isolated)) + h.Damaged; n > 0 || h.Damage != nil {
		add("storage-damaged", inventory.Major, historyDir, max(n, 1), "a part of the past is missing: "+missing(h.Isolated, h.Damaged, h.Damage))
	}
	if n := len(r.Isolated); n > 0 {
		add("storage-damaged", inventory.Major, recordsDir, uint64(n), "flow records are missing: "+missing(r.Isolated, 0, nil))
	}
	return list
}

// missing says what of a store was found damaged.
func missing(isolated []string, rows uint64, last error) string {
	var parts []string
	if len(isolated) > 0 {
		parts = append(parts, "in quarantine is "+strings.Join(isolated, ", "))
	}
	if rows > 0 {
		parts = append(parts, fmt.Sprintf("%d damaged rows were taken out", rows))
	}
	if last != nil {
		parts = append(parts, "the last damage was "+last.Error())
	}
	return strings.Join(parts, "; ")
}

// ofSteps gives the steps of the clock.
func ofSteps(steps []clock.Step) (list []inventory.Finding) {
	for _, s := range steps {
		name := s.To.UTC().Format(time.RFC3339)
		list = append(list, inventory.Finding{Kind: "clock-stepped", Severity: inventory.Minor, Since: s.To, Evidence: 1,
			Subject: inventory.Subject{Kind: "clock", Name: name}, Text: describe(s)})
	}
	return list
}

func describe(s clock.Step) string {
	from := s.From.UTC().Format(time.RFC3339)
	if s.By > 0 {
		return fmt.Sprintf("the daemon's clock stepped forward by %v at %s: nothing was recorded with times between", s.By.Round(time.Millisecond), from)
	}
	return fmt.Sprintf("the daemon's clock stepped back by %v at %s: what is recorded until it is %s again has commit times of just after that, and times in between happened twice",
		(-s.By).Round(time.Millisecond), from, from)
}

// stepped logs a step of the clock.
func (d *Daemon) stepped(s clock.Step) { d.log.Warn(describe(s)) }
