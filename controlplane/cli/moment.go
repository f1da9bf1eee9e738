package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// momentForms is how a moment can be written, for help and errors.
const momentForms = `a time as 2026-03-01T12:00:00Z (RFC 3339) or "2026-03-01 13:00", a duration ago as 10m, 2h30m or 1d, ` +
	`or a day and a time as "yesterday 23:00", "monday 02:30" or 23:00 (local times)`

// parseTime reads a flag with a moment; the zero time when it is empty. Times without a zone are those of now's.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return time.Time{}, nil
	}
	for _, read := range []func(string, time.Time) (time.Time, bool){absolute, ago, byDay} {
		t, ok := read(text, now)
		switch {
		case ok && t.Unix() < 0:
			return time.Time{}, fmt.Errorf("%s: %q is before 1970, of which nothing is known", flag, s)
		case ok:
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %q is neither %s", flag, s, strings.Replace(momentForms, ", or a day", ", nor a day", 1))
}

// absolute reads a date with a time, or a date, which begins at midnight.
func absolute(s string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	if t, err := time.Parse("2006-01-02 15:04:05Z07:00", s); err == nil {
		return t, true
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// days is the part of a duration that Go's do not have.
var days = regexp.MustCompile(`^(?:(\d{1,4})w)?(?:(\d{1,5})d)?(.*)$`)

// ago reads a duration before now, as 10m, 1d12h, -2h or "2h ago".
func ago(s string, now time.Time) (time.Time, bool) {
	if s == "now" {
		return now, true
	}
	s = strings.TrimPrefix(strings.TrimSpace(strings.TrimSuffix(s, " ago")), "-")
	part := days.FindStringSubmatch(s)
	weeks, _ := strconv.Atoi(part[1]) // digits, or nothing
	single, _ := strconv.Atoi(part[2])
	var rest time.Duration
	if part[3] != "" || part[1]+part[2] == "" {
		var err error
		if rest, err = time.ParseDuration(part[3]); err != nil || rest < 0 {
			return time.Time{}, false
		}
	}
	return now.Add(-time.Duration(7*weeks+single)*24*time.Hour - rest), true
}

// byDay reads a time of a day by its name, as "yesterday 23:00"; without a time it is midnight, and without a day the last
// such time. A weekday is the last one, which may be today.
func byDay(s string, now time.Time) (time.Time, bool) {
	day, clock, found := strings.Cut(strings.ToLower(s), " ")
	if !found && strings.Contains(day, ":") {
		day, clock = "", day
	}
	hours, ok := timeOfDay(strings.TrimSpace(clock))
	if !ok {
		return time.Time{}, false
	}
	at := func(back int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()-back, hours.Hour(), hours.Minute(), hours.Second(), hours.Nanosecond(), now.Location())
	}
	latest := func(back, step int) time.Time {
		if t := at(back); !t.After(now) {
			return t
		}
		return at(back + step)
	}
	switch day {
	case "":
		return latest(0, 1), true
	case "today":
		return at(0), true
	case "yesterday":
		return at(1), true
	}
	for w := time.Sunday; w <= time.Saturday; w++ {
		if name := strings.ToLower(w.String()); day == name || day == name[:3] {
			return latest(int(now.Weekday()-w+7)%7, 7), true
		}
	}
	return time.Time{}, false
}

// timeOfDay reads 23:00 or 23:00:05.250; nothing is midnight.
func timeOfDay(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, form := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// local writes a moment in the operator's own zone, with its offset, to the millisecond.
func (o *options) local(t time.Time) string {
	return t.In(o.now.Location()).Truncate(time.Millisecond).Format(time.RFC3339Nano)
}
