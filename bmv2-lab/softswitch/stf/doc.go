// Package stf runs tests in p4c's Simple Test Framework language (STF) against a P4 program:
// table entries and packets go in, and the packets that come out are compared with those that
// the file expects. docs/formats/stf.md describes the language.
//
//	TEST.stf ──> Parse ──> Script ──> run ──> Target (a switch)
//	                                   │         │ frames
//	                    expectations   v         v
//	                                  check ──> Result ──> report
//
// Parse knows the syntax only. A run ties a script to a program by its names and drives a
// Target: the engine in this process, or any other switch that implements the interface. The
// rules of comparison are those of p4c's runner for BMv2 (backends/bmv2/bmv2stf.py), and where
// that runner only passes a statement by, as it does with check_counter, it is carried out.
package stf
