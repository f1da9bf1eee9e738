package ports

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// All causes of drops are in the metric, each once, and their sum is what Dropped says.
func TestDropsAreOneMetric(t *testing.T) {
	s, err := New(memory(1), Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := &s.ports[0].counts
	want := 0.0
	for i, v := range []interface{ Add(uint64) uint64 }{&c.rxQueueFull, &c.rxOversize, &c.rxLinkDown,
		&c.txQueueFull, &c.txLinkDown, &c.txRefused, &c.lost, &c.delayFull} {
		v.Add(1 << i)
		want += float64(int(1) << i)
	}
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(NewCollector(s)); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum, causes := 0.0, 0
	for _, f := range families {
		if f.GetName() == "fabricscope_ports_drops_total" {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
				causes++
			}
		}
	}
	if sum != want || causes != 8 || s.Stats()[0].Dropped() != uint64(want) {
		t.Errorf("%d causes with a sum of %v, Dropped says %d, want 8 and %v", causes, sum, s.Stats()[0].Dropped(), want)
	}
}
