package lab

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// tunnels are the daemon's defaults. 8472 is the port of the cluster's overlay.
func tunnels() check.Tunnels {
	return check.Tunnels{VXLAN: []uint16{4789, 8472}, Geneve: []uint16{6081}}
}

// settles repeats a comparison for a while: the API's answer and the daemon's are of two
// moments, and pods come and go between them.
func (c *checked) settles(name string, compare func() (string, []string, error)) {
	c.report.Check(name, func() (detail string, differences []string, err error) {
		deadline := time.Now().Add(5 * time.Second)
		for {
			detail, differences, err = compare()
			if (err == nil && len(differences) == 0) || time.Now().After(deadline) || c.pause(200*time.Millisecond) != nil {
				return detail, differences, err
			}
		}
	})
}

// checkNow holds the present of a cluster against kubectl and the topology, over the command line and gNMI.
func (c *checked) checkNow(t *tenant) {
	c.settles(t.name()+": pods and addresses as kubectl has them", func() (string, []string, error) {
		said, want, err := c.pods(t)
		return fmt.Sprintf("%d pods", len(want)), check.Pods(said, want), err
	})
	c.settles(t.name()+": switch and port of each pod as in the topology", func() (string, []string, error) {
		said, want, err := c.pods(t)
		return fmt.Sprintf("%d pods", len(want)), check.Locations(said, want, c.Topology), err
	})
	c.settles(t.name()+": services and members as kubectl has them", func() (string, []string, error) {
		want, err := c.kubectl(t).Members(c.ctx)
		if err != nil {
			return "", nil, err
		}
		said, err := ask[check.ServiceAnswer](c.Lab, "services", "--cluster", t.name())
		return fmt.Sprintf("%d services", len(want)), check.Members(said, want), err
	})
	c.settles(t.name()+": gNMI ONCE of pods, ports and members", func() (string, []string, error) {
		leaves, err := c.gnmi.Once(c.ctx, "/kubernetes")
		if err != nil {
			return "", nil, err
		}
		return c.compareLeaves(t, leaves)
	})
	c.settles(t.name()+": gNMI STREAM since before the first pod", func() (string, []string, error) {
		return c.compareLeaves(t, c.stream.now("/kubernetes"))
	})
}

func (c *checked) pods(t *tenant) (said []check.PodAnswer, want map[string]check.Pod, err error) {
	if want, err = c.kubectl(t).Pods(c.ctx); err == nil {
		said, err = ask[check.PodAnswer](c.Lab, "pods", "--cluster", t.name())
	}
	return said, want, err
}

func (c *checked) compareLeaves(t *tenant, leaves check.Leaves) (string, []string, error) {
	leaves = leaves.Of(t.name())
	pods, err := c.kubectl(t).Pods(c.ctx)
	if err != nil {
		return "", nil, err
	}
	members, err := c.kubectl(t).Members(c.ctx)
	said := leaves.Pods()
	differences := append(check.Pods(said, pods), check.Locations(said, pods, c.Topology)...)
	differences = append(differences, check.SameMembers(leaves.Members(), members)...)
	return fmt.Sprintf("%d leaves, %d pods, %d services", len(leaves), len(pods), len(members)), differences, err
}

// checkClusters holds who the ends of every conversation are said to be against what shows it from outside:
// the addresses of the hosts outside of overlays, and the addresses of pods as the APIs told them all along.
func (c *checked) checkClusters(name string, flows func() ([]check.Flow, error)) {
	c.settles(name, func() (string, []string, error) {
		said, err := flows()
		if err != nil {
			return "", nil, err
		}
		inside, differences := check.Clusters(said, c.Topology, c.stream.pods(),
			map[string]time.Time{c.blue.name(): c.blue.known, c.green.name(): c.green.known})
		detail := ""
		for _, t := range []*tenant{c.blue, c.green} {
			detail += fmt.Sprintf("%d inside of %s, ", inside[t.name()], t.name())
			if inside[t.name()] == 0 {
				differences = append(differences, "no conversation inside of "+t.name())
			}
		}
		return fmt.Sprintf("%s%d in all", detail, len(said)), differences, nil
	})
}

// checkTimeline asks what happened to catalog since before the rolling update.
func (c *checked) checkTimeline() {
	c.settles("the rolling update in the timeline of catalog", func() (string, []string, error) {
		now, err := c.catalog()
		if err != nil {
			return "", nil, err
		}
		said, err := ask[check.Happening](c.Lab, "timeline", "service", "catalog", "--cluster", c.blue.name(), "--since", c.before.at.UTC().Format(time.RFC3339Nano))
		return fmt.Sprintf("%d happenings", len(said)), check.Timeline(said, c.before.pods, now, c.Topology), err
	})
}

// checkPast asks who catalog was before the rolling update.
func (c *checked) checkPast(name string) {
	c.settles(name, func() (string, []string, error) {
		said, err := ask[check.PodAnswer](c.Lab, "pods", "--cluster", c.blue.name(), "--service", "catalog", "--at", c.before.at.UTC().Format(time.RFC3339Nano))
		differences := append(check.Pods(said, c.before.pods), check.Locations(said, c.before.pods, c.Topology)...)
		return fmt.Sprintf("%d pods", len(c.before.pods)), differences, err
	})
}

// checkFlows compares everything that was counted with the capture.
func (c *checked) checkFlows() {
	c.report.Check("every flow at every port as tshark counts it", func() (string, []string, error) {
		captured, err := c.captured(c.ctx)
		if err != nil {
			return "", nil, err
		}
		var flows check.Count
		for n := range maps.Values(captured.Flows) {
			flows = check.Count{Packets: flows.Packets + n.Packets, Bytes: flows.Bytes + n.Bytes}
		}
		detail := fmt.Sprintf("%d flows with %s, of %s captured", len(captured.Flows), flows, captured.Total)
		return detail, check.Flows(c.flows, captured), nil
	})
	c.report.Check("nothing is left unexplained at any port", func() (string, []string, error) {
		switches, err := ask[check.Switch](c.Lab, "switches")
		ports := 0
		for _, s := range switches {
			ports += len(s.Ports)
		}
		return fmt.Sprintf("%d ports", ports), check.Residues(switches), err
	})
	for _, t := range []*tenant{c.blue, c.green} {
		c.report.Check(t.name()+": both legs of translated connections as the kernels have them", func() (string, []string, error) {
			translations, err := c.translations(t)
			if err != nil {
				return "", nil, err
			}
			flows := slices.DeleteFunc(slices.Clone(c.flows), func(f check.Flow) bool { return f.Server.Cluster != t.name() })
			joined, differences := check.Legs(flows, translations)
			if joined == 0 {
				differences = append(differences, "no connection crossed the fabric on both sides of a translation")
			}
			return fmt.Sprintf("%d connections translated, %d over the fabric on both sides", len(translations), joined), differences, nil
		})
	}
	c.report.Check("packets lost on the cable that lost them, and nowhere else", c.compareLosses)
	c.checkRecords("flow records add up to what every hop counted")
	c.report.Check("gNMI ONCE of conversations as the command line shows them", func() (string, []string, error) {
		leaves, err := c.gnmi.Once(c.ctx, "/flows")
		return fmt.Sprintf("%d conversations, %d leaves", len(c.flows), len(leaves)), check.Hops(leaves, c.flows), err
	})
	c.settles("gNMI STREAM of conversations since the kill ends as ONCE reads them", func() (string, []string, error) {
		once, err := c.gnmi.Once(c.ctx, "/flows")
		return fmt.Sprintf("%d leaves", len(once)), check.Same(c.stream.now("/flows"), once), err
	})
}

// checkGap asks about the time in which no daemon ran: it is told as one of which nothing is known, and it is over.
func (c *checked) checkGap() {
	c.settles("the time without a daemon is told as a gap, of both clusters", func() (string, []string, error) {
		var differences []string
		for _, t := range []*tenant{c.blue, c.green} {
			said, err := ask[check.Happening](c.Lab, "timeline", "service", "catalog", "--cluster", t.name(), "--since", "10m")
			if err != nil {
				return "", nil, err
			}
			differences = append(differences, check.Gap(said, t.name(), "the cluster was not watched")...)
		}
		return "2 clusters", differences, nil
	})
}

// checkRestart compares the conversations with what they were before the kill.
func (c *checked) checkRestart() {
	c.settles("conversations after a kill -9 as before", func() (string, []string, error) {
		said, err := ask[check.Flow](c.Lab, "flows")
		return fmt.Sprintf("%d conversations", len(c.flows)), check.SameFlows(said, c.flows), err
	})
	c.checkRecords("flow records after a kill -9 as before")
}

// checkRecords sums up the export of all flow records.
func (c *checked) checkRecords(name string) {
	c.settles(name, func() (string, []string, error) {
		text, err := c.query(c.ctx, "export", "flows")
		if err != nil {
			return "", nil, err
		}
		records, err := check.Records(text)
		return fmt.Sprintf("%d records, %d conversations", len(records), len(c.flows)), check.SameSums(records, c.flows), err
	})
}
