package stf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Main is "softswitch stf": args are what follows the subcommand, and the result is the exit
// status: 0 if every test passed, 1 if one failed or could not be run, 2 for a wrong command
// line.
func Main(args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if err != nil {
		fmt.Fprintf(stderr, "softswitch stf: %v\nRun softswitch stf --help for the options.\n", err)
		return 2
	}
	if o.help {
		fmt.Fprintf(stdout, "Usage: softswitch stf --program P.json [--p4info P.p4info.txtpb] TEST.stf...\n\n%s", o.flags().FlagUsages())
		return 0
	}
	p, err := o.load()
	if err != nil {
		fmt.Fprintf(stderr, "softswitch stf: %v\n", err)
		return 1
	}
	var results []*Result
	status := 0
	for _, file := range o.tests {
		r := o.test(p, file, stdout)
		for _, problem := range r.Problems {
			fmt.Fprintln(stdout, problem)
		}
		if !r.Passed() {
			status = 1
		}
		results = append(results, r)
	}
	writeTable(stdout, results)
	return status
}

// options is a command line.
type options struct {
	program  string
	p4info   string
	dropPort uint32
	verbose  bool
	help     bool
	tests    []string
}

func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("softswitch stf", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	f.StringVar(&o.program, "program", "", "the program, a JSON `FILE` of p4c-bm2-ss")
	f.StringVar(&o.p4info, "p4info", "", "the program's P4Info, a text `FILE` of p4c-bm2-ss")
	f.Uint32Var(&o.dropPort, "drop-port", 511, "`PORT` that drops what is sent to it")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print what the program logs")
	f.BoolVarP(&o.help, "help", "h", false, "print this")
	return f
}

func parseOptions(args []string) (*options, error) {
	o := &options{}
	f := o.flags()
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.tests = f.Args()
	switch {
	case o.help:
	case o.program == "":
		return nil, errors.New("--program is needed")
	case len(o.tests) == 0:
		return nil, errors.New("a test file is needed")
	}
	return o, nil
}

// load reads the files that all tests share.
func (o *options) load() (*Program, error) {
	doc, err := os.ReadFile(o.program)
	if err != nil {
		return nil, fmt.Errorf("--program: %w", err)
	}
	p, err := NewProgram(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.program, err)
	}
	if o.p4info == "" {
		return p, nil
	}
	info, err := os.ReadFile(o.p4info)
	if err != nil {
		return nil, fmt.Errorf("--p4info: %w", err)
	}
	if err := p.AddP4Info(info); err != nil {
		return nil, fmt.Errorf("%s: %w", o.p4info, err)
	}
	return p, nil
}

// test runs one file on a switch of its own.
func (o *options) test(p *Program, file string, stdout io.Writer) *Result {
	text, err := os.ReadFile(file)
	if err != nil {
		return &Result{File: file, Problems: []string{err.Error()}}
	}
	script, err := Parse(file, bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if err != nil {
		return &Result{File: file, Problems: strings.Split(err.Error(), "\n")}
	}
	opt := engine.Options{DropPort: o.dropPort}
	if o.verbose {
		opt.Log = func(text string) { fmt.Fprintf(stdout, "%s: log: %s\n", file, text) }
	}
	return p.Run(script, p.NewSwitch(opt), stdout)
}
