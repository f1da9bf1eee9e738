package check

import (
	"fmt"
	"io"
	"time"
)

// shown is how many differences of a check are printed.
const shown = 10

// Report prints a line a check as they end.
type Report struct {
	Output         io.Writer
	Passed, Failed int
}

// Check runs one check: it passes without differences and without an error. The detail says
// what was compared.
func (r *Report) Check(name string, run func() (detail string, differences []string, err error)) {
	begin := time.Now()
	detail, differences, err := run()
	if err != nil {
		differences = append(differences, err.Error())
	}
	if len(differences) == 0 {
		r.Passed++
		fmt.Fprintf(r.Output, "ok    %s: %s (%.1f s)\n", name, detail, time.Since(begin).Seconds())
		return
	}
	r.Failed++
	fmt.Fprintf(r.Output, "FAIL  %s: %s: %d differences\n", name, detail, len(differences))
	for i, d := range differences {
		if i == shown {
			fmt.Fprintf(r.Output, "      ... and %d more\n", len(differences)-shown)
			break
		}
		fmt.Fprintf(r.Output, "      %s\n", d)
	}
}

// Note prints a measurement, which cannot fail.
func (r *Report) Note(format string, args ...any) {
	fmt.Fprintf(r.Output, "      "+format+"\n", args...)
}

// Err is an error unless every check passed, and at least one did.
func (r *Report) Err() error {
	fmt.Fprintf(r.Output, "%d checks passed, %d failed\n", r.Passed, r.Failed)
	if r.Failed > 0 || r.Passed == 0 {
		return fmt.Errorf("%d of %d checks failed", r.Failed, r.Passed+r.Failed)
	}
	return nil
}
