package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// device is what forwards frames from sw0 to sw1.
type device struct {
	name string
	rate int      // frames/s that are offered to it; 0: all that there are
	args []string // its command
	addr string   // of its P4Runtime server; empty: it has none

	program *program // nil: ours
}

// adminAddr is where softswitch serves the counts of its ports.
const adminAddr = "127.0.0.1:9561"

// running is a device that was started.
type running struct {
	*controller // nil without a P4Runtime server
	cmd         *exec.Cmd
	output      *bytes.Buffer
}

// pinned runs a command on the second processor alone: one worker.
func pinned(args ...string) []string { return append([]string{"taskset", "-c", "1"}, args...) }

func (s *settings) forwarder() device {
	return device{name: "plain forwarder", args: pinned("/proc/self/exe", "forward", "sw0", "sw1")}
}

// switchUnderTest is softswitch on the second processor.
func (s *settings) switchUnderTest() device { return s.softswitchOn(pinned()) }

// softswitchOn is softswitch behind a command that says where it runs, with more options.
func (s *settings) softswitchOn(where []string, options ...string) device {
	const addr = "127.0.0.1:9559"
	args := append(where, s.softswitch, "--no-p4", "--log-level", "off", "-i", "1@sw0", "-i", "2@sw1",
		"--device-id", strconv.Itoa(deviceID), "--grpc-server-addr", addr, "--cpu-port", "510", "--admin-addr", adminAddr)
	return device{name: "softswitch", addr: addr, args: append(args, options...)}
}

// reference is simple_switch_grpc. It has both processors, and is offered no more than a few
// times what it forwards, so that the generator leaves it most of the first one.
func (s *settings) reference() (device, bool) {
	const addr = "127.0.0.1:9560"
	if _, err := exec.LookPath(s.bmv2); err != nil {
		return device{}, false
	}
	return device{name: "simple_switch_grpc", addr: addr, rate: 120_000, args: []string{s.bmv2, "--no-p4", "--log-level", "off",
		"-i", "1@sw0", "-i", "2@sw1", "--device-id", strconv.Itoa(deviceID), "--", "--grpc-server-addr", addr, "--cpu-port", "510"}}, true
}

// start starts a device and makes it forward.
func (d device) start(ctx context.Context) (*running, error) {
	r := &running{output: &bytes.Buffer{}}
	args := d.args
	if d.addr == "" { // taskset would be /proc/self
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		args = append([]string(nil), args...)
		for i := range args {
			args[i] = strings.Replace(args[i], "/proc/self/exe", self, 1)
		}
	}
	r.cmd = exec.CommandContext(ctx, args[0], args[1:]...)
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	if d.addr == "" {
		return r, nil
	}
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer context.AfterFunc(ctx, cancel)()
	p, err := d.program, error(nil)
	if p == nil {
		p, err = ourProgram()
	}
	if err == nil {
		r.controller, err = control(limited, d.addr, p)
	}
	if err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w: %s", d.name, err, r.output)
	}
	return r, nil
}

func (r *running) stop() {
	if r.controller != nil {
		r.conn.Close()
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

// resident is the memory of the process, in bytes.
func (r *running) resident() (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	return kb << 10, err
}
