package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

const (
	trafficBefore = 15 * time.Second // of a rolling update
	trafficAfter  = 15 * time.Second
	trafficLossy  = 20 * time.Second // while a cable loses frames

	trafficAfterKill = 3 * time.Second
	settleTime       = 5 * time.Second // without a change; longer than the daemon's idle timeout
)

// checked is a run of the checks.
type checked struct {
	*Lab
	report check.Report
	gnmi   *check.GNMI
	stream *stream
	before moment // the rolling update
	lost   uint64 // frames that the faulty cable lost
	flows  []check.Flow

	knocker *process.Process // asks on a port where nobody listens
	knocked string           // what is to be found of it

	expiredAt map[string]uint64 // by switch: probes whose TTL ended there
}

// moment is what kubectl said at a time.
type moment struct {
	at   time.Time
	pods map[string]check.Pod // those of catalog
}

// check runs the lab without a person: traffic with a rolling update in it, then the checks.
// The error tells of failed ones too.
func (l *Lab) check(ctx context.Context) error {
	l.Config.Capture = true
	if err := l.Start(ctx); err != nil {
		return err
	}
	c := &checked{Lab: l, report: check.Report{Output: l.Config.Progress}}
	steps := []step{
		{"gNMI subscription", c.subscribe},
		{"the shop and its traffic", func() error { return l.startTraffic(l.blue) }},
		{"first answers", func() error { return l.firstAnswers(l.blue) }},
		{"cluster green joins", l.joinGreen},
		{"the shop of green", func() error { return c.startGreen() }},
		{"traffic", func() error { return l.pause(trafficBefore) }},
		{"rolling update of catalog", c.rollingUpdate},
		{"connections to a port where nobody listens", c.knock},
		{"traffic", func() error { return l.pause(trafficAfter) }},
		{fmt.Sprintf("traffic while a cable loses %.0f%% of the frames", 100*lossShare), c.loseFrames},
	}
	for _, s := range steps {
		if err := l.Step(s.name, s.do); err != nil {
			return err
		}
	}
	c.checkLosing()
	c.checkFindings()
	c.checkNow(l.blue)
	c.checkNow(l.green)
	c.checkReader()
	c.stream.noteDelays(&c.report)
	c.checkClusters("no conversation is credited to the wrong cluster", func() ([]check.Flow, error) { return ask[check.Flow](l, "flows") })
	c.checkPast("the pods of catalog before the rolling update")
	c.checkTimeline()
	c.checkPorts()
	c.checkExpiry()
	for _, s := range []step{{"kill -9 of fabricscoped under load, and a new one", c.killUnderLoad}, {"end of all traffic", c.freeze}, {"end of the capture", l.endCapture}} {
		if err := l.Step(s.name, s.do); err != nil {
			return err
		}
	}
	c.checkFlows()
	c.checkClusters("the same when all has ended", func() ([]check.Flow, error) { return c.flows, nil })
	if err := l.Step("kill -9 of fabricscoped, and a new one", c.restart); err != nil {
		return err
	}
	c.checkPast("the same after a kill -9")
	c.checkRestart()
	c.checkGap()
	return c.report.Err()
}

func (l *Lab) pause(d time.Duration) error {
	select {
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	case <-time.After(d):
		return nil
	}
}

// startGreen follows the pods of green from before the first, and starts its shop.
func (c *checked) startGreen() error {
	if err := c.followPods(c.green); err != nil {
		return err
	}
	if err := c.startTraffic(c.green); err != nil {
		return err
	}
	return c.firstAnswers(c.green)
}

// rollingUpdate replaces every pod of catalog, and remembers who they were.
func (c *checked) rollingUpdate() error {
	pods, err := c.catalog()
	if err != nil {
		return err
	}
	c.before = moment{time.Now(), pods}
	client, err := c.blue.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.Config.Timeout)
	defer cancel()
	if err := workload.RollingUpdate(ctx, client, workload.Catalog, "2"); err != nil {
		return err
	}
	now, err := c.catalog()
	if err != nil {
		return err
	}
	for uid, p := range now {
		if _, found := c.before.pods[uid]; found {
			return fmt.Errorf("pod %s is still there", p.Name)
		}
	}
	return nil
}

// catalog are the pods of that service.
func (c *checked) catalog() (map[string]check.Pod, error) {
	all, err := c.kubectl(c.blue).Pods(c.ctx)
	if err != nil {
		return nil, err
	}
	pods := map[string]check.Pod{}
	for uid, p := range all {
		if p.Labels["app"] == workload.Catalog {
			pods[uid] = p
		}
	}
	if len(pods) == 0 {
		return nil, errors.New("kubectl gives no pod of catalog")
	}
	return pods, nil
}

// freeze ends all traffic and waits until everything is accounted for.
func (c *checked) freeze() error {
	for _, t := range []*tenant{c.blue, c.green} {
		client, err := t.Client()
		if err != nil {
			return err
		}
		if err := workload.Quiesce(c.ctx, client); err != nil {
			return err
		}
		t.client.Stop(stopGrace)
	}
	if err := c.unplug(); err != nil {
		return err
	}
	var last check.Count
	changed := time.Now()
	return c.poll("the counters to settle", func() error {
		switches, err := ask[check.Switch](c.Lab, "switches")
		if err != nil {
			return err
		}
		if c.flows, err = ask[check.Flow](c.Lab, "flows"); err != nil {
			return err
		}
		var total check.Count
		for _, n := range check.FlowCounts(c.flows) {
			total = check.Count{Packets: total.Packets + n.Packets, Bytes: total.Bytes + n.Bytes}
		}
		if residues := check.Residues(switches); total != last || len(residues) > 0 {
			last, changed = total, time.Now()
		}
		if time.Since(changed) < settleTime {
			return fmt.Errorf("%s so far", total)
		}
		return nil
	})
}

// restart kills the daemon, and waits for the next one.
func (c *checked) restart() error {
	c.stream.end()
	if err := c.daemon.kill(); err != nil {
		return err
	}
	if err := c.awaitDaemon(); err != nil {
		return err
	}
	return c.awaitFabric()
}

// killUnderLoad restarts the daemon while traffic goes on: what is compared with the capture
// afterwards was counted by two of them.
func (c *checked) killUnderLoad() error {
	seen := c.stream.pods()
	if err := c.restart(); err != nil {
		return err
	}
	if err := c.subscribe(); err != nil {
		return err
	}
	c.stream.recall(seen)
	if err := c.followPods(c.green); err != nil {
		return err
	}
	return c.pause(trafficAfterKill)
}
