package restarts

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// switchCommand, in the environment, is the command of the switch under test.
const switchCommand = "RESTARTS_SWITCH"

// Rates, in frames/s, at which the switches lose nothing on a busy machine.
const (
	rateInProcess  = 2000
	rateSoftswitch = 1000
	rateBMv2       = 200
)

// newTarget is the switch under test, and how many frames/s it gets.
func newTarget(t *testing.T) (to target, rate int) {
	command := os.Getenv(switchCommand)
	if command == "" {
		return &inProcess{}, rateInProcess
	}
	p := &process{command: strings.Fields(command)}
	p.plug(t)
	if strings.Contains(command, "simple_switch") {
		return p, rateBMv2
	}
	return p, rateSoftswitch
}

// inNamespace runs the tests, with a switch that is a process in a namespace of their own.
func inNamespace(m *testing.M) int {
	if os.Getenv(switchCommand) == "" || rig.Inside() {
		return m.Run()
	}
	status, err := rig.Enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// process is a switch that runs between veths.
type process struct {
	command []string
	wires   map[uint32]int // packet sockets at our ends
	cmd     *exec.Cmd
}

func (p *process) address() string { return "127.0.0.1:9559" }

// plug makes the veths. Only the test sends on them.
func (p *process) plug(t *testing.T) {
	ip := func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	ip("link set lo up")
	p.wires = map[uint32]int{}
	for _, n := range ports() {
		ours, theirs := fmt.Sprintf("in%d", n), fmt.Sprintf("sw%d", n)
		ip("link add " + ours + " type veth peer name " + theirs)
		for _, end := range []string{ours, theirs} {
			ip("link set " + end + " addrgenmode none")
			ip("link set " + end + " arp off up")
		}
		link, err := net.InterfaceByName(ours)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index})
		}
		if err != nil {
			t.Fatalf("packet socket on %s: %v", ours, err)
		}
		p.wires[n] = fd
		t.Cleanup(func() {
			unix.Close(fd)
			_ = exec.Command("ip", "link", "delete", ours).Run()
		})
	}
}

func (p *process) start(t *testing.T) {
	t.Helper()
	args := append([]string(nil), p.command[1:]...)
	args = append(args, "--device-id", fmt.Sprint(deviceID))
	for _, n := range ports() {
		args = append(args, "-i", fmt.Sprintf("%d@sw%d", n, n))
	}
	args = append(args, "--no-p4", "--", "--grpc-server-addr", p.address(), "--cpu-port", "510", "--drop-port", "511")
	p.cmd = exec.Command(p.command[0], args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) send(port uint32, frame []byte) bool {
	return unix.Send(p.wires[port], frame, 0) == nil
}
