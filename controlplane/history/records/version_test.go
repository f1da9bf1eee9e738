package records_test

import (
	"os"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// TestFirstVersion opens what the first version of the formats wrote: testdata/v1 has a segment with sample(21, 300),
// and testdata/v1-log a log with sample(22, 300).
func TestFirstVersion(t *testing.T) {
	for dir, want := range map[string][]records.Record{"testdata/v1": sample(21, 300), "testdata/v1-log": sample(22, 300)} {
		t.Run(dir, func(t *testing.T) {
			cfg := config(t)
			if err := os.CopyFS(cfg.Dir, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			c := newClock(epoch)
			s, _ := start(t, cfg, c.now)
			if d := difference(want, scan(t, s, records.Query{})); d != "" {
				t.Error(d)
			}
			var passed []records.Record
			for _, r := range want {
				if len(r.Forward.Hops) > 2 || len(r.Reverse.Hops) > 2 {
					passed = append(passed, r)
				}
			}
			if d := difference(passed, scan(t, s, records.Query{Switch: "leaf2"})); d != "" {
				t.Errorf("of one switch: %s", d)
			}
			more := sample(23, 300)
			for _, part := range [][]records.Record{more[:150], more[150:]} {
				appendAll(t, s, part)
				if err := s.Cut(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.set(epoch.Add(3 * time.Hour))
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := difference(append(more, want...), scan(t, s, records.Query{})); d != "" {
				t.Errorf("beside the second version, compacted: %s", d)
			}
			if st := s.Status(); len(st.Isolated) > 0 {
				t.Errorf("isolated: %v", st.Isolated)
			}
		})
	}
}
