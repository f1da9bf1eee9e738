package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

// network is the Mininet script as a child process, followed by two pipes (see lab.py).
type network struct {
	command *exec.Cmd
	control *os.File
	hosts   map[string]int // process IDs in the hosts' namespaces
	ended   chan struct{}
	err     error // of the script, once ended is closed
}

// networkSpec is what the script is told.
type networkSpec struct {
	script, topology, program, logs string
	environment                     []string // for the prompt's commands
	stdin                           io.Reader
}

// startNetwork starts the script and waits until every switch listens.
func startNetwork(ctx context.Context, s networkSpec) (*network, error) {
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer readyRead.Close()
	controlRead, controlWrite, err := os.Pipe()
	if err != nil {
		readyWrite.Close()
		return nil, err
	}
	args := []string{s.script, "--topology", s.topology, "--switch", s.program, "--log-dir", s.logs, "--ready-fd", "3", "--control-fd", "4"}
	// Debian's Mininet is of Debian's own Python.
	n := &network{command: exec.Command("/usr/bin/python3", args...), control: controlWrite, ended: make(chan struct{})}
	n.command.Stdin, n.command.Stdout, n.command.Stderr = s.stdin, os.Stdout, os.Stderr
	n.command.Env = append(os.Environ(), s.environment...)
	n.command.ExtraFiles = []*os.File{readyWrite, controlRead}
	err = n.command.Start()
	readyWrite.Close()
	controlRead.Close()
	if err != nil {
		controlWrite.Close()
		return nil, fmt.Errorf("start the Mininet script: %w", err)
	}
	go func() {
		n.err = n.command.Wait()
		close(n.ended)
	}()
	stop := context.AfterFunc(ctx, func() { readyRead.SetReadDeadline(time.Now()) })
	defer stop()
	if err := json.NewDecoder(readyRead).Decode(&n.hosts); err != nil {
		n.stop()
		return nil, errors.Join(fmt.Errorf("the fabric did not come up; its logs are in %s", s.logs), n.err)
	}
	return n, nil
}

// prompt gives the terminal to Mininet's prompt until the user leaves it or ctx ends.
func (n *network) prompt(ctx context.Context) error {
	// Interrupts are for the command that runs at the prompt.
	signal.Ignore(os.Interrupt)
	if _, err := n.control.WriteString("cli\n"); err != nil {
		return err
	}
	select {
	case <-n.ended:
		return n.err
	case <-ctx.Done():
		return nil
	}
}

// stop takes the fabric down.
func (n *network) stop() {
	n.control.Close()
	timer := time.AfterFunc(30*time.Second, func() { n.command.Process.Kill() })
	defer timer.Stop()
	<-n.ended
}

// writeTopology puts the topology where the script can read it.
func writeTopology(directory string, text []byte) (string, error) {
	path := filepath.Join(directory, "topology.json")
	return path, os.WriteFile(path, text, 0o644)
}
