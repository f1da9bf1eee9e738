package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// listSize is how many digests are in a list: what the controller asks the switches for.
const listSize = 128

// clocks say how the switches' times are set.
type clocks struct {
	Zero    int64    // when the switches started, in microseconds since 1970
	Offsets []uint64 // of each switch, as the controller set it
	Names   []uint64 // of each switch's registers, likewise
}

// device is one simulated switch.
type device struct {
	next       uint32 // slot that was never used; they are used in a scattered order
	generation []uint16
	list       []byte
	count      int
	lists      uint64
}

// talk is a conversation that lives, with the state of its slots.
type talk struct {
	number int
	slots  [6]uint32
	half   [6]half
}

// half is what a slot has counted, besides the key.
type half struct {
	packets, bytes uint32
	first          uint64
}

// generator is all switches.
type generator struct {
	w       *bufio.Writer
	clocks  clocks
	digest  uint32 // the digest's ID
	encode  *encoder
	devices []device
	talks   []talk
	begun   int // conversations that ever began
	sent    int // digests and answers
	payload []byte
}

// generateAll begins as many flows as are asked for, and then lets them go on.
func generateAll(out io.Writer, s settings, text string) error {
	g := &generator{w: bufio.NewWriterSize(out, 1<<18), devices: make([]device, switches)}
	if err := json.Unmarshal([]byte(text), &g.clocks); err != nil {
		return fmt.Errorf("clocks: %w", err)
	}
	info, err := p4src.P4Info()
	if err != nil {
		return err
	}
	program, err := p4rt.NewProgram(info, nil)
	if err != nil {
		return err
	}
	layout, err := program.Digest(p4src.DigestFlow)
	if err != nil {
		return err
	}
	if g.encode, err = newEncoder(layout); err != nil {
		return err
	}
	for _, d := range info.GetDigests() {
		if d.GetPreamble().GetName() == p4src.DigestFlow {
			g.digest = d.GetPreamble().GetId()
		}
	}
	for i := range g.devices {
		g.devices[i].generation = make([]uint16, slots)
	}
	live := 0
	for live < s.flows {
		t := talk{number: g.begun}
		g.begun++
		for i, h := range conversationOf(t.number).hops() {
			d := &g.devices[h.sw]
			if d.next == slots {
				return fmt.Errorf("%s: %d flows do not fit into the caches", switchName(h.sw), s.flows)
			}
			t.slots[i] = d.next * 0x9e35 % slots // odd: a permutation
			d.next++
			live++
		}
		g.talks = append(g.talks, t)
		if err := g.begin(&g.talks[len(g.talks)-1]); err != nil {
			return err
		}
	}
	if err := g.mark(); err != nil {
		return err
	}
	g.sent = 0
	for i := 0; g.sent < s.digests; i++ {
		// A prime steps through all conversations, far from each other.
		if err := g.turn(&g.talks[i*104_729%len(g.talks)]); err != nil {
			return err
		}
	}
	return g.mark()
}

// turn lets one conversation do what it does next.
func (g *generator) turn(t *talk) error {
	switch r := mix(uint64(g.sent)) % 100; {
	case r < 88:
		return g.each(t, flow.CauseActive)
	case r < 92:
		return g.each(t, flow.CauseRead)
	case r < 96: // it falls silent and is read out; another takes its slots
		if err := g.each(t, flow.CauseFreed); err != nil {
			return err
		}
		g.replace(t)
		return g.begin(t)
	}
	if err := g.each(t, flow.CauseTCPEnd); err != nil {
		return err
	}
	return g.evict(t)
}

// replace makes t another conversation that passes the same switches, in the same slots.
func (g *generator) replace(t *talk) {
	old := conversationOf(t.number)
	for {
		c := conversationOf(g.begun)
		if leafOf(c.client) == leafOf(old.client) && leafOf(c.server) == leafOf(old.server) && c.spines == old.spines {
			break
		}
		g.begun++
	}
	t.number = g.begun
	g.begun++
}

func (g *generator) now() uint64 { return uint64(time.Now().UnixMicro() - g.clocks.Zero) }

// begin sends the first packets of a conversation.
func (g *generator) begin(t *talk) error {
	for i, h := range conversationOf(t.number).hops() {
		r := track.Report{Cause: flow.CauseNew, Slot: t.slots[i]}
		if err := g.take(t, i, h, &r); err != nil {
			return err
		}
	}
	return nil
}

// take puts a new flow into its slot; r tells of the one before if there was one.
func (g *generator) take(t *talk, i int, h hop, r *track.Report) error {
	d := &g.devices[h.sw]
	r.Now = g.now()
	d.generation[r.Slot]++
	if r.Cause == flow.CauseNew {
		r.Generation = d.generation[r.Slot]
	}
	r.Epoch = g.epoch(h, r.Now)
	r.New = track.Half{Key: h.key, Counters: flow.Counters{Packets: 1, Bytes: 74}, TCPFlags: flow.SYN, SynSeq: uint32(t.number)}
	t.half[i] = half{packets: 1, bytes: 74, first: r.Now}
	return g.send(h.sw, r)
}

// evict lets another conversation take the slots of t.
func (g *generator) evict(t *talk) error {
	old := *t
	g.replace(t)
	before := conversationOf(old.number).hops()
	for i, h := range conversationOf(t.number).hops() {
		r := g.report(&old, i, before[i], flow.CauseEvict)
		if err := g.take(t, i, h, &r); err != nil {
			return err
		}
	}
	return nil
}

// each sends a report of each slot of a conversation.
func (g *generator) each(t *talk, cause flow.Cause) error {
	packets := uint32(mix(uint64(g.sent))%50) + 1
	for i, h := range conversationOf(t.number).hops() {
		t.half[i].packets += packets
		t.half[i].bytes += packets * 800
		r := g.report(t, i, h, cause)
		if err := g.send(h.sw, &r); err != nil {
			return err
		}
	}
	return nil
}

// report is one of a slot as it stands.
func (g *generator) report(t *talk, i int, h hop, cause flow.Cause) track.Report {
	s, now := &t.half[i], g.now()
	r := track.Report{Cause: cause, Slot: t.slots[i], Incarnation: g.clocks.Names[h.sw], Generation: g.devices[h.sw].generation[t.slots[i]], Now: now, Epoch: g.epoch(h, now)}
	r.Old = track.Half{Key: h.key, Counters: flow.Counters{Packets: uint64(s.packets), Bytes: uint64(s.bytes)},
		First: s.first, Last: max(s.first, now-1<<epochBits), TCPFlags: flow.SYN | flow.ACK, SynSeq: uint32(t.number), SYNs: 1,
		LastSYN: s.first, FirstACK: s.first + 300}
	return r
}

func (g *generator) epoch(h hop, now uint64) uint16 {
	return uint16((g.clocks.Offsets[h.sw] + now + phase(h.key.Tuple)) & (1<<48 - 1) >> epochBits)
}

// send puts a report on its way: at once the answer to a read-out, in a list a digest.
func (g *generator) send(sw int, r *track.Report) error {
	g.sent++
	if r.Cause == flow.CauseRead || r.Cause == flow.CauseFreed {
		// It overtakes the digests of a list that is not full.
		g.payload = answer(g.payload[:0], r)
		return writeMessage(g.w, kindAnswer, sw, g.payload)
	}
	d := &g.devices[sw]
	d.list = g.encode.digest(d.list, r)
	if d.count++; d.count < listSize {
		return nil
	}
	return g.flush(sw)
}

// flush sends the list of a switch.
func (g *generator) flush(sw int) error {
	d := &g.devices[sw]
	if d.count == 0 {
		return nil
	}
	d.lists++
	d.list = protowire.AppendTag(d.list, 1, protowire.VarintType) // DigestList.digest_id
	d.list = protowire.AppendVarint(d.list, uint64(g.digest))
	d.list = protowire.AppendTag(d.list, 2, protowire.VarintType) // DigestList.list_id
	d.list = protowire.AppendVarint(d.list, d.lists)
	err := writeMessage(g.w, kindList, sw, d.list)
	d.list, d.count = d.list[:0], 0
	return err
}

// mark ends a phase: all lists go out before.
func (g *generator) mark() error {
	for sw := range g.devices {
		if err := g.flush(sw); err != nil {
			return err
		}
	}
	if err := writeMessage(g.w, kindMark, 0, nil); err != nil {
		return err
	}
	return g.w.Flush()
}
