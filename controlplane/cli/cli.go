package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Exit statuses.
const (
	exitOK      = 0
	exitFailed  = 1
	exitMisused = 2 // wrong flags or arguments
)

// Surroundings are what a run of the command has around it.
type Surroundings struct {
	Args   []string // without the command's name
	Getenv func(name string) string
	Now    func() time.Time
	Stdout io.Writer
	Stderr io.Writer
	// Terminal gives the columns and rows of the terminal that Stdout is; nil, or false, where it is none.
	Terminal func() (width, height int, ok bool)
}

// Process gives the surroundings of this process.
func Process() Surroundings {
	return Surroundings{Args: os.Args[1:], Getenv: os.Getenv, Now: time.Now, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: terminal}
}

// terminal looks at what standard output is.
func terminal() (width, height int, ok bool) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	return width, height, err == nil
}

// Main runs the command until it ends or is interrupted, and gives its exit status.
func Main(s Surroundings) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, s)
}

// Run is Main with a context in the place of the interrupt.
func Run(ctx context.Context, s Surroundings) int {
	err := newCommand(s).ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(s.Stderr, "fabricscope:", err)
	var failed *failure
	if errors.As(err, &failed) {
		return exitFailed
	}
	fmt.Fprintln(s.Stderr, "See fabricscope --help.")
	return exitMisused
}

// failure is an error of the run, not of how it was called.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(format string, args ...any) error { return &failure{fmt.Errorf(format, args...)} }

func newCommand(s Surroundings) *cobra.Command {
	o := &options{Surroundings: s}
	root := &cobra.Command{
		Use:   "fabricscope",
		Short: "See Kubernetes from the fabric: where pods sit and who talks to whom",
		Long: `fabricscope asks a Fabricscope daemon, over gNMI, for now or for any past moment.

Names in filters may be parts of names; where something has exactly the name given, only
that is meant. The environment can hold the connection: FABRICSCOPE_ADDRESS,
FABRICSCOPE_TLS_CA, FABRICSCOPE_TLS_SKIP_VERIFY, FABRICSCOPE_TLS_CERT, FABRICSCOPE_TLS_KEY,
FABRICSCOPE_USERNAME, FABRICSCOPE_PASSWORD, FABRICSCOPE_PASSWORD_FILE and FABRICSCOPE_TIMEOUT.`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return o.prepare()
		},
	}
	root.SetArgs(s.Args)
	root.SetOut(s.Stdout)
	root.SetErr(s.Stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	o.addFlags(root.PersistentFlags())
	root.AddCommand(podsCommand(o), servicesCommand(o), flowsCommand(o), edgesCommand(o), findingsCommand(o), switchesCommand(o), linksCommand(o),
		timelineCommand(o), diffCommand(o), portCommand(o), impactCommand(o), accountingCommand(o),
		getCommand(o), watchCommand(o), exportCommand(o))
	return root
}
