// Command gnmibench measures the gNMI server over TLS on the loopback, with a real history behind it, and prints each
// number beside its aim: a snapshot, lookups, many subscribers of whom some are stuck, and one subscriber to a flood.
// The caller is a user with a password whom a policy lets in and who sees one namespace, as where several share a fabric.
// The clients are a process of their own, so that the memory of the server can be told from theirs. Both share the
// machine's processors.
package main
