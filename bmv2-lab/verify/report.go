package verify

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// shown is how many differences of a file are printed.
const shown = 30

// report prints a line a file, and a table of the differences below it.
func report(w io.Writer, p *port, captured *check.Captured, differences []check.Difference) {
	verdict := "ok  "
	if len(differences) > 0 {
		verdict = "FAIL"
	}
	classes := map[string]uint64{}
	for b, n := range captured.Buckets {
		classes[string(b.Class)] = n.Packets
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		parts = append(parts, fmt.Sprintf(", %d %s", classes[name], name))
	}
	left := ""
	if p.short > 0 {
		left = fmt.Sprintf(", %d left out (too short for the kernel)", p.short)
	}
	if p.vague > 0 {
		left += fmt.Sprintf(", %d left out (tshark gives up in their options)", p.vague)
	}
	fmt.Fprintf(w, "%s %s: %s in %d flows%s%s: %d differences\n", verdict, filepath.Base(p.source), captured.Total, len(captured.Flows),
		strings.Join(parts, ""), left, len(differences))
	if len(differences) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  WHAT\tTSHARK\tSWITCH")
	for i, d := range differences {
		if i == shown {
			fmt.Fprintf(table, "  ... and %d more\t\t\n", len(differences)-shown)
			break
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", d.What, d.Captured, d.Said)
	}
	table.Flush()
}
