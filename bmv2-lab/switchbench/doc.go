// Switchbench measures softswitch on real interfaces against what bounds it and what it
// replaces: a plain forwarder that moves frames between two packet sockets and touches
// nothing, and simple_switch_grpc where it is installed. All forward the same frames between
// the same two veths, in turns, and what is printed are medians and their ratios.
//
//	in0 ── sw0 [ device under test ] sw1 ── out0
//
// It needs root: the veths are in a network namespace that ends with the program.
package main
