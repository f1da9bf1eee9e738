package cluster

import (
	"context"
	"fmt"
	"slices"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// restart asks Run to restart the component with an index in its stages.
type restart struct {
	index int
	done  chan error
}

// Restart kills a component of a cluster that is ready, as kill -9 does, and returns once another in its place answers.
// The rest goes on meanwhile, as well as it can.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	i := slices.IndexFunc(slices.Concat(c.stages()...), func(one component) bool { return one.name == name })
	if i < 0 {
		return fmt.Errorf("cluster %s: restart %s: there is no such component", c.config.Name, name)
	}
	r := restart{i, make(chan error, 1)}
	select {
	case c.restarts <- r:
	case <-ctx.Done():
		return fmt.Errorf("cluster %s: restart %s: %w", c.config.Name, name, context.Cause(ctx))
	}
	return <-r.done
}

// again does what Restart asked for. An error is told to both: the cluster is not whole after it.
func (c *Cluster) again(ctx context.Context, running []*process.Process, r restart) error {
	one := slices.Concat(c.stages()...)[r.index]
	running[r.index].Kill()
	started, err := c.start(one)
	if err == nil {
		running[r.index] = started
		err = c.await(ctx, one, started)
	}
	r.done <- err
	return err
}
