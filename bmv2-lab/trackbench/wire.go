package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"net/netip"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// Kinds of what goes through the pipe.
const (
	kindList   = 'L' // a DigestList of P4Runtime
	kindAnswer = 'A' // a timestamp (8 bytes) and a slot report (docs/formats/slot-report.md)
	kindMark   = 'M' // a phase ends
)

// message is one of the pipe: kind (1), switch (1), length (4), payload.
type message struct {
	kind    byte
	sw      int
	payload []byte // valid until the next one is read
}

func writeMessage(w *bufio.Writer, kind byte, sw int, payload []byte) error {
	header := binary.BigEndian.AppendUint32([]byte{kind, byte(sw)}, uint32(len(payload)))
	if _, err := w.Write(header); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func readMessage(r *bufio.Reader, buffer []byte) (message, []byte, error) {
	var header [6]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return message{}, buffer, err
	}
	n := int(binary.BigEndian.Uint32(header[2:]))
	if cap(buffer) < n {
		buffer = make([]byte, n)
	}
	buffer = buffer[:n]
	_, err := io.ReadFull(r, buffer)
	return message{header[0], int(header[1]), buffer}, buffer, err
}

// encoder makes the members of digests, in the order that the program declares.
type encoder struct {
	members []func(r *track.Report, b []byte) []byte
	scratch []byte
}

func newEncoder(layout *p4rt.Layout) (*encoder, error) {
	e := &encoder{}
	known := map[string]func(*track.Report, []byte) []byte{
		"cause":      func(r *track.Report, b []byte) []byte { return number(b, uint64(r.Cause)) },
		"slot":       func(r *track.Report, b []byte) []byte { return number(b, uint64(r.Slot)) },
		"generation": func(r *track.Report, b []byte) []byte { return number(b, uint64(r.Generation)) },
		"now":        func(r *track.Report, b []byte) []byte { return number(b, r.Now) },
		"epoch":      func(r *track.Report, b []byte) []byte { return number(b, uint64(r.Epoch)) },
	}
	halves(known)
	for _, f := range layout.Fields() {
		encode, ok := known[f.Name]
		if !ok {
			return nil, fmt.Errorf("digest %s: member %s is new here", layout.Name, f.Name)
		}
		e.members = append(e.members, encode)
	}
	return e, nil
}

// halves adds the members of both halves.
func halves(known map[string]func(*track.Report, []byte) []byte) {
	for prefix, of := range map[string]func(*track.Report) *track.Half{
		"old_": func(r *track.Report) *track.Half { return &r.Old },
		"new_": func(r *track.Report) *track.Half { return &r.New },
	} {
		put := func(name string, encode func(h *track.Half, b []byte) []byte) {
			known[prefix+name] = func(r *track.Report, b []byte) []byte { return encode(of(r), b) }
		}
		put("keymeta", func(h *track.Half, b []byte) []byte { return number(b, keyMeta(&h.Key)) })
		put("outer_src", func(h *track.Half, b []byte) []byte { return address(b, h.Key.Outer.Src) })
		put("outer_dst", func(h *track.Half, b []byte) []byte { return address(b, h.Key.Outer.Dst) })
		put("src", func(h *track.Half, b []byte) []byte { return address(b, h.Key.Tuple.Src) })
		put("dst", func(h *track.Half, b []byte) []byte { return address(b, h.Key.Tuple.Dst) })
		put("ports", func(h *track.Half, b []byte) []byte {
			return number(b, uint64(h.Key.Tuple.SrcPort)<<16|uint64(h.Key.Tuple.DstPort))
		})
		put("packets", func(h *track.Half, b []byte) []byte { return number(b, h.Counters.Packets) })
		put("bytes", func(h *track.Half, b []byte) []byte { return number(b, h.Counters.Bytes) })
		put("first", func(h *track.Half, b []byte) []byte { return number(b, h.First) })
		put("last", func(h *track.Half, b []byte) []byte { return number(b, h.Last) })
		put("tcp_flags", func(h *track.Half, b []byte) []byte { return number(b, uint64(h.TCPFlags)) })
		put("syn_seq", func(h *track.Half, b []byte) []byte { return number(b, uint64(h.SynSeq)) })
		put("tcp_seq", func(h *track.Half, b []byte) []byte { return number(b, uint64(h.SynSeq)) })
		put("syns", func(h *track.Half, b []byte) []byte { return number(b, uint64(h.SYNs)) })
		put("syn_last", func(h *track.Half, b []byte) []byte { return number(b, h.LastSYN) })
		put("ack_first", func(h *track.Half, b []byte) []byte { return number(b, h.FirstACK) })
	}
}

// digest appends one element of DigestList.data.
func (e *encoder) digest(list []byte, r *track.Report) []byte {
	e.scratch = e.scratch[:0]
	for _, encode := range e.members {
		var v [24]byte
		data := encode(r, v[:0])
		e.scratch = protowire.AppendTag(e.scratch, 1, protowire.BytesType) // P4StructLike.members
		e.scratch = protowire.AppendVarint(e.scratch, uint64(2+len(data)))
		e.scratch = protowire.AppendTag(e.scratch, 1, protowire.BytesType) // P4Data.bitstring
		e.scratch = protowire.AppendBytes(e.scratch, data)
	}
	size := 1 + protowire.SizeBytes(len(e.scratch))
	list = protowire.AppendTag(list, 3, protowire.BytesType) // DigestList.data
	list = protowire.AppendVarint(list, uint64(size))
	list = protowire.AppendTag(list, 5, protowire.BytesType) // P4Data.struct
	return protowire.AppendBytes(list, e.scratch)
}

// number appends an integer as P4Runtime has it: no leading zero bytes, at least one byte.
func number(b []byte, v uint64) []byte {
	var full [8]byte
	binary.BigEndian.PutUint64(full[:], v)
	return append(b, full[min(bits.LeadingZeros64(v)/8, 7):]...)
}

func address(b []byte, a netip.Addr) []byte {
	full := a.As16() // an IPv4 address is mapped
	i := 0
	for i < 15 && full[i] == 0 {
		i++
	}
	return append(b, full[i:]...)
}

func keyMeta(k *flow.Key) uint64 {
	return uint64(k.IngressPort)<<52 | uint64(k.Outer.Kind)<<48 | uint64(k.Outer.VNI)<<16 | uint64(k.Tuple.Protocol)
}

// answer gives the payload of a read-out's packet-in, behind its timestamp.
func answer(b []byte, r *track.Report) []byte {
	k := &r.Old.Key
	u48 := func(v uint64) { b = append(b, byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v)) }
	b = binary.BigEndian.AppendUint64(b, r.Now)
	b = binary.BigEndian.AppendUint32(b, r.Slot)
	b = binary.BigEndian.AppendUint16(b, r.Generation)
	b = append(b, byte(r.Cause), r.Old.TCPFlags)
	b = binary.BigEndian.AppendUint64(b, keyMeta(k))
	for _, a := range []netip.Addr{k.Outer.Src, k.Outer.Dst, k.Tuple.Src, k.Tuple.Dst} {
		full := a.As16()
		b = append(b, full[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, k.Tuple.SrcPort)
	b = binary.BigEndian.AppendUint16(b, k.Tuple.DstPort)
	b = binary.BigEndian.AppendUint64(b, r.Old.Counters.Packets)
	b = binary.BigEndian.AppendUint64(b, r.Old.Counters.Bytes)
	u48(r.Old.First)
	u48(r.Old.Last)
	b = binary.BigEndian.AppendUint32(b, r.Old.SynSeq)
	b = append(b, r.Old.SYNs)
	u48(r.Old.LastSYN)
	u48(r.Old.FirstACK)
	return binary.BigEndian.AppendUint64(b, r.Incarnation)
}

const epochBits = p4src.EpochBits
