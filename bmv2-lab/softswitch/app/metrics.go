package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// register publishes what the ports, the worker and the running program count.
func (s *Switch) register() error {
	count := func(name, help string, labels prometheus.Labels, value func() uint64) prometheus.Collector {
		opts := prometheus.CounterOpts{Name: "fabricscope_app_" + name + "_total", Help: help, ConstLabels: labels}
		return prometheus.NewCounterFunc(opts, func() float64 { return float64(value()) })
	}
	program := func(cause string, of func(engine.Stats) uint64) prometheus.Collector {
		return count("program_drops", "Packets that the running program dropped, since it was installed: an action that did not end, "+
			"a failed assertion, a priority without a queue, too many passes.", prometheus.Labels{"cause": cause}, func() uint64 { return of(s.worker.programDrops()) })
	}
	for _, c := range []prometheus.Collector{
		ports.NewCollector(s.set),
		count("no_program_drops", "Frames that came before there was a program.", nil, s.worker.noProgram.Load),
		count("no_controller_drops", "Packet-ins and digests of a program without P4Info.", nil, s.worker.noController.Load),
		program("runaway", func(st engine.Stats) uint64 { return st.Runaways }),
		program("assertion", func(st engine.Stats) uint64 { return st.Assertions }),
		program("no_queue", func(st engine.Stats) uint64 { return st.NoQueue }),
		program("pass_limit", func(st engine.Stats) uint64 { return st.PassLimit }),
	} {
		if err := s.deps.Registry.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}
