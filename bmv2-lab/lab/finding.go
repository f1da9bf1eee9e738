package lab

import (
	"errors"
	"fmt"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// closedPort is one that nobody listens on, at any worker.
const closedPort = 9

// knock lets the client outside ask a worker on a port where nobody listens, until the traffic ends.
func (c *checked) knock() error {
	workers := c.Topology.Workers(c.blue.name())
	if len(workers) == 0 {
		return errors.New("the topology has no worker of " + c.blue.name())
	}
	host, err := c.host("client")
	if err != nil {
		return err
	}
	c.knocked = fmt.Sprintf("refused-port critical %s node %s:%d", c.blue.name(), workers[0].Name, closedPort)
	c.knocker, err = c.inHost(host.Name, "client", "--rate", "1", "--target", fmt.Sprintf("http://%s:%d/", workers[0].Address.Addr(), closedPort))
	if err == nil {
		c.undo(func() { c.knocker.Stop(stopGrace) })
	}
	return err
}

// checkFindings: the port that refuses is found, and no other that refuses or does not answer; and of links the one that loses frames.
func (c *checked) checkFindings() {
	c.settles("findings: the port that refuses, the cable that loses frames, and no other", func() (string, []string, error) {
		said, err := ask[check.Finding](c.Lab, "findings")
		if err != nil {
			return "", nil, err
		}
		want := []string{c.knocked}
		if faulty, err := c.faultyCable(); err == nil {
			want = append(want, "lossy-link major  link "+faulty.String())
		}
		return fmt.Sprintf("%d findings", len(said)), check.Findings(said, want, "refused-port", "unanswered-port", "lossy-link"), nil
	})
	c.knocker.Stop(stopGrace)
}
