package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/stacks"
	"github.com/fabricscope/fabricscope/bmv2-lab/traffic"
	"github.com/fabricscope/fabricscope/bmv2-lab/verify"
)

const usage = `fabriclab runs Fabricscope's lab on this machine. It needs root.

usage: fabriclab lab   [--switch COMMAND]   the lab, with a prompt at the end
       fabriclab check [--switch COMMAND]   the lab without a terminal: traffic, then checks
       fabriclab verify [--switch COMMAND] [--rate N] [--slots N] PCAP...
                                            replay captures, and compare the counts with tshark's
       fabriclab traffic DIRECTORY          write captures of every kind of traffic there
       fabriclab pressure FLOWS PCAP        write a capture of so many flows: SYNs, datagrams, some that talk
       fabriclab stacks DIRECTORY           the same of what kernels send
       fabriclab kubernetes                 compile Kubernetes if that was not done yet

  --switch COMMAND   softswitch or simple_switch_grpc (default: softswitch beside this program)
  --keep             leave logs and captures although all went well
`

// Main is the command. It gives the exit status: 0, 1 for a failure or a failed check, 2 for
// a wrong call.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var err error
	switch {
	case len(args) > 0 && args[0] == "verify":
		return verify.Main(ctx, args[1:], stdout, stderr)
	case len(args) == 2 && args[0] == "traffic":
		err = traffic.Write(args[1])
	case len(args) == 3 && args[0] == "pressure":
		err = writePressure(args[1], args[2])
	case len(args) == 2 && args[0] == "stacks":
		err = stacks.Write(ctx, args[1])
	case len(args) == 0:
		err = errUsage
	case args[0] == "kubernetes":
		err = buildKubernetes(ctx, stdout)
	case args[0] == "lab":
		err = run(ctx, args[1:], stdout, (*Lab).show)
	case args[0] == "check":
		err = run(ctx, args[1:], stdout, (*Lab).check)
	default:
		err = errUsage
	}
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(stderr, usage)
		return 2
	case err != nil:
		fmt.Fprintln(stderr, "fabriclab:", err)
		return 1
	}
	return 0
}

var errUsage = errors.New("usage")

// writePressure writes a capture of as many flows as text says.
func writePressure(text, path string) error {
	flows, err := strconv.Atoi(text)
	if err != nil || flows < 1 || flows > maxPressure {
		return fmt.Errorf("pressure: %q is not a number of flows from 1 to %d", text, maxPressure)
	}
	return traffic.WriteFile(path, traffic.Pressure(flows))
}

// maxPressure bounds the memory that the frames take until they are written.
const maxPressure = 1_000_000

func buildKubernetes(ctx context.Context, progress io.Writer) error {
	c, err := cluster.DefaultBuildConfig()
	if err != nil {
		return err
	}
	c.Progress = progress
	_, err = cluster.Build(ctx, c)
	return err
}

func run(ctx context.Context, args []string, stdout io.Writer, do func(*Lab, context.Context) error) error {
	c, keep, err := options(args, stdout)
	if err != nil {
		return err
	}
	l, err := New(c)
	if err != nil {
		return err
	}
	err = errors.Join(do(l, ctx), l.Stop())
	if err == nil && !keep {
		err = os.RemoveAll(c.Directory)
	}
	return err
}

// options reads the flags of lab and check.
func options(args []string, stdout io.Writer) (Config, bool, error) {
	c := DefaultConfig()
	c.Progress = stdout
	self, err := os.Executable()
	if err != nil {
		return c, false, err
	}
	c.Binaries = filepath.Dir(self)
	flags := flag.NewFlagSet("fabriclab", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.Switch, "switch", filepath.Join(c.Binaries, "softswitch"), "")
	keep := flags.Bool("keep", false, "")
	if flags.Parse(args) != nil || flags.NArg() > 0 {
		return c, false, errUsage
	}
	if os.Geteuid() != 0 {
		return c, false, errors.New("the lab makes network namespaces: run it as root")
	}
	build, err := cluster.DefaultBuildConfig()
	if err != nil {
		return c, false, err
	}
	c.Kubernetes, err = cluster.Find(build)
	return c, *keep, err
}
