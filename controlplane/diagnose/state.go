package diagnose

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// refresh is how often the evidence of a finding that goes on is brought up to date.
const refresh = time.Minute

// state is what a Diagnoser knows. It has one owner.
type state struct {
	cfg      Config
	began    time.Time
	refused  prometheus.Counter
	standing map[inventory.Ref]inventory.Finding // by the fact that is the finding
	switches map[inventory.Ref]outage            // that cannot be reached
	ports    map[portKey]*port
	services map[serviceKey]*service
	members  map[inventory.Ref]inventory.Member
	hops     map[inventory.Ref]*hop
	open     map[string]*opened // by ID
	lines    map[string]*line   // by switch/port
	facts    func() inventory.Lister
	self     func() []inventory.Finding
}

// opened is a finding that was recorded and has not ended.
type opened struct {
	finding inventory.Finding
	told    time.Time
	held    time.Time // when it was last found to hold
}

func newState(cfg Config, now time.Time, refused prometheus.Counter) *state {
	return &state{cfg: cfg, began: now, refused: refused, standing: map[inventory.Ref]inventory.Finding{}, switches: map[inventory.Ref]outage{},
		ports: map[portKey]*port{}, services: map[serviceKey]*service{},
		members: map[inventory.Ref]inventory.Member{}, hops: map[inventory.Ref]*hop{}, open: map[string]*opened{},
		lines: map[string]*line{}}
}

// load takes the state that the store has, with the findings of an earlier run.
func (s *state) load(view inventory.Lister, now time.Time) {
	for e := range view.All(inventory.KindFinding) {
		f := e.Fact.(inventory.Finding)
		s.open[f.ID] = &opened{finding: f, told: now, held: now}
	}
	for _, k := range []inventory.Kind{inventory.KindSwitch, inventory.KindLinkLoss, inventory.KindAttachment, inventory.KindGap, inventory.KindMember,
		inventory.KindLink, inventory.KindPort} {
		for e := range view.All(k) {
			s.update(inventory.Update{Ref: e.Fact.Ref(), Entry: e}, now)
		}
	}
}

// update takes one change.
func (s *state) update(u inventory.Update, now time.Time) {
	switch f := u.Fact.(type) {
	case flow.Conversation:
		before, _ := u.Before.Fact.(flow.Conversation)
		s.conversation(&before, &f, now)
	case inventory.Accounting:
		s.account(u.Ref, f, now)
		s.stand(u.Ref, missing(f, now))
	case inventory.LinkLoss:
		s.stand(u.Ref, lossy(f))
	case inventory.Attachment:
		s.stand(u.Ref, conflict(f, u.Event))
	case inventory.Gap:
		s.stand(u.Ref, gap(f))
	case inventory.Switch:
		s.connection(u.Ref, f, u.Event)
	case inventory.Member:
		s.member(u.Ref, f, true)
	case inventory.Link:
		s.linked(f, true, now)
	case inventory.Port:
		s.port(f, u.Event, now)
	case nil:
		delete(s.standing, u.Ref)
		delete(s.switches, u.Ref)
		delete(s.hops, u.Ref)
		if k, ok := u.Before.Fact.(inventory.Link); ok {
			s.linked(k, false, now)
		}
		if u.Ref.Kind == inventory.KindPort {
			delete(s.lines, u.Ref.ID)
		}
		if m, ok := s.members[u.Ref]; ok {
			s.member(u.Ref, m, false)
		}
		if u.Ref.Kind == inventory.KindService {
			s.serviceGone(serviceKey{u.Ref.Cluster, u.Ref.ID})
		}
	}
}

// stand takes what a fact by itself is as a finding; one without a kind is none.
func (s *state) stand(r inventory.Ref, f inventory.Finding) {
	if f.Kind == "" {
		delete(s.standing, r)
		return
	}
	s.standing[r] = f
}

// finding makes one, with its ID.
func finding(kind, severity string, subject inventory.Subject, since time.Time, evidence uint64, text string) inventory.Finding {
	id := kind + ":" + subject.Kind + ":" + subject.Name
	if subject.Cluster != "" {
		id = kind + ":" + subject.Kind + ":" + subject.Cluster + "/" + subject.Name
	}
	return inventory.Finding{ID: id, Kind: kind, Severity: severity, Subject: subject, Since: since, Evidence: evidence, Text: text}
}

// holding gives all that holds now.
func (s *state) holding(now time.Time) map[string]inventory.Finding {
	all := map[string]inventory.Finding{}
	add := func(list ...inventory.Finding) {
		for _, f := range list {
			all[f.ID] = f
		}
	}
	for _, f := range s.standing {
		add(f)
	}
	add(s.unreachable(now)...)
	add(s.failing(now)...)
	add(s.empty(now)...)
	add(s.erring(now)...)
	add(s.downed(now)...)
	if s.self != nil {
		for _, f := range s.self() {
			add(finding(f.Kind, f.Severity, f.Subject, f.Since, f.Evidence, f.Text))
		}
	}
	return all
}

// look gives the findings that began, changed or ended.
func (s *state) look(now time.Time) []inventory.Change {
	var changes []inventory.Change
	holding := s.holding(now)
	for id, f := range holding {
		o := s.open[id]
		if o == nil {
			o = &opened{finding: f}
			s.open[id] = o
		}
		o.held = now
		f.Since = o.finding.Since
		if now.Sub(o.told) >= refresh {
			o.finding, o.told = f, now
			changes = append(changes, inventory.Became(f, now))
		}
	}
	for id, o := range s.open {
		if _, holds := holding[id]; holds || now.Sub(o.held) < s.cfg.Hold || now.Sub(s.began) < s.cfg.Settle && o.held.Equal(s.began) {
			continue
		}
		delete(s.open, id)
		changes = append(changes, inventory.Ended(o.finding.Ref(), now))
	}
	slices.SortFunc(changes, func(a, b inventory.Change) int { return strings.Compare(a.Ref.ID, b.Ref.ID) })
	return changes
}

// counts are the findings that are open, by kind.
func (s *state) counts() map[string]int {
	n := map[string]int{}
	for _, o := range s.open {
		n[o.finding.Kind]++
	}
	return n
}
