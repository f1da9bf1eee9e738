package inventory

import "time"

// Severities of findings.
const (
	Critical = "critical" // something does not work
	Major    = "major"    // something works badly
	Minor    = "minor"    // something is not known, or may go wrong
)

// Finding is something that somebody should know of, as long as it is so. docs/FINDINGS.md lists the kinds.
type Finding struct {
	ID       string    `json:"id"`       // kind and subject; stable
	Kind     string    `json:"kind"`     // as unanswered-port
	Severity string    `json:"severity"` // critical, major or minor
	Subject  Subject   `json:"subject"`
	Since    time.Time `json:"since"`
	Evidence uint64    `json:"evidence"` // how often it was seen, in what Text says; brought up to date once a minute
	Text     string    `json:"text"`
}

// Subject is what a finding is about.
type Subject struct {
	Kind    string `json:"kind"` // service, pod, node, address, switch, port, link, cluster, storage or clock
	Cluster string `json:"cluster,omitempty"`
	Name    string `json:"name"` // namespace/name, switch/port, or a plain name
}

// Ref has the ID as its ID.
func (f Finding) Ref() Ref { return Ref{Kind: KindFinding, ID: f.ID} }
