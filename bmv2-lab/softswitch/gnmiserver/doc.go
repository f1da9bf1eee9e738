// Package gnmiserver tells a switch's clients by gNMI (specification 0.10) what P4Runtime has no words for: whether
// ports are up. It serves the state of openconfig-interfaces, with the port's P4Runtime number as openconfig-p4rt has
// it, at the port where P4Runtime is served, as Stratum does:
//
//	/interfaces/interface[name]/name
//	  state/name type id ifindex enabled admin-status oper-status last-change
//	  state/counters/in-octets in-pkts in-discards out-octets out-pkts out-discards
//
// Capabilities, Get and Subscribe (ONCE, POLL, STREAM with ON_CHANGE, SAMPLE and TARGET_DEFINED) in PROTO, JSON and
// JSON_IETF, a leaf an update. A change of a port is sent once, with the time when the switch saw it; counters are
// looked at once a second. Set, heartbeats and extensions are UNIMPLEMENTED.
//
// Nothing that a client does blocks the switch: what waits for a subscriber is bounded, and one that does not take it
// is cut off with RESOURCE_EXHAUSTED.
package gnmiserver
