package check

import (
	"fmt"
	"slices"
)

// Finding is a finding as `fabricscope findings` gives it.
type Finding struct {
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	About    string `json:"subject-kind"`
	Cluster  string `json:"cluster"`
	Subject  string `json:"subject"`
}

// String gives all that a rule says of what it found, but when and how often.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s %s %s %s", f.Kind, f.Severity, f.Cluster, f.About, f.Subject)
}

// Findings holds the findings of some kinds against those that there should be.
func Findings(said []Finding, want []string, kinds ...string) (differences []string) {
	var got []string
	for _, f := range said {
		if slices.Contains(kinds, f.Kind) {
			got = append(got, f.String())
		}
	}
	for _, f := range want {
		if !slices.Contains(got, f) {
			differences = append(differences, "not found: "+f)
		}
	}
	for _, f := range got {
		if !slices.Contains(want, f) {
			differences = append(differences, "found: "+f)
		}
	}
	return differences
}
