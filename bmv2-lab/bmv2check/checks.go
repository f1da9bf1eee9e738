package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// check is some commands, and which of the lines that they print are about the result.
type check struct {
	name, what string
	commands   []command
	telling    *regexp.Regexp
}

// command is one with its arguments, in which the last may be a pattern of file names.
type command struct {
	args []string
	env  []string
}

// plan is what the checks run with.
type plan struct {
	program   string // simple_switch_grpc
	binaries  string // directory of fabriclab and conformance
	directory string // for captures
	flows     int
}

// fewSlots is a flow cache that everything has to leave soon.
const fewSlots = "64"

// pressureRate, in frames/s, is more than most machines do: the replay waits for the switch.
const pressureRate = "2000"

func (p plan) checks() []check {
	traffic := filepath.Join(p.directory, "traffic")
	pressure := filepath.Join(p.directory, "pressure.pcap")
	lab := func(args ...string) command {
		return command{args: append([]string{filepath.Join(p.binaries, "fabriclab")}, args...)}
	}
	verified := regexp.MustCompile(`^FAIL|digests of`)
	return []check{
		{"conformance", "P4 programs of one construct each", []command{
			{args: []string{filepath.Join(p.binaries, "conformance"), "-softswitch", "", "-bmv2", p.program}}}, regexp.MustCompile(`cases ok|FAILED`)},
		{"flows", "every kind of traffic, of kernels too, as tshark counts it", []command{
			lab("traffic", traffic), lab("stacks", traffic), lab("verify", "--switch", p.program, filepath.Join(traffic, "*.pcap"))}, verified},
		{"pressure", fmt.Sprintf("%d flows, %s slots: SYNs, single datagrams, some that talk", p.flows, fewSlots), []command{
			lab("pressure", fmt.Sprint(p.flows), pressure),
			lab("verify", "--switch", p.program, "--slots", fewSlots, "--rate", pressureRate, pressure)}, verified},
		{"floods", fmt.Sprintf("the same %d flows with the slots that there are by default", p.flows), []command{
			lab("pressure", fmt.Sprint(p.flows), pressure),
			lab("verify", "--switch", p.program, "--rate", pressureRate, pressure)}, verified},
		{"restarts", "daemons killed, connections lost, another primary, the switch restarted", []command{
			{args: []string{"go", "test", "-count", "1", "-v", "-timeout", "60m", "./bmv2-lab/restarts"}, env: []string{"RESTARTS_SWITCH=" + p.program}}},
			regexp.MustCompile(`in no record|^--- `)},
		{"lab", "both clusters on the fabric: every flow, a cable that loses, TTL, a killed daemon", []command{
			lab("check", "--switch", p.program)}, regexp.MustCompile(`^FAIL|checks passed|as tshark counts it|that lost them|whose TTL`)},
	}
}

// result is how a check went.
type result struct {
	took  time.Duration
	lines []string
	err   error
}

// run runs the commands until one fails. What they print goes to a file.
func (c check) run(ctx context.Context, log string) (r result) {
	begin := time.Now()
	defer func() { r.took = time.Since(begin) }()
	file, err := os.Create(log)
	if err != nil {
		return result{err: err}
	}
	defer file.Close()
	for _, command := range c.commands {
		if r.err = command.run(ctx, file); r.err != nil {
			break
		}
	}
	if _, err := file.Seek(0, 0); err != nil {
		r.err = errors.Join(r.err, err)
		return r
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); c.telling.MatchString(line) {
			r.lines = append(r.lines, line)
		}
	}
	r.err = errors.Join(r.err, lines.Err())
	return r
}

// grace is how long a command may clean up that is told to end.
const grace = 30 * time.Second

func (c command) run(ctx context.Context, file *os.File) error {
	args := c.args
	if files, err := filepath.Glob(args[len(args)-1]); err == nil && len(files) > 0 {
		args = append(args[:len(args)-1:len(args)-1], files...)
	}
	run := exec.CommandContext(ctx, args[0], args[1:]...)
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = grace
	run.Env = append(os.Environ(), c.env...)
	run.Stdout, run.Stderr = file, file
	if err := run.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(args[0]), args[1], err)
	}
	return nil
}
