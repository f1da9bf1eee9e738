// Package restarts holds the accounting to its word across failures. Its tests run the daemon as
// processes, with their history on disk, against a switch that serves P4Runtime through a proxy,
// and send frames of many flows all the time. Meanwhile daemons are killed and started again,
// connections are cut or swallowed, another daemon takes over as primary, digests are lost and the
// switch is restarted, in an order and at moments that a seed gives. Afterwards every flow's count
// is compared with what was sent:
//
//	recorded <= sent, for every flow                          nothing is counted twice
//	sum of (sent - recorded) = residue + lost, for every port  what is missing is what is said to be
//
// The switch is a softswitch in the process of the test; RESTARTS_SWITCH names the command of
// another, softswitch or simple_switch_grpc, which is run between veths in a network namespace of
// its own (root): `make restarts`. RESTARTS_SEED and RESTARTS_STEPS choose the run,
// and RESTARTS_OUTAGE for how long a connection is lost.
package restarts
