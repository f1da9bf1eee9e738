package kube

import "time"

// fresh is how long after something happened the API server usually has told of it, its times
// being cut to whole seconds.
const fresh = 2 * time.Second

// happened is when something happened that an object received at a time gives the time of, zero
// if it does not. The API cuts times to whole seconds. Taken as they are, a pod that began in
// the middle of a second would be there before it was made; so while the second is fresh, the
// moment of receipt, but none after that second, is nearer to the truth.
func happened(given, received time.Time) time.Time {
	switch {
	case given.IsZero(), given.After(received): // the latter is a difference of clocks
		return received
	case given.Nanosecond() != 0, received.Sub(given) >= fresh:
		return given
	}
	if end := given.Add(time.Second - time.Nanosecond); received.After(end) {
		return end
	}
	return received
}
