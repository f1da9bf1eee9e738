// Trackbench measures the controller's ingest on one processor: digests as they come from the
// wire, through the decoder, the tracker and the correlator, with a million live flows of a
// fabric whose pods and services are known.
//
//	switches (another process) ─pipe─> decode ─> track ─> correlate ─> nobody
//
// The switches are simulated, on a processor of their own: what they say is what the P4 program
// says, byte by byte, of flows that begin, go on, end, are evicted and are read out. What is
// printed stands beside what it should be. Time is that of the ingesting process, so that others
// on the machine count for less; but what is done every second, publishing above all, weighs more
// the longer a busy machine takes. Measure where two processors are free.
package main
