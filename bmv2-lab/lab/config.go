// Package lab runs the whole lab on one machine: the fabric in Mininet, a real Kubernetes
// control plane with a node agent per worker host, the daemon, and the shop's traffic. It
// starts them in the order in which they need each other, and stops them in the reverse one.
package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Config says what to run and where its files go.
type Config struct {
	Directory  string // of the run: logs, state, captures; emptied at start
	Binaries   string // of this project: fabricscoped, fabricscope, shop, softswitch
	Kubernetes string // executables of Kubernetes
	Script     string // bmv2-lab/mininet/lab.py
	Switch     string // command of the switches: a path to softswitch or simple_switch_grpc
	Capture    bool   // capture every frame that enters a switch port

	Progress io.Writer     // lines for a person who waits
	Timeout  time.Duration // for each step to be done
}

// DefaultConfig is for a run in a checkout whose binaries are in build.
func DefaultConfig() Config {
	return Config{
		Directory: "/var/tmp/fabricscope-lab", Binaries: "build", Script: filepath.Join("bmv2-lab", "mininet", "lab.py"),
		Progress: os.Stdout, Timeout: 2 * time.Minute,
	}
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	if !filepath.IsAbs(c.Directory) || filepath.Clean(c.Directory) == "/" {
		return fmt.Errorf("lab: Directory %q is not an absolute path below /", c.Directory)
	}
	for _, name := range []string{"fabricscoped", "fabricscope", "shop"} {
		if _, err := os.Stat(filepath.Join(c.Binaries, name)); err != nil {
			return fmt.Errorf("lab: %w: run `make build`", err)
		}
	}
	if _, err := os.Stat(c.Script); err != nil {
		return fmt.Errorf("lab: %w: run in a checkout of Fabricscope", err)
	}
	if c.Switch == "" || c.Kubernetes == "" || c.Progress == nil || c.Timeout <= 0 {
		return errors.New("lab: Switch, Kubernetes, Progress and Timeout must be set")
	}
	return nil
}
