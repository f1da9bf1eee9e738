package verify

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// inside, in the environment, says that the namespace is there.
const inside = "FABRICLAB_VERIFY_INSIDE"

const usage = `fabriclab verify replays captures into a switch and compares the counts with tshark's.

usage: fabriclab verify [--switch COMMAND] [--rate N] [--slots N] PCAP...

Captures of Ethernet are replayed as they are. Those of IP behind another header (raw IP, Linux
cooked, BSD loopback, PPP, Cisco's HDLC) get an Ethernet header for it. What cannot be replayed is left out of both
counts, and the answer says how much that was.

  --switch COMMAND   softswitch or simple_switch_grpc (default: softswitch beside this program)
  --rate N           frames a second at most (default: 5000, and 500 with simple_switch_grpc)
  --slots N          of the flow cache, a power of two: few of them are pressure (default: 16384)
`

var errUsage = errors.New("usage")

// Main is `fabriclab verify` with these arguments. It gives the exit status: 0 when everything
// is equal, 1 for a difference or a failure, 2 for a wrong call.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := options(args, stdout, stderr)
	switch {
	case err == nil && os.Geteuid() != 0:
		err = errors.New("it makes a network namespace: run it as root")
	case err == nil && os.Getenv(inside) == "":
		return enter(ctx, args, stdout, stderr)
	case err == nil:
		err = Run(ctx, c)
	}
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(stderr, usage)
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "fabriclab verify:", err)
		return 1
	}
	return 0
}

func options(args []string, stdout, stderr io.Writer) (Config, error) {
	c := DefaultConfig()
	c.Output, c.Progress = stdout, stderr
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	c.Binaries = filepath.Dir(self)
	c.Directory = filepath.Join(os.TempDir(), fmt.Sprintf("fabriclab-verify-%d", os.Getpid()))
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.Switch, "switch", filepath.Join(c.Binaries, "softswitch"), "")
	flags.IntVar(&c.Rate, "rate", c.Rate, "")
	flags.IntVar(&c.Slots, "slots", c.Slots, "")
	if flags.Parse(args) != nil || flags.NArg() == 0 {
		return c, errUsage
	}
	c.Files = flags.Args()
	return c, c.Validate()
}

// enter runs this program again in a network namespace of its own, and gives its exit status.
func enter(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "fabriclab verify:", err)
		return 1
	}
	// The death of this thread is what the kernel takes for that of the parent.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command := exec.CommandContext(ctx, self, append([]string{"verify"}, args...)...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.Env = append(os.Environ(), inside+"=1")
	command.Stdout, command.Stderr = stdout, stderr
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err = command.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		fmt.Fprintln(stderr, "fabriclab verify:", err)
		return 1
	}
	return command.ProcessState.ExitCode()
}
