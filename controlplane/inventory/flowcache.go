package inventory

import "time"

// FlowCache is how the flow cache of a switch is read: since when it counts, when all of it was
// read, and how well its clock is known.
type FlowCache struct {
	Switch        string        `json:"switch"`
	CountingSince time.Time     `json:"counting-since,omitzero"` // when a controller found its counters at zero and named them
	ReadOuts      uint64        `json:"read-outs"`               // of the whole cache, since the daemon began
	ReadOut       time.Time     `json:"read-out,omitzero"`       // end of the last one
	ReadOutTook   time.Duration `json:"read-out-took,omitempty"`
	ClockZero     time.Time     `json:"clock-zero,omitzero"` // our time when the switch's clock was 0
	ClockError    time.Duration `json:"clock-error"`         // by how much that may be off by now
	ClockMeasured time.Time     `json:"clock-measured,omitzero"`
}

// Ref has the switch's name as its ID.
func (f FlowCache) Ref() Ref { return Ref{Kind: KindFlowCache, ID: f.Switch} }

// Ledger says how far the flow records of a switch go. It is recorded together with them, so
// that a daemon that starts again goes on counting exactly where the records end.
type Ledger struct {
	Switch      string       `json:"switch"`
	Incarnation uint64       `json:"incarnation"` // of the switch's registers; the slots of records are of no other
	FromZero    bool         `json:"from-zero"`   // the records begin where its counters did
	Ports       []LedgerPort `json:"ports,omitempty"`
}

// LedgerPort is the part of one ingress port.
type LedgerPort struct {
	Number  uint32 `json:"number"`
	Total   Bucket `json:"total"`   // that the port had counted when it was last read
	Buckets Bucket `json:"buckets"` // of them in class buckets
	Records Bucket `json:"records"` // in flow records
	Base    Bucket `json:"base"`    // counted before the records begin; modulo 2^64
	Settled bool   `json:"settled"` // Base is known
}

// Ref has the switch's name as its ID.
func (l Ledger) Ref() Ref { return Ref{Kind: KindLedger, ID: l.Switch} }
