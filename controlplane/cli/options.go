package cli

import (
	"errors"
	"fmt"
	"os"
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
	cert, key  string // of the client
	user       string
	password   string
	passwordIn string // file
	timeout    time.Duration
	output     string
	atText     string
	atFlag     string // which atText is of
	asKnown    bool
	flags      *pflag.FlagSet

	at  time.Time // the past moment asked about, or at which what is asked about begins; zero for now
	to  time.Time // at which it ends; zero where it is one moment
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
	f.StringVar(&o.cert, "tls-cert", o.env("FABRICSCOPE_TLS_CERT", ""), "PEM file with a certificate to show the daemon")
	f.StringVar(&o.key, "tls-key", o.env("FABRICSCOPE_TLS_KEY", ""), "PEM file with the key of --tls-cert")
	f.StringVar(&o.user, "username", o.env("FABRICSCOPE_USERNAME", ""), "who to log in as; the password is in FABRICSCOPE_PASSWORD, or in --password-file")
	f.StringVar(&o.passwordIn, "password-file", o.env("FABRICSCOPE_PASSWORD_FILE", ""), "file whose first line is the password")
	f.DurationVar(&o.timeout, "timeout", defaultTimeout, "how long to wait for the answer, or for more of it")
	f.StringVarP(&o.output, "output", "o", "table", "table, wide, json, or jsonl: an object a line")
	f.StringVar(&o.atText, "at", "", "the moment to ask about, in RFC 3339, as 10m ago or as \"yesterday 23:00\" (default: now)")
	f.BoolVar(&o.asKnown, "as-known", false, "what was known at --at, without what came to be known of it later")
}

func (o *options) env(name, otherwise string) string {
	if v := o.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// prepare reads what flags and environment say together.
func (o *options) prepare() error {
	o.now, o.atFlag = o.Now(), "--at"
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
	if (o.cert == "") != (o.key == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	if o.asKnown && o.atText == "" {
		return errors.New("--as-known: --at is needed, the moment when it was known")
	}
	err := o.readPassword()
	if err != nil {
		return err
	}
	o.at, err = parseTime("--at", o.atText, o.now)
	return err
}

// readPassword takes the password of --username. It is no flag, which others on the machine could read.
func (o *options) readPassword() error {
	o.password = o.Getenv("FABRICSCOPE_PASSWORD")
	if o.passwordIn != "" {
		b, err := os.ReadFile(o.passwordIn)
		if err != nil {
			return fail("--password-file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		o.password = strings.TrimSuffix(line, "\r")
	}
	switch {
	case o.user == "" && o.passwordIn != "":
		return errors.New("--password-file: there is no --username")
	case o.user != "" && o.password == "":
		return errors.New("--username: there is no password: set FABRICSCOPE_PASSWORD or --password-file")
	}
	return nil
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
