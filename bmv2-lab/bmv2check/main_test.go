package main

import (
	"regexp"
	"strings"
	"testing"
)

func shell(script string) command { return command{args: []string{"sh", "-c", script}} }

// TestRun: the lines that tell are in the table, a check ends with its first command that fails,
// and the others run all the same.
func TestRun(t *testing.T) {
	checks := []check{
		{"bad", "fails", []command{shell("echo told; echo other; exit 3"), shell("echo told late")}, regexp.MustCompile("^told")},
		{"good", "passes", []command{shell("echo told twice >&2")}, regexp.MustCompile("^told")},
	}
	var out strings.Builder
	err := run(t.Context(), checks, t.TempDir(), &out)
	if err == nil || !strings.HasPrefix(err.Error(), "failed: bad; ") {
		t.Errorf("error %v, want one that names bad alone", err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimSpace(line))
	}
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "bad ") || !strings.Contains(lines[0], "FAILED") || lines[1] != "told" ||
		!strings.HasSuffix(lines[2], "exit status 3") || !strings.HasPrefix(lines[3], "good ") || lines[4] != "told twice" {
		t.Errorf("%q", lines)
	}
}

func TestChoose(t *testing.T) {
	all := plan{}.checks()
	if some, err := choose(all, []string{"lab", "flows"}); err != nil || len(some) != 2 || some[0].name != "lab" {
		t.Errorf("%v, %v", some, err)
	}
	if _, err := choose(all, []string{"lba"}); err == nil || !strings.Contains(err.Error(), "lba") {
		t.Errorf("error %v, want one that names it", err)
	}
}
