// Package records keeps flow records: what passed of one conversation in one export interval,
// at every hop. A batch is acknowledged when it is in the write-ahead log; the log becomes
// Parquet segments, cut by time and size and sorted to compress, that any engine reads as they
// are. docs/formats/records.md has both formats.
//
//	Recorder ─> Append ─> log ─> head ─> segment ─> compaction ─> retention
//	                              └─────────┴─> Scan
package records
