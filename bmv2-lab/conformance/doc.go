// Package conformance holds small P4 programs, one construct each, with packets and what has to
// become of them, and runs them against switches: the engine of softswitch in this process,
// softswitch over P4Runtime, and any P4Runtime switch that runs as a process.
//
//	programs/NAME.p4 ──p4c──> NAME.json, NAME.p4info.txtpb
//	programs/NAME.stf ──────> package stf ──> stf.Target ─┬─ the engine
//	                                                      └─ Target ──> Device (P4Runtime and wires)
//
// What the cases expect was confirmed on simple_switch_grpc, which the command
// bmv2-lab/conformance/run does again wherever that program is installed. docs/CONFORMANCE.md
// lists the cases.
package conformance
