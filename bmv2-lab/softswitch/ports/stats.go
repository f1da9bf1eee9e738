package ports

import "sync/atomic"

// Stats are the counts of one port since the start. Frames are counted once in one place:
// what was received was handed to the pipeline.
type Stats struct {
	Number    uint32 `json:"port"`
	Interface string `json:"interface"`
	Up        bool   `json:"up"`

	RxFrames uint64 `json:"rx_frames"`
	RxBytes  uint64 `json:"rx_bytes"`
	TxFrames uint64 `json:"tx_frames"`
	TxBytes  uint64 `json:"tx_bytes"`

	// RxDropped frames did not fit the kernel's queue before the switch, or that of Inject.
	RxDropped uint64 `json:"rx_dropped"`
	// RxOversize frames were longer than MaxFrame.
	RxOversize uint64 `json:"rx_oversize"`
	// TxDropped frames were refused by the kernel: link down, longer than the MTU, no room.
	TxDropped uint64 `json:"tx_dropped"`

	// Lost, Duplicated, Reordered and Delayed frames were so on purpose.
	Lost       uint64 `json:"impaired_lost"`
	Duplicated uint64 `json:"impaired_duplicated"`
	Reordered  uint64 `json:"impaired_reordered"`
	Delayed    uint64 `json:"impaired_delayed"`
	// DelayDropped frames found the delay line full.
	DelayDropped uint64 `json:"delay_dropped"`

	Impairment Impairment `json:"impairment"`
}

// counts are the live counters behind Stats. The owner writes, anyone reads.
type counts struct {
	rxFrames, rxBytes, txFrames, txBytes           atomic.Uint64
	rxDropped, rxOversize, txDropped               atomic.Uint64
	lost, duplicated, reordered, delayed, overflow atomic.Uint64
}

func (c *counts) snapshot() Stats {
	return Stats{
		RxFrames: c.rxFrames.Load(), RxBytes: c.rxBytes.Load(),
		TxFrames: c.txFrames.Load(), TxBytes: c.txBytes.Load(),
		RxDropped: c.rxDropped.Load(), RxOversize: c.rxOversize.Load(), TxDropped: c.txDropped.Load(),
		Lost: c.lost.Load(), Duplicated: c.duplicated.Load(), Reordered: c.reordered.Load(),
		Delayed: c.delayed.Load(), DelayDropped: c.overflow.Load(),
	}
}
