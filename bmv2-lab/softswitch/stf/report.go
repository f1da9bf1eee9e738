package stf

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// Passed says whether all was as expected.
func (r *Result) Passed() bool { return len(r.Problems) == 0 }

// verdict is the last column of the table.
func (r *Result) verdict() string {
	switch n := len(r.Problems); n {
	case 0:
		return "passed"
	case 1:
		return "FAILED: 1 problem"
	default:
		return fmt.Sprintf("FAILED: %d problems", n)
	}
}

// writeTable writes a line for each file and their sum.
func writeTable(w io.Writer, results []*Result) {
	width := len("FILE")
	for _, r := range results {
		width = max(width, utf8.RuneCountInString(r.File))
	}
	row := func(file string, packets, expectations any, verdict string) {
		fmt.Fprintf(w, "%-*s  %7v  %12v  %s\n", width, file, packets, expectations, verdict)
	}
	row("FILE", "PACKETS", "EXPECTATIONS", "RESULT")
	failed := 0
	for _, r := range results {
		row(r.File, r.Packets, r.Expectations, r.verdict())
		if !r.Passed() {
			failed++
		}
	}
	fmt.Fprintf(w, "%d of %d passed\n", len(results)-failed, len(results))
}
