package app

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// refused are options of simple_switch_grpc without which the switch would not be the one that
// was asked for, and why softswitch does not have them.
func refused() map[string]string {
	return map[string]string{
		"debugger":            "there is no debugger",
		"debugger-addr":       "there is no debugger",
		"packet-in":           "there is no nanomsg; use interfaces",
		"restore-state":       "state is not saved",
		"dp-grpc-server-addr": "there is no data plane gRPC server; use interfaces",
		"disable-swap":        "a pipeline can always be replaced over P4Runtime",
		"load-modules":        "there are no externs but v1model's",
	}
}

// ignored is an option of simple_switch_grpc that changes no packet's way: scripts pass it,
// and it does nothing but log why.
type ignored struct {
	name string
	why  string
	// check, if not nil, says what is wrong with a value that cannot be ignored.
	check func(value string) error
	// flag: it takes no value.
	flag bool
}

func allIgnored() []ignored {
	return []ignored{
		{name: "thrift-port", why: "there is no Thrift server; use P4Runtime", check: number},
		{name: "nanolog", why: "there is no nanomsg event log"},
		{name: "notifications-addr", why: "there are no nanomsg notifications; P4Runtime has digests and idle timeouts"},
		{name: "log-flush", why: "every line of the log is written at once", flag: true},
		{name: "log-file-max-size", why: "the log file is not rotated", check: number},
		{name: "log-file-max-files", why: "the log file is not rotated", check: number},
		{name: "max-port-count", why: "the number of ports is not limited", check: number},
		{name: "max-mc-groups", why: "the number of multicast groups is not limited", check: number},
		{name: "max-l1-entries", why: "the number of multicast replicas is not limited", check: number},
		{name: "max-l2-entries", why: "the number of multicast replicas is not limited", check: number},
	}
}

func number(value string) error {
	if _, err := strconv.ParseUint(value, 10, 32); err != nil {
		return fmt.Errorf("%q is not a number", value)
	}
	return nil
}

// addIgnored adds the options that are ignored; help does not show them.
func addIgnored(f *pflag.FlagSet) {
	for _, o := range allIgnored() {
		if o.flag {
			f.Bool(o.name, false, "ignored: "+o.why)
		} else {
			f.Var(&ignoredFlag{check: o.check}, o.name, "ignored: "+o.why)
		}
		_ = f.MarkHidden(o.name) // it was added above
	}
}

// notes says of each option that was given and is ignored why it is.
func notes(f *pflag.FlagSet) []string {
	var all []string
	for _, o := range allIgnored() {
		if f.Changed(o.name) {
			all = append(all, fmt.Sprintf("--%s is ignored: %s", o.name, o.why))
		}
	}
	return all
}

// ignoredFlag is a value that nobody reads.
type ignoredFlag struct{ check func(string) error }

// Set is pflag.Value's.
func (f *ignoredFlag) Set(s string) error {
	if f.check == nil {
		return nil
	}
	return f.check(s)
}

// String is pflag.Value's.
func (f *ignoredFlag) String() string { return "" }

// Type is pflag.Value's.
func (f *ignoredFlag) Type() string { return "VALUE" }

// explain adds why an option of simple_switch_grpc is not there.
func explain(err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if why, ok := refused()[unknown.GetSpecifiedName()]; ok {
			return fmt.Errorf("--%s: %s", unknown.GetSpecifiedName(), why)
		}
	}
	return err
}
