// Package history is the time machine: it holds what is so now, remembers what was so
// when, and tells whoever listens what changes.
//
// Every change is recorded on two axes: when it happened (event time, by the clock of a
// switch or of an API server) and when Fabricscope knew (commit time, given by the store, which never
// goes back even when the clock does). Changes of one object count in the order in which
// they were recorded: at an instant an object is what the last recorded of its changes up to that
// instant says, by whichever axis is asked.
//
// Changes reach memory and the feeds at once and the disk in small batches; Flush waits
// for the disk. The accounting of ports is of the moment: it is in memory and in the feeds, and
// never on disk. The file is documented in docs/formats/history.md.
package history
