package cli

import (
	"testing"
	"time"
)

func TestMomentsInAllForms(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 31, 3, 0, 0, 0, zone) // a Tuesday; on Sunday at 2:00 the clock went on by an hour
	for text, want := range map[string]string{
		"2026-03-01T12:00:00Z":          "2026-03-01T12:00:00Z",
		"2026-03-01T12:00:00.123+05:30": "2026-03-01T06:30:00.123Z",
		"2026-03-01 12:00:00Z":          "2026-03-01T12:00:00Z",
		"2026-03-01 13:00":              "2026-03-01T12:00:00Z",
		"2026-03-30T13:00:01.5":         "2026-03-30T11:00:01.5Z",
		"2026-03-30":                    "2026-03-29T22:00:00Z",
		"10m":                           "2026-03-31T00:50:00Z",
		"-2h":                           "2026-03-30T23:00:00Z",
		"2h30m ago":                     "2026-03-30T22:30:00Z",
		"1d":                            "2026-03-30T01:00:00Z",
		"1w1d1h":                        "2026-03-23T00:00:00Z",
		"0s":                            "2026-03-31T01:00:00Z",
		"now":                           "2026-03-31T01:00:00Z",
		"yesterday 23:00":               "2026-03-30T21:00:00Z",
		"Yesterday":                     "2026-03-29T22:00:00Z",
		"today 02:59:59.5":              "2026-03-31T00:59:59.5Z",
		"02:30":                         "2026-03-31T00:30:00Z", // has been today
		"23:00":                         "2026-03-30T21:00:00Z", // has not
		"tuesday 02:00":                 "2026-03-31T00:00:00Z",
		"tue 04:00":                     "2026-03-24T03:00:00Z",
		"sunday 01:30":                  "2026-03-29T00:30:00Z",
		"sun":                           "2026-03-28T23:00:00Z",
	} {
		got, err := parseTime("--at", text, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %s, %v; want %s", text, got.UTC().Format(time.RFC3339Nano), err, want)
		}
	}
	for _, text := range []string{"noon", "yesterday noon", "2026-13-01", "25:00", "10", "-", "--2h", "1d-2h", "yesterday 23", "someday 10:00", "last night", "1.5",
		"0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "99999d"} {
		if got, err := parseTime("--at", text, now); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}
