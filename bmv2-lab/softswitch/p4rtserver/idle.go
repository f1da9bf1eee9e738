package p4rtserver

import (
	"context"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// idleScan is how often entries are looked at; shorter idle timeouts become this long.
const idleScan = 100 * time.Millisecond

// idleWatch finds entries that were not hit for their idle timeout (P4Runtime specification,
// section 16.4). After a notification an entry's timer begins anew.
type idleWatch struct {
	pipeline *pipeline
	notified map[string]uint64 // by table id and matchKey: when, in the switch's µs
}

// watchIdle scans until ctx ends.
func (s *Server) watchIdle(ctx context.Context) {
	w := &idleWatch{}
	ticker := time.NewTicker(idleScan)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, n := range s.scanIdle(w) {
			s.arbiter.broadcast(&p4.StreamMessageResponse{Update: &p4.StreamMessageResponse_IdleTimeoutNotification{IdleTimeoutNotification: n}},
				func(c *roleConfig) bool { return c.owns(n.GetTableEntry()[0].GetTableId()) })
		}
	}
}

// scanIdle makes one notification for each table that has entries to report.
func (s *Server) scanIdle(w *idleWatch) []*p4.IdleTimeoutNotification {
	s.state.RLock()
	defer s.state.RUnlock()
	p := s.running.Load()
	if p == nil {
		return nil
	}
	if p != w.pipeline {
		w.pipeline, w.notified = p, map[string]uint64{}
	}
	now, seen := s.deps.Dataplane.Micros(), make(map[string]uint64, len(w.notified))
	var out []*p4.IdleTimeoutNotification
	for _, id := range p.schema.tableOrder {
		t := p.schema.tables[id]
		if !t.idle || len(p.extras[id]) == 0 {
			continue
		}
		n := &p4.IdleTimeoutNotification{Timestamp: time.Now().UnixNano()}
		for e := range t.engine.Entries() {
			if w.idle(t, e, now, seen) {
				n.TableEntry = append(n.TableEntry, p.idleOut(t, e))
			}
		}
		if len(n.TableEntry) > 0 {
			out = append(out, n)
		}
	}
	w.notified = seen
	return out
}

// idle says whether an entry is to be reported, and keeps in seen when it last was.
func (w *idleWatch) idle(t *table, e engine.Entry, now uint64, seen map[string]uint64) bool {
	key := t.matchKey(e.Match, e.Priority)
	timeout := w.pipeline.extras[t.id][key].idleTimeout
	if timeout == 0 {
		return false
	}
	key = t.engine.Name() + "\x00" + key
	since, reported := w.notified[key]
	if reported && since > e.LastHit {
		seen[key] = since
	} else {
		since = e.LastHit
	}
	if int64(now-min(since, now))*int64(time.Microsecond) < timeout {
		return false
	}
	seen[key] = now
	return true
}

// idleOut is an entry as a notification shows it: its key and what the client keeps there.
func (p *pipeline) idleOut(t *table, e engine.Entry) *p4.TableEntry {
	out := p.entryOut(t, 0, &p4.TableEntry{}, e)
	out.Action = nil
	return out
}
