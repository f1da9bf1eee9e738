package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"
	"unicode/utf8"
)

// column is a column of a table of Ts.
type column[T any] struct {
	title string
	cell  func(T) string
}

// show writes things in the output asked for. what names them for the message that there
// are none.
func show[T any](o *options, what string, things []T, table, wide []column[T]) error {
	o.dated()
	if len(things) == 0 {
		fmt.Fprintf(o.Stderr, "No %s found.\n", what)
	}
	var err error
	switch {
	case o.output == "json":
		err = writeJSON(o.Stdout, things)
	case o.output == "jsonl":
		err = writeLines(o.Stdout, things)
	case len(things) == 0:
	case o.output == "wide":
		err = writeTable(o.Stdout, wide, things)
	default:
		err = writeTable(o.Stdout, table, things)
	}
	if err != nil {
		return fail("write the answer: %w", err)
	}
	return nil
}

// dated says of which past moment the answer is.
func (o *options) dated() {
	to := o.Stdout
	if o.forMachines() {
		to = o.Stderr
	}
	known := ""
	if o.asKnown {
		known = ", as it was known then"
	}
	switch {
	case !o.to.IsZero():
		fmt.Fprintf(to, "From %s to %s%s\n", o.local(o.at), o.local(o.to), known)
	case !o.at.IsZero():
		fmt.Fprintf(to, "As of %s%s\n", o.local(o.at), known)
	}
}

// writeLines writes an object of JSON a line.
func writeLines[T any](w io.Writer, things []T) error {
	out := bufio.NewWriter(w)
	e := json.NewEncoder(out)
	for _, t := range things {
		if err := e.Encode(t); err != nil {
			return err
		}
	}
	return out.Flush()
}

func writeJSON[T any](w io.Writer, things []T) error {
	if things == nil {
		things = []T{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(things)
}

// writeTable writes aligned columns with two spaces between.
func writeTable[T any](w io.Writer, columns []column[T], things []T) error {
	out := bufio.NewWriter(w)
	for line := range tableRows(columns, things) {
		if _, err := out.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}

// tableLines gives the lines of a table, that of the titles first.
func tableLines[T any](columns []column[T], things []T) []string {
	return slices.AppendSeq(make([]string, 0, len(things)+1), tableRows(columns, things))
}

// tableRows is tableLines, line by line.
func tableRows[T any](columns []column[T], things []T) iter.Seq[string] {
	return func(yield func(string) bool) {
		cells, widths := make([]string, 0, (len(things)+1)*len(columns)), make([]int, len(columns))
		for _, c := range columns {
			cells = append(cells, c.title)
		}
		for _, t := range things {
			for _, c := range columns {
				cells = append(cells, cmp.Or(c.cell(t), "-"))
			}
		}
		for i, cell := range cells {
			widths[i%len(columns)] = max(widths[i%len(columns)], utf8.RuneCountInString(cell))
		}
		var line []byte
		for row := range slices.Chunk(cells, len(columns)) {
			line = line[:0]
			for i, cell := range row {
				line = append(line, cell...)
				if i == len(row)-1 {
					break
				}
				for range widths[i] - utf8.RuneCountInString(cell) + 2 {
					line = append(line, ' ')
				}
			}
			if !yield(string(line)) {
				return
			}
		}
	}
}

// age gives how long before now t was, in its one or two greatest units.
func age(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := max(now.Sub(t), 0)
	two := func(whole, part time.Duration, w, p string) string {
		n, rest := d/whole, d%whole/part
		if rest == 0 || n >= 10 {
			return fmt.Sprintf("%d%s", n, w)
		}
		return fmt.Sprintf("%d%s%d%s", n, w, rest, p)
	}
	switch {
	case d >= 24*time.Hour:
		return two(24*time.Hour, time.Hour, "d", "h")
	case d >= time.Hour:
		return two(time.Hour, time.Minute, "h", "m")
	case d >= time.Minute:
		return two(time.Minute, time.Second, "m", "s")
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// stamp gives t for machines; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// count gives n with a decimal unit.
func count(n uint64) string { return scale(n, 1000, []string{"", "k", "M", "G", "T", "P", "E"}) }

// size gives n bytes with a binary unit.
func size(n uint64) string {
	return scale(n, 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

func scale(n, base uint64, units []string) string {
	if n < base {
		return fmt.Sprintf("%d%s", n, units[0])
	}
	v, unit := float64(n), 0
	for v >= float64(base) && unit < len(units)-1 {
		v /= float64(base)
		unit++
	}
	if v >= 99.95 {
		return fmt.Sprintf("%.0f%s", v, units[unit])
	}
	return fmt.Sprintf("%.1f%s", v, units[unit])
}
