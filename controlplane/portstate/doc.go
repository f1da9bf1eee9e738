// Package portstate asks switches whether their ports are up. P4Runtime has no words for it, so it is asked by gNMI
// (openconfig-interfaces), which Stratum and softswitch serve at the port of their P4Runtime server:
//
//  1. Get of /interfaces/interface[name=*]/state/id (openconfig-p4rt): which interface is which port of the data plane;
//     of ifindex where there is no id, as with older versions of Stratum.
//  2. Subscribe, ON_CHANGE, to oper-status and admin-status of each, by name: not all switches take a wildcard there.
//  3. Get of last-change, where it is served, for states from before the subscription.
//
// A switch without gNMI, as simple_switch_grpc, is asked again now and then: the state of its ports is not known, and
// the sink is told why.
package portstate
