package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const findingsPath = "diagnosis/findings"

// found is a finding in JSON output.
type found struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Severity string    `json:"severity"` // critical, major or minor
	About    string    `json:"subject-kind"`
	Cluster  string    `json:"cluster,omitempty"`
	Subject  string    `json:"subject"`
	Since    time.Time `json:"since,omitzero"`
	Evidence uint64    `json:"evidence"`
	Text     string    `json:"text"`
}

func findingsCommand(o *options) *cobra.Command {
	f := &filters{}
	c := &cobra.Command{
		Use:   "findings",
		Short: "Show what does not work, and what did not (--at)",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := o.ask(c.Context(), findingsPath, clusterStatePath, switchStatePath)
			if err != nil {
				return err
			}
			f.warnOfClusters(o, data)
			f.warnOfSwitches(o, data)
			return show(o, "findings", f.findings(readFindings(data)), findingColumns(o), findingColumnsWide())
		},
	}
	f.addFindingFlags(c.Flags())
	return c
}

func (f *filters) addFindingFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.cluster, "cluster", "", "only findings about this cluster")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "only findings about services and pods of this namespace")
}

// findings keeps those that the filters admit.
func (f *filters) findings(list []found) []found {
	list = filterBy(list, f.cluster, func(x found) []string { return []string{x.Cluster} })
	return filterBy(list, f.namespace, found.namespaces)
}

// namespaces are those of the service, or services, or of the pod that a finding is about.
func (x found) namespaces() []string {
	if x.About != "service" && x.About != "pod" || strings.Contains(x.Subject, "@") { // a UID and a place
		return nil
	}
	namespaces, _ := servicesIn(x.Subject)
	return namespaces
}

// readFindings gives the worst first, and of these the newest.
func readFindings(data *branch) []found {
	var list []found
	for _, b := range data.each("diagnosis", "findings", "finding") {
		s := b.in("state")
		list = append(list, found{b.key("id"), s.text("kind"), word(s.text("severity")), s.text("subject-kind"), s.text("subject-cluster"),
			s.text("subject"), s.instant("since"), s.number("evidence"), s.text("text")})
	}
	rank := func(x found) int { return slices.Index([]string{"critical", "major", "minor"}, x.Severity) }
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.Since.Compare(a.Since), cmp.Compare(a.ID, b.ID))
	})
	return list
}

func findingColumns(o *options) []column[found] {
	return append(findingNames(),
		column[found]{"AGE", func(f found) string { return age(f.Since, o.reference()) }},
		column[found]{"FINDING", func(f found) string { return f.Text }})
}

func findingNames() []column[found] {
	return []column[found]{
		{"SEVERITY", func(f found) string { return f.Severity }},
		{"KIND", func(f found) string { return f.Kind }},
		{"CLUSTER", func(f found) string { return f.Cluster }},
		{"SUBJECT", func(f found) string { return f.About + " " + f.Subject }},
	}
}

func findingColumnsWide() []column[found] {
	return append(findingNames(),
		column[found]{"SINCE", func(f found) string { return stamp(f.Since) }},
		column[found]{"EVIDENCE", func(f found) string { return fmt.Sprint(f.Evidence) }},
		column[found]{"FINDING", func(f found) string { return f.Text }})
}
