// Package verify holds the whole accounting against tshark: it replays capture files into a
// switch that the daemon controls, asks the operator's CLI for what was counted, and compares
// that with tshark's count of the same files, flow by flow and class by class.
//
// Each file has a port of the switch of its own, so that a flow that is in two files is two
// flows. All of it runs in a network namespace without a name, which the kernel removes with
// the last process in it: nothing of a run can be left over, whatever ends it.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// Config says what to compare, and with what.
type Config struct {
	Files     []string // captures of Ethernet or IP, of any format that tshark reads
	Switch    string   // command: a path to softswitch or simple_switch_grpc
	Binaries  string   // directory of fabricscoped and fabricscope
	Directory string   // of the run, for logs and state; must not exist
	Rate      int      // frames/s that are replayed; 0 is the switch's default
	Slots     int      // of the flow cache; 0 is the daemon's default
	Timeout   time.Duration
	Output    io.Writer
	Progress  io.Writer // of long replays
}

// Rates, in frames/s, at which the switches lose nothing on a busy machine.
const (
	rateSoftswitch = 5000
	rateBMv2       = 500
)

// DefaultConfig replays as fast as the switch bears.
func DefaultConfig() Config {
	return Config{Timeout: time.Minute, Output: os.Stdout, Progress: os.Stderr}
}

// rate is the one that is asked for, or the switch's.
func (c Config) rate() int {
	switch {
	case c.Rate > 0:
		return c.Rate
	case strings.Contains(c.Switch, "simple_switch"):
		return rateBMv2
	}
	return rateSoftswitch
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	switch {
	case len(c.Files) == 0 || c.Switch == "" || c.Directory == "" || c.Output == nil || c.Progress == nil:
		return errors.New("verify: Files, Switch, Directory, Output and Progress must be set")
	case c.Rate < 0 || c.Slots < 0 || c.Timeout <= 0:
		return errors.New("verify: Timeout must be positive, and Rate and Slots not negative")
	}
	for _, name := range []string{"fabricscoped", "fabricscope"} {
		if _, err := os.Stat(filepath.Join(c.Binaries, name)); err != nil {
			return fmt.Errorf("verify: %w: run `make build`", err)
		}
	}
	return nil
}

// ErrDiffers says that a file was counted otherwise than by tshark, or could not be read.
var ErrDiffers = errors.New("the switch and tshark differ, or a file cannot be read")

// portsAtOnce is how many files one switch gets.
const portsAtOnce = 32

// Run compares all files, in the network namespace that it runs in, which has to be empty. It
// is ErrDiffers when there are differences.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	tshark, err := check.NewTshark(ctx, tunnels())
	if err != nil {
		return err
	}
	defer tshark.Close()
	differ := false
	for files := c.Files; len(files) > 0; {
		n := min(len(files), portsAtOnce)
		same, err := batch(ctx, c, tshark, files[:n])
		if err != nil {
			return err
		}
		differ, files = differ || !same, files[n:]
	}
	if differ {
		return ErrDiffers
	}
	return nil
}

// batch compares as many files as one switch has ports for.
func batch(ctx context.Context, c Config, tshark *check.Tshark, files []string) (same bool, err error) {
	if err := os.MkdirAll(filepath.Dir(c.Directory), 0o755); err != nil {
		return false, err
	}
	if err := os.Mkdir(c.Directory, 0o755); err != nil {
		return false, err
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(c.Directory)
		}
	}()
	b := &bench{Config: c}
	same = true
	for i, f := range files {
		p, err := prepare(ctx, f, c.Directory, i+1, tshark)
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			fmt.Fprintf(c.Output, "FAIL %s\n", err)
			same = false
			continue
		}
		b.ports = append(b.ports, p)
	}
	if len(b.ports) == 0 {
		return same, nil
	}
	if err := b.start(ctx); err != nil {
		return false, errors.Join(err, b.stop())
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	for _, p := range b.ports {
		if err := p.replay(ctx, c.rate(), b.breathe, c.Progress); err != nil {
			return false, err
		}
	}
	equal, err := b.compare(ctx)
	return same && equal, errors.Join(err, b.reportDigests(ctx))
}

// tunnels are the daemon's defaults.
func tunnels() check.Tunnels {
	return check.Tunnels{VXLAN: []uint16{4789, 8472}, Geneve: []uint16{6081}}
}
