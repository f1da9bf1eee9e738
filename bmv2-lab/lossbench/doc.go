// Package lossbench holds the localisation of losses against what was lost: leaves and spines
// that run the compiled P4 program, cables between them that lose, double and delay packets, and
// the tracker and correlator of the daemon, all in one process and in time that is made up.
//
//	packets ─> engine ═cable═> engine ═cable═> engine
//	             │ digests, answers (as late as the network has them)
//	             └─> track ─> correlate ─> which cable, and when
//
// Every switch has a clock of its own that is minutes off, and the way to the controller takes
// longer in one direction than in the other, as it is in networks.
//
// The same fabric holds who the packets of each network plugin are said to be of against who sent them.
package lossbench
