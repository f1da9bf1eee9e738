// Package engine runs a P4 program that p4c compiled for BMv2 (JSON format 2.24, v1model).
//
// Compile turns a decoded program into closures over a flat array of 64-bit words, once;
// New makes a running instance of it, a Switch, which holds table entries, counters,
// registers and replication state; Process takes one frame through parser, ingress, packet
// replication, egress and deparser, as simple_switch does. A Batch does so for several.
//
// The package is pure: no I/O, no goroutine, no clock. Time is an argument, in microseconds.
//
// Concurrency: Process is called by one goroutine at a time. Every control method (tables,
// action profiles, value sets, counters, meters, registers, multicast groups, clone sessions)
// may be called by any goroutine at any time. Lookups in tables, groups and value sets read
// immutable snapshots, so their writes never block a packet; reads and writes of counters,
// meters and registers wait for the packet or batch in progress and see whole packets only.
//
// Values cross the interface as big-endian byte strings. On the way in, any length is
// accepted as long as the value fits the field's width in bits; on the way out they are in
// the canonical form of P4Runtime (specification 1.4, section 8.4: shortest, at least one
// byte).
package engine
