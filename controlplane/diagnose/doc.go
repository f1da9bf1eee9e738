// Package diagnose turns facts into findings: what does not answer, what refuses, what is slow, what
// loses packets, and what is not known. Each rule has a threshold to begin and a condition to end, so
// that a finding opens and clears once; docs/FINDINGS.md has them in a table.
//
//	history ─updates─> rules ─what holds now─> findings ─changes─> history
package diagnose
