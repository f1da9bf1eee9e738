// Package cli is the operator's command line: it asks a daemon over gNMI, as any other
// client could, and shows the answer as a table or as JSON. It knows nothing of the
// daemon but its models.
package cli
