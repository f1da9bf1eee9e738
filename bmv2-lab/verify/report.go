package verify

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// shown is how many differences of a file are printed.
const shown = 30

// report prints a line a file, and a table of the differences below it. It says whether all is
// well: there are none, some frame was replayed, and the file was read to its end, or to where
// its capture was cut off.
func report(w io.Writer, p *port, differences []check.Difference) bool {
	well := len(differences) == 0 && (p.frames > 0 || len(p.left) == 0) && (p.damage == nil || p.damage.cut)
	verdict := "ok  "
	if !well {
		verdict = "FAIL"
	}
	classes := map[string]uint64{}
	for b, n := range p.tshark.Buckets {
		classes[string(b.Class)] = n.Packets
	}
	var notes strings.Builder
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(&notes, ", %d %s", classes[name], name)
	}
	for _, why := range slices.Sorted(maps.Keys(p.left)) {
		fmt.Fprintf(&notes, ", %d left out (%s)", p.left[why], why)
	}
	if p.damage != nil {
		fmt.Fprintf(&notes, ", not read %v", p.damage)
	}
	fmt.Fprintf(w, "%s %s: %s in %d flows%s: %d differences\n", verdict, p.source, p.tshark.Total, len(p.tshark.Flows), &notes, len(differences))
	if len(differences) == 0 {
		return well
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
	return well
}
