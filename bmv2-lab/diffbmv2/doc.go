// Diffbmv2 looks for programs, entries and packets that softswitch treats otherwise than
// simple_switch_grpc does. Both run as processes between veths in a network namespace of its own;
// both get the same program, the same random entries over P4Runtime and the same random packets,
// one at a time.
//
//	PROGRAM ──> neutral ──┬─> generator: entries, packets ──> trial ──┬─> softswitch
//	                      └───────────────────────────────────────────┴─> simple_switch_grpc
//	                                                                  └─> difference? ──> minimise ──> traces
//
// Compared are the frames that leave, by port and in their order, packet-ins, digests, counters, and
// whether an entry is accepted. What depends on the clock or on chance, or is undefined on BMv2, is
// taken out of the program before (see neutral). Packets follow the program's parser: a walk over
// its states extracts headers whose fields have values that the entries match or the program
// compares with, and writes the bits that lead to a transition; a quarter is then cut off or damaged.
//
// Exit status: 0 no difference, 1 a difference, 2 it cannot be tried, such as without
// simple_switch_grpc on PATH. It needs root.
package main
