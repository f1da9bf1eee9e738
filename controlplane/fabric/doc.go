// Package fabric makes the switches a leaf-spine fabric that routes IPv4: it finds the links
// between switches (LLDP, IEEE 802.1AB), learns the hosts behind their ports (ARP, RFC 826),
// computes shortest paths with ECMP and keeps the switches' tables equal to that. Ports,
// links and endpoints go to a Sink as facts.
//
// All state has one owner, the loop that Run starts: what comes from the switches reaches it
// through one channel, and what goes to their tables through one programmer per switch, which
// writes only what differs from what the switch has.
//
// Every host is reached through its leaf, also from another host of the same subnet: the leaf
// answers ARP requests for its gateway address and, by proxy (RFC 1027), for every other
// address of the subnet. A switch asks who has an address when a packet for it arrives.
package fabric
