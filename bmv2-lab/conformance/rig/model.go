package rig

import (
	"fmt"
	"os/exec"
)

// Model is a kind of switch.
type Model struct {
	Name string
	// Command is the program, a path or a name on PATH.
	Command string
	// bmv2 says that target options stand behind a bare "--", and that the log is on unless
	// it is switched off.
	bmv2 bool
}

// Softswitch is our switch, as it was built.
func Softswitch(command string) Model { return Model{Name: "softswitch", Command: command} }

// SimpleSwitch is the reference, simple_switch_grpc.
func SimpleSwitch(command string) Model {
	return Model{Name: "simple_switch_grpc", Command: command, bmv2: true}
}

// Installed says whether the program is there.
func (m Model) Installed() bool {
	_, err := exec.LookPath(m.Command)
	return err == nil
}

// CPUPort is the port of packet-ins and packet-outs.
const CPUPort = 510

// arguments starts the switch without a program.
func (m Model) arguments(o Options, prefix, address string) []string {
	args := []string{"--no-p4", "--device-id", fmt.Sprint(o.Device)}
	for _, p := range o.Ports {
		args = append(args, "-i", fmt.Sprintf("%d@%s", p, interfaceName(prefix, p)))
	}
	switch {
	case o.LogFile == "":
		args = append(args, "--log-level", "off")
	case m.bmv2:
		args = append(args, "--log-level", "trace", "--log-flush", "--log-file", o.LogFile)
	default:
		args = append(args, "--log-file", o.LogFile)
	}
	if m.bmv2 {
		args = append(args, "--")
	} else {
		args = append(args, o.Extra...)
	}
	if o.Queues > 0 {
		args = append(args, "--priority-queues", fmt.Sprint(o.Queues))
	}
	return append(args, "--grpc-server-addr", address, "--cpu-port", fmt.Sprint(CPUPort))
}
