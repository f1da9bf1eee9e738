package ports

import (
	"sync/atomic"
	"time"
)

// Stats are the counts of one port since the start. A frame is counted in one place: what was
// received was handed to the pipeline, what was sent was taken by the kernel, and what was
// neither is among the drops of its direction.
type Stats struct {
	Number    uint32 `json:"port"`
	Interface string `json:"interface"`
	// Up says that frames can pass: the interface is up, and the port is not shut.
	Up   bool `json:"up"`
	Shut bool `json:"shut"`
	// AdminUp says that frames are to pass: the interface is set up, whether or not it has a
	// carrier, and the port is not shut.
	AdminUp bool `json:"admin_up"`
	// Present says that the interface exists; Index is its number in the kernel, 0 without one.
	Present bool `json:"present"`
	Index   int  `json:"ifindex"`
	// Since is when the port became as these say.
	Since time.Time `json:"since"`

	RxFrames uint64 `json:"rx_frames"`
	RxBytes  uint64 `json:"rx_bytes"`
	TxFrames uint64 `json:"tx_frames"`
	TxBytes  uint64 `json:"tx_bytes"`

	// RxQueueFull frames did not fit the kernel's queue before the switch, or that of Inject.
	RxQueueFull uint64 `json:"rx_queue_full"`
	// RxOversize frames were longer than MaxFrame.
	RxOversize uint64 `json:"rx_oversize"`
	// RxLinkDown frames arrived while the port was shut.
	RxLinkDown uint64 `json:"rx_link_down"`

	// TxQueueFull frames found no room in the kernel.
	TxQueueFull uint64 `json:"tx_queue_full"`
	// TxLinkDown frames were sent while the port was shut, or its interface down or gone.
	TxLinkDown uint64 `json:"tx_link_down"`
	// TxRefused frames were empty, longer than the MTU, or refused for another reason.
	TxRefused uint64 `json:"tx_refused"`
	// Lost frames were so on purpose. DelayFull frames found the delay line full.
	Lost      uint64 `json:"impaired_lost"`
	DelayFull uint64 `json:"delay_full"`

	// Duplicated, Reordered and Delayed frames were so on purpose, and were sent.
	Duplicated uint64 `json:"impaired_duplicated"`
	Reordered  uint64 `json:"impaired_reordered"`
	Delayed    uint64 `json:"impaired_delayed"`

	Impairment Impairment `json:"impairment"`
}

// Dropped is the number of frames that were dropped at the port, for all causes.
func (s Stats) Dropped() uint64 {
	return s.RxQueueFull + s.RxOversize + s.RxLinkDown + s.TxQueueFull + s.TxLinkDown + s.TxRefused + s.Lost + s.DelayFull
}

// counts are the live counters behind Stats. The owner writes, anyone reads.
type counts struct {
	rxFrames, rxBytes, txFrames, txBytes     atomic.Uint64
	rxQueueFull, rxOversize, rxLinkDown      atomic.Uint64
	txQueueFull, txLinkDown, txRefused, lost atomic.Uint64
	duplicated, reordered, delayed           atomic.Uint64
	delayFull                                atomic.Uint64
}

func (c *counts) snapshot() Stats {
	return Stats{
		RxFrames: c.rxFrames.Load(), RxBytes: c.rxBytes.Load(),
		TxFrames: c.txFrames.Load(), TxBytes: c.txBytes.Load(),
		RxQueueFull: c.rxQueueFull.Load(), RxOversize: c.rxOversize.Load(), RxLinkDown: c.rxLinkDown.Load(),
		TxQueueFull: c.txQueueFull.Load(), TxLinkDown: c.txLinkDown.Load(), TxRefused: c.txRefused.Load(),
		Lost: c.lost.Load(), DelayFull: c.delayFull.Load(),
		Duplicated: c.duplicated.Load(), Reordered: c.reordered.Load(), Delayed: c.delayed.Load(),
	}
}
