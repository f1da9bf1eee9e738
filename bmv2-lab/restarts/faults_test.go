package restarts

import (
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// The faults. Each ends with the main daemon as primary again, after a full read-out.

// killed: the daemon ends as with kill -9 and starts again, while traffic goes on.
func (w *world) killed() {
	w.note("the daemon is killed")
	w.main.kill()
	w.traffic()
	w.main.start(w.t)
	w.ready(w.main, 0)
}

// cut: the connection ends and comes back.
func (w *world) cut() {
	before := w.readOuts(w.main)
	w.note("the connection is cut")
	w.main.proxy.cut()
	w.traffic()
	w.ready(w.main, before)
}

// swallowed: the connection gets lost, and nobody is told. RESTARTS_OUTAGE says for how many
// seconds at least.
func (w *world) swallowed() {
	before := w.readOuts(w.main)
	w.note("the network swallows the connection")
	w.main.proxy.swallow()
	since := time.Now()
	w.becomes(w.main, "unreachable")
	w.note("noticed after %s", time.Since(since).Round(100*time.Millisecond))
	w.traffic()
	outage := time.Duration(number(w.t, "RESTARTS_OUTAGE", 0)) * time.Second
	w.within(patience+outage, "the end of the outage", func() error {
		if lasted := time.Since(since); lasted < outage {
			return fmt.Errorf("%s of %s", lasted, outage)
		}
		return nil
	})
	w.main.proxy.restore()
	w.ready(w.main, before)
}

// takenOver: a daemon with a higher election id becomes primary for a while.
func (w *world) takenOver() {
	before := w.readOuts(w.main)
	w.begins(w.other)
	w.traffic()
	w.note("the other daemon ends")
	w.other.kill()
	w.ready(w.main, before)
}

// begins starts the other daemon, and wants both to say who is primary.
func (w *world) begins(d *daemon) {
	w.t.Helper()
	w.note("another daemon becomes primary")
	d.start(w.t)
	w.ready(d, 0)
	s := w.becomes(w.main, "standby")
	if s.Controller != "backup" || s.Primary != 2 {
		w.t.Errorf("the backup says that it is %q and %d is primary, want backup and 2", s.Controller, s.Primary)
	}
	if n := w.main.metric(w.t, "fabricscope_p4rt_backup"); n != 1 {
		w.t.Errorf("fabricscope_p4rt_backup is %v, want 1", n)
	}
	writes := w.main.metric(w.t, "fabricscope_p4rt_updates_total") + w.main.metric(w.t, "fabricscope_p4rt_packet_outs_total")
	w.traffic()
	if n := w.main.metric(w.t, "fabricscope_p4rt_updates_total") + w.main.metric(w.t, "fabricscope_p4rt_packet_outs_total"); n != writes {
		w.t.Errorf("the backup wrote %v updates and packets", n-writes)
	}
}

// switched: the switch is restarted, and has nothing any more.
func (w *world) switched() {
	before, anew := w.readOuts(w.main), w.main.metric(w.t, "fabricscope_track_new_incarnations_total")
	w.restartSwitch(w.main)
	w.ready(w.main, before)
	w.anew(anew + 1)
	w.resume()
}

// switchedMeanwhile: the switch is restarted while another daemon is primary, which gives it its pipeline.
func (w *world) switchedMeanwhile() {
	before, anew := w.readOuts(w.main), w.main.metric(w.t, "fabricscope_track_new_incarnations_total")
	w.begins(w.other)
	others := w.readOuts(w.other)
	w.restartSwitch(w.other)
	w.ready(w.other, others)
	w.becomes(w.main, "standby")
	w.resume()
	w.traffic()
	w.note("the other daemon ends")
	w.other.kill()
	w.ready(w.main, before)
	w.anew(anew + 1)
}

// switchedAndKilled: the switch is restarted while the daemon is not there.
func (w *world) switchedAndKilled() {
	w.note("the daemon is killed")
	w.pause()
	w.through(w.main)
	w.main.kill()
	w.stopSwitch()
	w.target.start(w.t)
	w.main.start(w.t)
	w.ready(w.main, 0)
	w.anew(1)
	w.livesEnded() // nothing was sent since
	w.resume()
}

// restartSwitch ends the switch under load and starts it with nothing in it. Traffic stays off.
func (w *world) restartSwitch(primary *daemon) {
	w.t.Helper()
	w.note("the switch is restarted")
	if _, own := w.target.(*inProcess); !own {
		w.pause() // what is on its way to a process that ends is lost, and nobody knows how much
		w.through(primary)
	}
	w.stopSwitch()
	w.pause()
	w.becomes(w.main, "unreachable")
	w.livesEnded()
	w.target.start(w.t)
}

// livesEnded notes what the main daemon has recorded of all lives of the switch so far, of which
// it will hear no more.
func (w *world) livesEnded() {
	w.t.Helper()
	const publications = "fabricscope_track_publications_total"
	before := w.main.metric(w.t, publications)
	w.eventually("everything to be published", func() error {
		if n := w.main.metric(w.t, publications); n < before+2 {
			return fmt.Errorf("%v publications since", n-before)
		}
		return nil
	})
	w.lives = map[string]check.Count{}
	for what, n := range check.FlowCounts(w.main.flows(w.t)) {
		w.lives[what.Interface] = plus(w.lives[what.Interface], n)
	}
}

// through waits until the switch's ports have counted everything that was sent.
func (w *world) through(d *daemon) {
	w.t.Helper()
	w.eventually("the ports to have what was sent", func() error {
		s, err := d.theSwitch()
		if err != nil {
			return err
		}
		return w.differs(s)
	})
}

// stopSwitch ends a life of the switch.
func (w *world) stopSwitch() {
	w.target.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for port, n := range w.life {
		w.dead += n.Packets
		delete(w.life, port)
	}
	w.restarts++
}

// anew wants the daemon to have noticed that counters began anew, and to tell no more losses
// than there were.
func (w *world) anew(times float64) {
	w.t.Helper()
	if n := w.main.metric(w.t, "fabricscope_track_new_incarnations_total"); n != times {
		w.t.Errorf("counters began anew %v times, want %v", n, times)
	}
	recorded := uint64(0)
	for _, n := range w.lives {
		recorded += n.Packets
	}
	if lost := w.main.metric(w.t, "fabricscope_track_lost_packets_total"); lost < 0 || lost > float64(w.dead-recorded) {
		w.t.Errorf("%v packets are said to be lost, and no more than %d were", lost, w.dead-recorded)
	}
}

// flooded: more new flows than the switch has room for, while digests get lost.
func (w *world) flooded() {
	own, ok := w.target.(*inProcess)
	if !ok {
		return
	}
	w.note("a storm of flows, and digests get lost")
	own.Mu.Lock()
	own.deaf = 1000 + w.random.IntN(2000)
	own.Mu.Unlock()
	w.storm(w.t, 6000)
	own.Mu.Lock()
	own.deaf = 0
	own.Mu.Unlock()
	w.traffic()
}
