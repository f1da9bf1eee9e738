// Package p4rtserver serves P4Runtime (specification 1.5) for one switch: arbitration, the
// forwarding pipeline, writes and reads of its state, digests, and packet I/O.
//
// A pipeline is a P4Info and a BMv2 JSON document together with the engine.Switch that runs
// it. The server translates between the numbers of the P4Info and the names of the JSON, and
// refuses a pipeline whose halves do not agree. The packets themselves are the business of a
// Dataplane, which runs one engine.Switch at a time and calls back through Events.
//
// A role's configuration is Stratum's P4RoleConfig, as its last primary sent it: a role with
// one writes and reads the ids that it lists and gets their notifications; the replication
// engine, which has no id, belongs to roles without. A role without one, the default role
// among them, may do everything, also with what others claim for themselves. Packet-outs are
// free to every primary.
//
// Answered with UNIMPLEMENTED are varbit values and externs of other architectures. Where
// BMv2's server (PI) and the specification differ, the specification wins; the notable cases:
// the primary is the holder of the highest election id ever seen and not of the highest one
// connected, a packet-out must have every metadata field, and entries that a program brings
// along can be changed unless their table is constant.
//
// Nothing that a client does blocks the switch or another client: queues to clients are
// bounded, arbitration messages end a stream that does not take them, everything else is
// dropped and counted.
package p4rtserver
