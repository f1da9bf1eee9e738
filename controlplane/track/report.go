package track

import "github.com/fabricscope/fabricscope/controlplane/flow"

// Report is one message of a switch about one slot, in the switch's own time.
type Report struct {
	Cause      flow.Cause
	Slot       uint32
	Generation uint16 // of Old; of New with CauseNew
	Now        uint64 // microseconds since the switch started, when it reported
	Epoch      uint16 // of Now, the low bits; with digests only
	Old        Half   // the slot as it stands; without meaning with CauseNew
	New        Half   // the flow that took the slot; with CauseNew and CauseEvict only

	Incarnation uint64 // what the switch's registers were named, 0 without a name; with answers to read-outs only
}

// Half is a flow and its counters in one generation of one slot.
type Half struct {
	Key      flow.Key
	Counters flow.Counters
	First    uint64 // microseconds since the switch started
	Last     uint64
	TCPFlags uint8
	SynSeq   uint32
	SYNs     uint8  // packets with SYN, 255 for more
	LastSYN  uint64 // when the last of them came; without meaning without one
	FirstACK uint64 // when the first packet with ACK and neither SYN nor RST came; 0 without one
}
