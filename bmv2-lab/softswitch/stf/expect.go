package stf

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// port is what one port has sent and should have sent, in order.
type port struct {
	want []expectation
	got  []received
}

// expectation is a frame that has to leave.
type expectation struct {
	line   int
	any    bool   // whatever it contains
	digits string // in upper case; "*" is any digit
	exact  bool   // no bytes may follow
}

// received is a frame that has left, and the line of the packet that caused it.
type received struct {
	line int
	data []byte
}

// finish compares what has left with what was expected, port by port, as p4c's runner does
// after the last statement. Where that runner does not see what leaves by ports that the file
// does not name, here every frame that is not expected is a failure.
func (x *run) finish() {
	missing := 0
	for _, p := range x.ports {
		missing += max(0, len(p.want)-len(p.got))
	}
	if err := x.receive(missing); err != nil {
		x.problem("%v", err)
	}
	for _, number := range slices.SortedFunc(maps.Keys(x.ports), cmp.Compare[uint32]) {
		x.comparePort(number, x.ports[number])
	}
}

// comparePort compares a port's frames in their order. Of frames whose number is wrong only the
// first difference is told, because one that is missing shifts all that follow.
func (x *run) comparePort(number uint32, p *port) {
	both := min(len(p.want), len(p.got))
	countIsWrong := len(p.want) != len(p.got)
	for i := range both {
		text := p.want[i].difference(p.got[i].data)
		if text == "" {
			continue
		}
		x.problemAt(p.want[i].line, "port %d, packet %d, sent in line %d: %s", number, i+1, p.got[i].line, text)
		if countIsWrong {
			break
		}
	}
	if !countIsWrong {
		return
	}
	count := fmt.Sprintf("port %d: expected %s, got %d", number, packets(len(p.want)), len(p.got))
	for _, w := range p.want[both:] {
		x.problemAt(w.line, "%s: this one is missing\n  expected %s", count, w.text())
	}
	for _, g := range p.got[both:] {
		x.problemAt(g.line, "%s: this one is too much\n  got %X", count, g.data)
	}
}

func packets(n int) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}

func (w expectation) text() string {
	switch {
	case w.any:
		return "any packet"
	case w.exact:
		return w.digits + "$"
	}
	return w.digits
}

// difference says how a frame differs from what was expected; empty if it does not. What was
// expected is the beginning of the frame, or with exact the whole.
func (w expectation) difference(frame []byte) string {
	if w.any {
		return ""
	}
	got := fmt.Sprintf("%X", frame)
	var text string
	switch {
	case len(got) < len(w.digits):
		text = fmt.Sprintf("it has %s, and %s are expected", bytesText(len(got)), bytesText(len(w.digits)))
	case w.exact && len(got) > len(w.digits):
		text = fmt.Sprintf("it has %s, and exactly %s are expected", bytesText(len(got)), bytesText(len(w.digits)))
	}
	rows := differingRows(w.digits, got, w.exact)
	switch {
	case text == "" && len(rows) == 0:
		return ""
	case text == "":
		text = "it differs"
	}
	for _, r := range rows {
		text += "\n" + strings.TrimRight(r, " ")
	}
	return text
}

// bytesText is a number of hex digits as bytes.
func bytesText(digits int) string {
	if digits%2 != 0 {
		return fmt.Sprintf("%d.5 bytes", digits/2)
	}
	return fmt.Sprintf("%d bytes", digits/2)
}

const (
	rowDigits   = 32 // hex digits in a row of a difference
	groupDigits = 4
)

// differingRows shows the rows that differ, below each other, with a mark under each digit.
func differingRows(want, got string, exact bool) []string {
	end := max(len(want), len(got))
	if !exact {
		end = len(want)
	}
	var rows []string
	for from := 0; from < end; from += rowDigits {
		to := min(from+rowDigits, end)
		marks, differs := marksOf(want, got, from, to)
		if !differs {
			continue
		}
		rows = append(rows,
			fmt.Sprintf("  byte %-4d expected %s", from/2, grouped(slice(want, from, to))),
			fmt.Sprintf("  %9s      got %s", "", grouped(slice(got, from, to))),
			fmt.Sprintf("  %9s          %s", "", grouped(marks)))
	}
	return rows
}

// marksOf has a ^ for each digit that differs, or is there on one side only.
func marksOf(want, got string, from, to int) (string, bool) {
	marks := []byte(strings.Repeat(" ", to-from))
	differs := false
	for i := from; i < to; i++ {
		if i < len(want) && i < len(got) && (want[i] == '*' || want[i] == got[i]) {
			continue
		}
		marks[i-from], differs = '^', true
	}
	return string(marks), differs
}

// slice is the part of s that there is.
func slice(s string, from, to int) string {
	return s[min(from, len(s)):min(to, len(s))]
}

// grouped puts a space after every fourth digit.
func grouped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += groupDigits {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s[i:min(i+groupDigits, len(s))])
	}
	return strings.TrimRight(b.String(), " ")
}
