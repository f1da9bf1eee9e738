package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// Flows compares what Fabricscope says of every flow at every port with what was captured.
// Nothing may be missing, nothing extra, and all counters equal.
func Flows(said []Flow, captured *Captured) []string {
	return differ(countLines(FlowCounts(said)), countLines(captured.Flows))
}

func countLines(counts map[Frame]Count) map[string]string {
	lines := map[string]string{}
	for f, n := range counts {
		lines[f.String()] = fmt.Sprintf("%s: %s", f, n)
	}
	return lines
}

// String gives packets and bytes.
func (c Count) String() string { return fmt.Sprintf("%d packets %d bytes", c.Packets, c.Bytes) }

// FlowCounts is what conversations count at each port in each direction.
func FlowCounts(flows []Flow) map[Frame]Count {
	counts := map[Frame]Count{}
	for _, f := range flows {
		for _, d := range []Direction{f.Forward, f.Reverse} {
			for _, h := range d.Hops {
				frame := d.Tuple.frame()
				frame.Interface, frame.Outer = h.Port, h.outer()
				counts[frame] = counts[frame].plus(Count{h.Packets, h.Bytes})
			}
		}
	}
	return counts
}

// AddFlow adds what a conversation counts at each port in each direction.
func (c *Captured) AddFlow(f Flow) {
	for frame, n := range FlowCounts([]Flow{f}) {
		c.Flows[frame] = c.Flows[frame].plus(n)
	}
}

// FlowTotal is what all flows count together.
func (c *Captured) FlowTotal() (sum Count) {
	for _, n := range c.Flows {
		sum = sum.plus(n)
	}
	return sum
}

func (h Hop) outer() Outer {
	return Outer{Kind: h.Outer.Kind, ID: cmp.Or(h.Outer.VNI, h.Outer.GREKey), Src: h.Outer.Src, Dst: h.Outer.Dst}
}

func (t Tuple) frame() Frame {
	f := Frame{Protocol: t.Protocol, Src: t.Src, Dst: t.Dst, SrcPort: t.SrcPort, DstPort: t.DstPort}
	if t.ICMPType != nil {
		f.SrcPort, f.DstPort = *t.ICMPType<<8|t.ICMPCode, t.ICMPID
	}
	return f
}

// Residues names the ports where the accounting leaves something unexplained.
func Residues(switches []Switch) (differences []string) {
	for _, s := range switches {
		for _, p := range s.Ports {
			if a := p.Accounting; a.ResiduePackets != 0 || a.ResidueBytes != 0 {
				differences = append(differences, fmt.Sprintf("%s: %d packets and %d bytes are unexplained", p.Name, a.ResiduePackets, a.ResidueBytes))
			}
		}
	}
	return differences
}

// Pods compares pods with what kubectl says.
func Pods(said []PodAnswer, kubectl map[string]Pod) []string {
	got, want := map[string]string{}, map[string]string{}
	for _, p := range said {
		got[p.UID] = fmt.Sprintf("pod %s/%s at %s on %s, ready %t", p.Namespace, p.Name, strings.Join(p.IPs, ","), p.Node, p.Ready)
	}
	for _, p := range kubectl {
		want[p.UID] = fmt.Sprintf("pod %s/%s at %s on %s, ready %t", p.Namespace, p.Name, p.IP, p.Node, p.Ready)
	}
	return differ(got, want)
}

// Locations compares where pods sit with where the topology has their nodes.
func Locations(said []PodAnswer, kubectl map[string]Pod, t *topology.Topology) []string {
	ports := map[string]topology.Port{}
	for _, h := range t.Hosts {
		ports[h.Name] = h.Port
	}
	got, want := map[string]string{}, map[string]string{}
	for _, p := range said {
		var at []string
		for _, a := range p.Attachments {
			at = append(at, a.Switch+" "+a.Port)
		}
		got[p.UID] = fmt.Sprintf("pod %s at %s", p.Name, strings.Join(at, " and "))
	}
	for _, p := range kubectl {
		at := ports[p.Node]
		want[p.UID] = fmt.Sprintf("pod %s at %s %s", p.Name, at.Switch, at.Interface())
	}
	return differ(got, want)
}

// Members compares the addresses behind services with what kubectl says.
func Members(said []ServiceAnswer, kubectl map[string][]string) []string {
	got := map[string][]string{}
	for _, s := range said {
		var addresses []string
		for _, m := range s.Members {
			addresses = append(addresses, m.Address)
		}
		slices.Sort(addresses)
		got[s.Namespace+"/"+s.Name] = addresses
	}
	return SameMembers(got, kubectl)
}

// SameMembers compares the addresses behind services, by namespace/name.
func SameMembers(got, want map[string][]string) []string {
	return differ(memberLines(got), memberLines(want))
}

func memberLines(members map[string][]string) map[string]string {
	lines := map[string]string{}
	for name, addresses := range members {
		lines[name] = "service " + name + ": " + strings.Join(addresses, " ")
	}
	return lines
}

// SameFlows compares two answers about the same conversations, counter by counter.
func SameFlows(got, want []Flow) []string {
	return differ(countLines(FlowCounts(got)), countLines(FlowCounts(want)))
}

// differ compares things by their key, with a text each.
func differ(got, want map[string]string) (differences []string) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch text, found := got[key]; {
		case !found:
			differences = append(differences, "missing: "+want[key])
		case text != want[key]:
			differences = append(differences, fmt.Sprintf("%s, want %s", text, want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, found := want[key]; !found {
			differences = append(differences, "extra: "+got[key])
		}
	}
	return differences
}

// Losses is how many packets conversations are said to have lost, by the ports between which
// they were lost, over how many segments; open are those whose loss is not final.
func Losses(flows []Flow) (lost map[string]uint64, segments int, open []string) {
	lost = map[string]uint64{}
	for _, f := range flows {
		for _, s := range slices.Concat(f.Forward.Segments, f.Reverse.Segments) {
			segments++
			where := strings.Join(s.Out, "|") + ">" + strings.Join(s.In, "|")
			if len(s.In) == 0 {
				where = s.Switch + ">"
			}
			if s.Lost > s.Uncertainty {
				lost[where] += s.Lost
			}
			if !s.Final {
				open = append(open, fmt.Sprintf("conversation %s: the loss at %s is not final", f.ID, where))
			}
		}
	}
	return lost, segments, open
}
