// Package flowcache stands between the sessions and the tracker: it knows how our P4 program
// puts the slots of its flow cache into digests (flow_digest_t in p4src/flow_cache.p4) and
// packet-ins (docs/formats/slot-report.md), and how it is asked for them.
package flowcache
