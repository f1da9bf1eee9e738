package check

import (
	"slices"
	"testing"
)

// TestDifferences finds every way in which two counts can differ.
func TestDifferences(t *testing.T) {
	flow, other, bucket := Frame{Interface: "sw1", Protocol: 6}, Frame{Interface: "sw1", Protocol: 17}, Bucket{"sw1", classLLDP}
	count := func() *Captured {
		return &Captured{Flows: map[Frame]Count{flow: {2, 200}}, Buckets: map[Bucket]Count{bucket: {1, 60}}, Total: Count{3, 260}}
	}
	if got := Differences(count(), count()); len(got) != 0 {
		t.Fatalf("equal counts: %v", got)
	}
	for name, c := range map[string]struct {
		change func(*Captured)
		want   Difference
	}{
		"a byte less":    {func(c *Captured) { c.Flows[flow] = Count{2, 199} }, Difference{flow.String(), Count{2, 200}, Count{2, 199}}},
		"a flow missing": {func(c *Captured) { delete(c.Flows, flow) }, Difference{flow.String(), Count{2, 200}, Count{}}},
		"a flow extra":   {func(c *Captured) { c.Flows[other] = Count{1, 1} }, Difference{other.String(), Count{}, Count{1, 1}}},
		"a bucket empty": {func(c *Captured) { clear(c.Buckets) }, Difference{"sw1: class lldp", Count{1, 60}, Count{}}},
		"another bucket": {func(c *Captured) { c.Buckets[Bucket{"sw1", classOther}] = Count{1, 60} }, Difference{"sw1: class other", Count{}, Count{1, 60}}},
		"another total":  {func(c *Captured) { c.Total.Packets++ }, Difference{"all frames", Count{3, 260}, Count{4, 260}}},
	} {
		said := count()
		c.change(said)
		if got := Differences(said, count()); !slices.Equal(got, []Difference{c.want}) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestPortAccount(t *testing.T) {
	switches := parse[[]Switch](t, `[{"name": "leaf1", "ports": [{"name": "sw10"}, {"name": "sw1", "accounting": {"port-packets": 9, "port-bytes": 900,
		"record-packets": 5, "record-bytes": 500, "buckets": {"lldp": {"packets": 3, "bytes": 300}, "other": {"packets": 0, "bytes": 0}}}}]}]`)
	a, err := PortAccount(switches, "sw1")
	if err != nil || a.Port != (Count{9, 900}) || len(a.Buckets) != 1 || a.Unexplained() != (Count{1, 100}) {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := PortAccount(switches, "sw2"); err == nil {
		t.Error("no error without the port")
	}
}
