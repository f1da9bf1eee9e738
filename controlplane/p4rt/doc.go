// Package p4rt is a controller's session with one P4 switch over P4Runtime v1 (P4.org API
// Working Group, version 1.4 and later): mastership, the pipeline, tables, counters,
// multicast groups, digests and packet I/O.
//
// It knows P4Info and no program in particular: tables, actions, digests and controller
// headers are named as the program names them, and Program translates.
//
// A Session lives as long as the daemon. It connects, and connects again for ever; between
// two connections its requests fail with ErrNotConnected. What happens meanwhile reaches
// the subscribers, each through a bounded queue of its own, so that a slow one delays and
// loses only its own events and the loss is counted:
//
//	Connected, then any number of Digests and PacketIn, then Disconnected
//
// The four are called by one goroutine per subscriber and never at the same time.
package p4rt
