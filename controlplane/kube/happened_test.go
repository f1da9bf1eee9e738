package kube

import (
	"testing"
	"time"
)

func TestHappened(t *testing.T) {
	second := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	after := second.Add
	for name, c := range map[string]struct{ given, received, want time.Time }{
		"not given":           {time.Time{}, after(0), after(0)},
		"clock ahead":         {after(time.Second), after(0), after(0)},
		"in that second":      {after(0), after(300 * time.Millisecond), after(300 * time.Millisecond)},
		"told a little later": {after(0), after(1200 * time.Millisecond), after(time.Second - 1)},
		"found in a list":     {after(0), after(time.Hour), after(0)},
		"given exactly":       {after(1), after(300 * time.Millisecond), after(1)},
	} {
		if got := happened(c.given, c.received); !got.Equal(c.want) {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
