package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// line is a switch port and what is behind it.
type line struct {
	down    bool
	since   time.Time
	finding inventory.Finding    // as of when it went down; without a kind if nothing was behind it
	cables  map[string]time.Time // far ends of links, with when they went; zero while they are there
}

func (s *state) line(id string) *line {
	l := s.lines[id]
	if l == nil {
		l = &line{cables: map[string]time.Time{}}
		s.lines[id] = l
	}
	return l
}

// linked takes that a link is there, or not any more. A link goes with its port, before or after it.
func (s *state) linked(k inventory.Link, there bool, now time.Time) {
	for _, ends := range [][2]inventory.PortRef{{k.A, k.B}, {k.B, k.A}} {
		l := s.line(ends[0].String())
		if there {
			l.cables[ends[1].String()] = time.Time{}
		} else if _, known := l.cables[ends[1].String()]; known {
			l.cables[ends[1].String()] = now
		}
	}
}

// port takes whether a port is up.
func (s *state) port(p inventory.Port, event, now time.Time) {
	l := s.line(p.Ref().ID)
	if p.Oper != inventory.PortDown {
		l.down, l.finding = false, inventory.Finding{}
		return
	}
	if !l.down {
		l.down, l.since = true, event
		l.finding = s.outOf(p, l, now)
	}
}

// outOf is the finding of a port that is down, by what is behind it or was until a moment ago; of one that was found by
// an earlier run it is what that run found.
func (s *state) outOf(p inventory.Port, l *line, now time.Time) inventory.Finding {
	subject := inventory.Subject{Kind: "port", Name: p.Ref().ID}
	id := finding("port-down", "", subject, l.since, 0, "").ID
	if o := s.open[id]; o != nil {
		return o.finding
	}
	var behind []string
	for far, went := range l.cables {
		if went.IsZero() || now.Sub(went) < window {
			behind = append(behind, "the cable to "+far)
		}
	}
	slices.Sort(behind)
	severity := inventory.Major
	pods, alone := s.podsBehind(p)
	if pods > 0 {
		behind = append(behind, severalPods(pods, alone))
	}
	if alone > 0 {
		severity = inventory.Critical
	}
	if len(behind) == 0 {
		return inventory.Finding{}
	}
	state := "is down"
	if p.Admin == inventory.PortDown {
		state = "was shut"
	}
	return finding("port-down", severity, subject, l.since, uint64(max(pods, 1)),
		fmt.Sprintf("port %s %s: behind it %s", subject.Name, state, strings.Join(behind, ", ")))
}

// podsBehind counts the pods at a port, and those of them that are at no other which is not down too.
func (s *state) podsBehind(p inventory.Port) (pods, alone int) {
	here, elsewhere := map[string]bool{}, map[string]bool{}
	for e := range s.facts().All(inventory.KindAttachment) {
		a, ok := e.Fact.(inventory.Attachment)
		if !ok {
			continue
		}
		pod := a.Cluster + " " + a.PodUID
		if a.Switch == p.Switch && a.PortName == p.Name {
			here[pod] = true
		} else if l := s.lines[a.Switch+"/"+a.PortName]; l == nil || !l.down {
			elsewhere[pod] = true
		}
	}
	for pod := range here {
		if !elsewhere[pod] {
			alone++
		}
	}
	return len(here), alone
}

// severalPods says how many there are, and how many of them are nowhere else.
func severalPods(pods, alone int) string {
	text := fmt.Sprintf("%d pods", pods)
	if pods == 1 {
		text = "1 pod"
	}
	switch alone {
	case pods:
		return text + ", nowhere else"
	case 0:
		return text + ", elsewhere too"
	}
	return fmt.Sprintf("%s, %d of them nowhere else", text, alone)
}

// downed gives the findings of ports that are down.
func (s *state) downed(now time.Time) (list []inventory.Finding) {
	for _, l := range s.lines {
		if l.finding.Kind != "" {
			list = append(list, l.finding)
		}
		for far, went := range l.cables {
			if !went.IsZero() && now.Sub(went) >= window {
				delete(l.cables, far)
			}
		}
	}
	return list
}
