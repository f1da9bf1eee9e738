package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// compareFrames compares by port and in each port's order; "" says that there is no difference.
func compareFrames(soft, bmv2 []rig.Frame) string {
	a, b := byPort(soft), byPort(bmv2)
	for p := range b {
		if _, ok := a[p]; !ok {
			a[p] = nil
		}
	}
	var out []string
	for _, p := range slices.SortedFunc(maps.Keys(a), cmp.Compare[uint32]) {
		if !slices.EqualFunc(a[p], b[p], bytes.Equal) {
			out = append(out, fmt.Sprintf("port %d:\n  softswitch          %s\n  simple_switch_grpc  %s", p, framesText(a[p]), framesText(b[p])))
		}
	}
	return strings.Join(out, "\n")
}

func byPort(frames []rig.Frame) map[uint32][][]byte {
	out := map[uint32][][]byte{}
	for _, f := range frames {
		out[f.Port] = append(out[f.Port], f.Data)
	}
	return out
}

func framesText(frames [][]byte) string {
	if len(frames) == 0 {
		return "nothing"
	}
	var out []string
	for _, f := range frames {
		out = append(out, fmt.Sprintf("%x", f))
	}
	return strings.Join(out, "\n                      ")
}

// eventPatience is how long digests and packet-ins may differ before they count as different:
// they come by timers.
const eventPatience = time.Second

// after compares what is left when all packets are through.
func (x *pair) after(ctx context.Context) (*difference, error) {
	if d, err := x.compareEvents(ctx); d != nil || err != nil {
		return d, err
	}
	return x.compareCounters(ctx)
}

// compareEvents compares packet-ins in their order, and which digests there were: BMv2 does not
// repeat a digest that it has just sent.
func (x *pair) compareEvents(ctx context.Context) (*difference, error) {
	info := x.prog.config.GetP4Info()
	if len(info.GetDigests()) == 0 && len(info.GetControllerPacketMetadata()) == 0 {
		return nil, nil
	}
	var seen [2]events
	for deadline := time.Now().Add(eventPatience); ; time.Sleep(2 * time.Millisecond) {
		for i, r := range x.both() {
			list, err := r.Events(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.Model.Name, err)
			}
			seen[i].add(list)
		}
		text := seen[0].difference(&seen[1])
		switch {
		case text == "":
			return nil, nil
		case time.Now().After(deadline):
			return &difference{-1, "events", text}, nil
		}
	}
}

// events are what a switch has sent to the controller, as text.
type events struct {
	packets []string
	digests map[string]bool
}

func (e *events) add(list []*p4.StreamMessageResponse) {
	if e.digests == nil {
		e.digests = map[string]bool{}
	}
	for _, m := range list {
		switch {
		case m.GetPacket() != nil:
			slices.SortFunc(m.GetPacket().Metadata, func(a, b *p4.PacketMetadata) int { return cmp.Compare(a.GetMetadataId(), b.GetMetadataId()) })
			e.packets = append(e.packets, prototext.MarshalOptions{}.Format(m.GetPacket()))
		case m.GetDigest() != nil:
			for _, d := range m.GetDigest().GetData() {
				e.digests[fmt.Sprintf("%d %s", m.GetDigest().GetDigestId(), digestText(d))] = true
			}
		}
	}
}

// digestText is the values alone: the messages' text varies from run to run.
func digestText(d *p4.P4Data) string {
	if s := d.GetStruct(); s != nil {
		var out []string
		for _, m := range s.GetMembers() {
			out = append(out, digestText(m))
		}
		return "{" + strings.Join(out, " ") + "}"
	}
	return fmt.Sprintf("%x", d.GetBitstring())
}

func (e *events) difference(bmv2 *events) string {
	if !slices.Equal(e.packets, bmv2.packets) {
		return fmt.Sprintf("packet-ins:\n  softswitch          %q\n  simple_switch_grpc  %q", e.packets, bmv2.packets)
	}
	var out []string
	for _, d := range slices.Sorted(maps.Keys(e.digests)) {
		if !bmv2.digests[d] {
			out = append(out, "  softswitch alone          "+d)
		}
	}
	for _, d := range slices.Sorted(maps.Keys(bmv2.digests)) {
		if !e.digests[d] {
			out = append(out, "  simple_switch_grpc alone  "+d)
		}
	}
	if out == nil {
		return ""
	}
	return "digests:\n" + strings.Join(out, "\n")
}

// compareCounters compares all counters, direct ones too.
func (x *pair) compareCounters(ctx context.Context) (*difference, error) {
	var patterns []*p4.Entity
	for _, c := range x.prog.config.GetP4Info().GetCounters() {
		patterns = append(patterns, &p4.Entity{Entity: &p4.Entity_CounterEntry{CounterEntry: &p4.CounterEntry{CounterId: c.GetPreamble().GetId()}}})
	}
	for _, c := range x.prog.config.GetP4Info().GetDirectCounters() {
		patterns = append(patterns, &p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{
			TableEntry: &p4.TableEntry{TableId: c.GetDirectTableId()}}}})
	}
	for _, pattern := range patterns {
		var cells [2]map[string]string
		for i, r := range x.both() {
			found, err := r.Read(ctx, pattern)
			if err != nil {
				return nil, fmt.Errorf("%s: counters: %w", r.Model.Name, err)
			}
			cells[i] = counterCells(found)
		}
		for k, v := range cells[0] {
			if w, ok := cells[1][k]; ok && v != w {
				return &difference{-1, "counters", fmt.Sprintf("counter %s:\n  softswitch          %s\n  simple_switch_grpc  %s", k, v, w)}, nil
			}
		}
		if len(cells[0]) != len(cells[1]) {
			return &difference{-1, "counters", fmt.Sprintf("%s: softswitch has %d cells, simple_switch_grpc %d", pattern, len(cells[0]), len(cells[1]))}, nil
		}
	}
	return nil, nil
}

// counterCells leads from a cell, or an entry's match, to its counts.
func counterCells(found []*p4.Entity) map[string]string {
	out := map[string]string{}
	for _, e := range found {
		if c := e.GetCounterEntry(); c != nil {
			out[fmt.Sprintf("%d[%d]", c.GetCounterId(), c.GetIndex().GetIndex())] = countsText(c.GetData())
		}
		if c := e.GetDirectCounterEntry(); c != nil && len(c.GetTableEntry().GetMatch()) > 0 {
			out[matchText(c.GetTableEntry())] = countsText(c.GetData())
		}
	}
	return out
}

func countsText(d *p4.CounterData) string {
	return fmt.Sprintf("%d packets %d bytes", d.GetPacketCount(), d.GetByteCount())
}

// matchText names an entry: the same for both switches, whatever the order of the fields.
func matchText(e *p4.TableEntry) string {
	var parts []string
	for _, m := range e.GetMatch() {
		var v string
		switch {
		case m.GetExact() != nil:
			v = fmt.Sprintf("%x", m.GetExact().GetValue())
		case m.GetLpm() != nil:
			v = fmt.Sprintf("%x/%d", m.GetLpm().GetValue(), m.GetLpm().GetPrefixLen())
		case m.GetTernary() != nil:
			v = fmt.Sprintf("%x&%x", m.GetTernary().GetValue(), m.GetTernary().GetMask())
		case m.GetRange() != nil:
			v = fmt.Sprintf("%x-%x", m.GetRange().GetLow(), m.GetRange().GetHigh())
		case m.GetOptional() != nil:
			v = fmt.Sprintf("%x", m.GetOptional().GetValue())
		}
		parts = append(parts, fmt.Sprintf("%d:%s", m.GetFieldId(), v))
	}
	slices.Sort(parts)
	return fmt.Sprintf("of table %d, entry %s priority %d", e.GetTableId(), strings.Join(parts, " "), e.GetPriority())
}
