package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// options are the flags that every command has.
type options struct {
	Surroundings
	address    string
	ca         string
	skipVerify bool
	timeout    time.Duration
	output     string
	atText     string
	flags      *pflag.FlagSet

	at  time.Time // the past moment asked about; zero for now
	now time.Time
}

// Flags whose default the environment can set.
const (
	defaultAddress = "127.0.0.1:9339"
	defaultTimeout = 10 * time.Second
)

func (o *options) addFlags(f *pflag.FlagSet) {
	o.flags = f
	f.StringVar(&o.address, "address", o.env("FABRICSCOPE_ADDRESS", defaultAddress), "host:port of the daemon's gNMI server")
	f.StringVar(&o.ca, "tls-ca", o.env("FABRICSCOPE_TLS_CA", ""), "PEM file with the authority of the daemon's certificate (default: the system's)")
	f.BoolVar(&o.skipVerify, "tls-skip-verify", false, "believe any certificate")
	f.DurationVar(&o.timeout, "timeout", defaultTimeout, "how long to wait for the answer, or for more of it")
	f.StringVarP(&o.output, "output", "o", "table", "table, wide, json, or jsonl: an object a line")
	f.StringVar(&o.atText, "at", "", "the moment to ask about: RFC 3339, or a duration ago as 10m (default: now)")
}

func (o *options) env(name, otherwise string) string {
	if v := o.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// prepare reads what flags and environment say together.
func (o *options) prepare() error {
	o.now = o.Now()
	switch o.output {
	case "table", "wide", "json", "jsonl":
	default:
		return fmt.Errorf("--output: %q is not table, wide, json or jsonl", o.output)
	}
	if v := o.Getenv("FABRICSCOPE_TLS_SKIP_VERIFY"); v != "" && !o.flags.Changed("tls-skip-verify") {
		skip, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("FABRICSCOPE_TLS_SKIP_VERIFY: %q is not true or false", v)
		}
		o.skipVerify = skip
	}
	if v := o.Getenv("FABRICSCOPE_TIMEOUT"); v != "" && !o.flags.Changed("timeout") {
		d, err := time.ParseDuration(v)
		if err != nil {
			return fmt.Errorf("FABRICSCOPE_TIMEOUT: %q is not a duration as 10s", v)
		}
		o.timeout = d
	}
	if o.timeout <= 0 {
		return fmt.Errorf("--timeout: %v is not positive", o.timeout)
	}
	var err error
	o.at, err = parseTime("--at", o.atText, o.now)
	return err
}

// parseTime reads a flag with a moment; the zero time when it is empty.
func parseTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(strings.TrimPrefix(s, "-")); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%s: %q is neither a time as 2026-03-01T12:00:00Z (RFC 3339) nor a duration as 10m", flag, s)
}

// forMachines says that the output is JSON of some form.
func (o *options) forMachines() bool { return o.output == "json" || o.output == "jsonl" }

// reference is the instant that ages count from.
func (o *options) reference() time.Time {
	if o.at.IsZero() {
		return o.now
	}
	return o.at
}
