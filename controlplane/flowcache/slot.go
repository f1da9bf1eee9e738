package flowcache

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// slotReportSize is the length of slot_report_t (docs/formats/slot-report.md).
const slotReportSize = 137

// Answer decodes the payload of a read-out's answer, which was stamped at now by the switch's
// time in microseconds.
func Answer(b []byte, now uint64) (track.Report, error) {
	if len(b) < slotReportSize {
		return track.Report{}, fmt.Errorf("slot report of %d bytes, want %d", len(b), slotReportSize)
	}
	u48 := func(at int) uint64 {
		return uint64(binary.BigEndian.Uint16(b[at:]))<<32 | uint64(binary.BigEndian.Uint32(b[at+2:]))
	}
	addr := func(at int) netip.Addr { return netip.AddrFrom16([16]byte(b[at : at+16])).Unmap() }
	r := track.Report{Slot: binary.BigEndian.Uint32(b), Generation: binary.BigEndian.Uint16(b[4:]), Cause: flow.Cause(b[6]), Now: now,
		Incarnation: binary.BigEndian.Uint64(b[129:])}
	r.Old = track.Half{
		Key:      flowKey(p4src.KeyMeta(binary.BigEndian.Uint64(b[8:])), addr(16), addr(32), addr(48), addr(64), binary.BigEndian.Uint32(b[80:])),
		Counters: flow.Counters{Packets: binary.BigEndian.Uint64(b[84:]), Bytes: binary.BigEndian.Uint64(b[92:])},
		First:    u48(100), Last: u48(106), TCPFlags: b[7], SynSeq: binary.BigEndian.Uint32(b[112:]),
		SYNs: b[116], LastSYN: u48(117), FirstACK: u48(123),
	}
	return r, nil
}
