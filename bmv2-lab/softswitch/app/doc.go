// Package app puts softswitch together: ports, the engine and the P4Runtime server, with one
// goroutine, the worker, that runs all packets.
//
//	interfaces ──> ports.Set ──> worker: engine.Switch ──> ports.Set ──> interfaces
//	                  ^             │ digests, packet-ins
//	      packet-outs │             v
//	               p4rtserver.Server <──> controllers
//
// New and Run are the switch as a library: its ports may be in memory (a port without an
// interface), so that a test or a demonstration runs a whole fabric in one process without
// privileges. Main is the program softswitch, which takes simple_switch_grpc's command line.
package app
