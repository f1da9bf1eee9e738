// Package rig runs P4Runtime switches as processes and plays both of their sides: the wires and
// the controller.
//
//	frames ──> w<port> ══ veth ══ s<port> [ switch process ] <── P4Runtime ── client
//
// A Rig sends one frame at a time and then waits until the switch is at rest, so that what a
// frame causes is known to be complete without a time to wait for it. Rest is observed and not
// assumed: no thread of the process runs or is ready to run, none has run between two looks, and
// the kernel has no frame in its backlog (see process.AtRest).
//
// The veths are in the network namespace of the caller: Enter makes one that ends with the
// program. It needs root.
package rig
