package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// snapLength is how much of a frame is kept: more than all headers that tshark counts by.
const snapLength = 256

// capture is what enters at one switch port, captured by a tcpdump. Of what enters and leaves,
// tcpdump chooses by what the kernel says of each frame: dumpcap would have to do that with a
// filter, which in its first buffers cannot see the direction, and loses frames for that.
type capture struct {
	port, path, log string
	process         *process.Process
}

// startCapture captures what enters at any switch port. Each frame on a cable enters at one.
func (l *Lab) startCapture() error {
	directory := filepath.Join(l.Config.Directory, "capture")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	for _, s := range l.Topology.Switches {
		for _, p := range l.Topology.Peers(s.Name) {
			port := p.Port.Interface()
			c := &capture{port: port, path: filepath.Join(directory, port+".pcap"), log: filepath.Join(l.Config.Directory, "log", "tcpdump-"+port+".log")}
			var err error
			c.process, err = process.Start(process.Spec{Name: "tcpdump", Path: "/usr/bin/tcpdump", Log: c.log,
				Args: []string{"-i", port, "-Q", "in", "-s", strconv.Itoa(snapLength), "-B", "16384", "-Z", "root", "-w", c.path}})
			if err != nil {
				return err
			}
			l.undo(func() { c.process.Stop(stopGrace) })
			l.captures = append(l.captures, c)
		}
	}
	return l.poll("tcpdump to capture", func() error {
		for _, c := range l.captures {
			if err := c.begun(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *capture) begun() error {
	select {
	case <-c.process.Done():
		return fmt.Errorf("%w: %w", errGivenUp, c.process.Err())
	default:
	}
	text, err := os.ReadFile(c.log)
	if err == nil && !bytes.Contains(text, []byte("listening on")) {
		err = errors.New("it has not begun")
	}
	return err
}

// dropped is what tcpdump says at its end.
var dropped = regexp.MustCompile(`(\d+) packets? dropped by kernel`)

// end ends the captures. One that missed frames proves nothing, and is an error.
func (l *Lab) endCapture() error {
	for _, c := range l.captures {
		c.process.Stop(stopGrace)
		text, err := os.ReadFile(c.log)
		if err != nil {
			return err
		}
		switch drops := dropped.FindSubmatch(text); {
		case drops == nil:
			return fmt.Errorf("tcpdump does not say whether it dropped frames; see %s", c.log)
		case string(drops[1]) != "0":
			return fmt.Errorf("tcpdump dropped %s frames at %s", drops[1], c.port)
		}
	}
	return nil
}

// captured counts the captures with tshark.
func (l *Lab) captured(ctx context.Context) (*check.Captured, error) {
	tshark, err := check.NewTshark(ctx, tunnels())
	if err != nil {
		return nil, err
	}
	defer tshark.Close()
	all := check.NewCaptured()
	for _, c := range l.captures {
		if err := all.Read(ctx, c.port, c.path, tshark); err != nil {
			return nil, err
		}
	}
	return all, nil
}
