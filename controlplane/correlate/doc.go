// Package correlate joins traffic with inventory: it says which pod, node and service stood
// behind an address at the time of a conversation, at which switch and port, and in which
// order a conversation passed the switches. Where it cannot say, or only guesses, it says why.
//
// Addresses are reused, so a join is by address and time, and inside an overlay by the node
// whose outer address carried the packet. An address whose pod is gone stays known for a
// while, because the last counters of its conversations come after it.
package correlate
