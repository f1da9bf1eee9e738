package lab

import (
	"fmt"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// awaitFabric waits until every switch has its pipeline and every cable was seen: a frame that
// comes before is lost in a switch without a program, and counted nowhere.
func (l *Lab) awaitFabric() error {
	return l.poll("the fabric to be ready", func() error {
		switches, err := ask[check.Switch](l, "switches")
		if err != nil {
			return err
		}
		for _, s := range switches {
			if s.State != "ready" {
				return fmt.Errorf("switch %s is %s: %s", s.Name, s.State, s.Message)
			}
		}
		links, err := ask[check.Link](l, "links")
		if err != nil {
			return err
		}
		if want := 2 * len(l.Topology.Links); len(switches) != len(l.Topology.Switches) || len(links) != want {
			return fmt.Errorf("%d of %d switches and %d of %d links", len(switches), len(l.Topology.Switches), len(links), want)
		}
		return nil
	})
}

// plug sets the hosts' links up.
func (l *Lab) plug() error {
	return l.eachHost(func(h topology.Host, ip func(args ...string) error) error { return connect(h, l.Topology, ip) })
}

// connect sets the link of a host up.
func connect(h topology.Host, t *topology.Topology, ip func(args ...string) error) error {
	if err := ip("link", "set", h.Name+"-eth0", "up"); err != nil {
		return err
	}
	// The kernel forgets the routes of a link that was down.
	return ip("route", "replace", "default", "via", t.Gateway(h.Port.Switch).Addr().String())
}

// unplug sets them down: nothing enters the fabric from then on.
func (l *Lab) unplug() error {
	return l.eachHost(func(h topology.Host, ip func(args ...string) error) error {
		return ip("link", "set", h.Name+"-eth0", "down")
	})
}

// eachHost runs ip(8) in the namespaces of the hosts.
func (l *Lab) eachHost(do func(topology.Host, func(args ...string) error) error) error {
	for _, h := range l.Topology.Hosts {
		ns, err := netns.Open(netns.PathOfPID(l.network.hosts[h.Name]))
		if err != nil {
			return err
		}
		err = do(h, func(args ...string) error {
			_, err := ns.Run(l.ctx, "", "ip", args...)
			return err
		})
		ns.Close()
		if err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
	}
	return nil
}
