package lab

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// tellsOfPorts says whether the switches say by gNMI whether their ports are up, as softswitch does.
func (l *Lab) tellsOfPorts() bool {
	program, _, _ := strings.Cut(l.Config.Switch, " ")
	return filepath.Base(program) != "simple_switch_grpc"
}

// checkPorts pulls the cable of a worker out, from the worker's side, and puts it back in: the port of its switch goes down
// and comes up on the command line, in gNMI and in the findings, and the timeline of the node has both. Of switches that do not tell, no port may be said to be up or down.
func (c *checked) checkPorts() {
	workers := c.Topology.Workers(c.blue.name())
	worker := workers[len(workers)-1]
	if !c.tellsOfPorts() {
		c.settles("nothing is said of ports whose switches do not tell", c.compareUntold)
		return
	}
	c.settles("every port is up", func() (string, []string, error) { return c.comparePorts("") })
	since := time.Now()
	if err := c.cable(worker, "down"); err != nil {
		c.report.Check("pull the cable of "+worker.Name, func() (string, []string, error) { return "", nil, err })
		return
	}
	where := worker.Port.Switch + "/" + worker.Port.Interface()
	c.settles("a cable that is pulled: its port is down, and no other", func() (string, []string, error) { return c.comparePorts(where) })
	c.settles("a finding says that pods are behind it", func() (string, []string, error) {
		said, err := ask[check.Finding](c.Lab, "findings")
		return where, check.Findings(said, []string{"port-down critical  port " + where}, "port-down"), err
	})
	err := c.cable(worker, "up")
	c.settles("the cable is in again: its port is up", func() (string, []string, error) {
		detail, differences, failed := c.comparePorts("")
		return detail, differences, errors.Join(err, failed)
	})
	c.settles("both are in the timelines of the port and of the node", func() (string, []string, error) {
		var differences []string
		for _, topic := range [][]string{{"port", worker.Port.Switch, worker.Port.Interface()}, {"node", worker.Name, "--cluster", c.blue.name()}} {
			said, err := ask[check.Happening](c.Lab, append(append([]string{"timeline"}, topic...), "--since", since.UTC().Format(time.RFC3339Nano))...)
			if err != nil {
				return "", nil, err
			}
			var of []string
			for _, h := range said {
				if h.Kind == "port" && h.Object == where {
					of = append(of, h.What)
				}
			}
			if !slices.Equal(of, []string{"down", "up"}) {
				differences = append(differences, fmt.Sprintf("timeline %s says of %s: %q", strings.Join(topic, " "), where, of))
			}
		}
		return where, differences, nil
	})
}

// cable sets the link of a host up or down.
func (c *checked) cable(h topology.Host, state string) error {
	return c.eachHost(func(each topology.Host, ip func(args ...string) error) error {
		if each.Name != h.Name {
			return nil
		}
		if state == "up" {
			return connect(each, c.Topology, ip)
		}
		return ip("link", "set", each.Name+"-eth0", "down")
	})
}

// comparePorts holds the states of all ports, on the command line and in openconfig-interfaces, against that one is down, or none.
func (c *checked) comparePorts(down string) (string, []string, error) {
	switches, err := ask[check.Switch](c.Lab, "switches")
	if err != nil {
		return "", nil, err
	}
	var differences []string
	ports := 0
	for _, s := range switches {
		leaves, err := c.gnmi.OnceAt(c.ctx, s.Name, "/interfaces/interface/state/oper-status")
		if err != nil {
			return "", nil, err
		}
		for _, p := range s.Ports {
			ports++
			want := "up"
			if s.Name+"/"+p.Name == down {
				want = "down"
			}
			gnmi := leaves["/interfaces/interface[name="+p.Name+"]/state/oper-status"]
			if p.Oper != want || gnmi != strings.ToUpper(want) {
				differences = append(differences, fmt.Sprintf("%s/%s is %s (%s), in gNMI %s; want %s", s.Name, p.Name, p.Oper, p.Unknown, gnmi, want))
			}
		}
	}
	return fmt.Sprintf("%d ports", ports), differences, nil
}

func (c *checked) compareUntold() (string, []string, error) {
	switches, err := ask[check.Switch](c.Lab, "switches")
	var differences []string
	reason := ""
	for _, s := range switches {
		for _, p := range s.Ports {
			if reason = p.Unknown; p.Oper != "unknown" || reason == "" {
				differences = append(differences, fmt.Sprintf("%s/%s is %s (%s)", s.Name, p.Name, p.Oper, p.Unknown))
			}
		}
	}
	return reason, differences, err
}
