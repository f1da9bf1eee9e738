package stf

import (
	"math"
	"math/big"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// parseRates reads RATE:BURST RATE:BURST, the committed one first: units per microsecond, and
// units. P4Runtime, and so the switch, counts units per second and takes whole numbers.
func parseRates(s *scanner) engine.MeterRates {
	var r engine.MeterRates
	r.CIR, r.CBurst = parseRate(s)
	r.PIR, r.PBurst = parseRate(s)
	return r
}

func parseRate(s *scanner) (rate, burst int64) {
	text := s.word("a rate")
	s.punct(":")
	burst = int64(s.number("the burst", math.MaxInt64))
	const longest = 40
	perMicro, ok := new(big.Rat).SetString(text)
	if s.err != nil {
		return 0, 0
	}
	if !ok || len(text) > longest || strings.ContainsAny(text, "eE_xXpP/") {
		s.fail("%q is not a rate", text)
		return 0, 0
	}
	perSecond := perMicro.Mul(perMicro, big.NewRat(1e6, 1))
	if !perSecond.IsInt() || !perSecond.Num().IsInt64() {
		s.fail("a rate of %s per microsecond is not a whole number per second", text)
		return 0, 0
	}
	return perSecond.Num().Int64(), burst
}

// meterSet is meter_set_rates NAME INDEX RATES, and meter_array_set_rates NAME RATES.
type meterSet struct {
	name  string
	index string // empty: all
	rates engine.MeterRates
}

func parseMeterSetRates(s *scanner) command {
	return &meterSet{s.word("a meter"), s.field("the index"), parseRates(s)}
}

func parseMeterArraySetRates(s *scanner) command {
	return &meterSet{s.word("a meter"), "", parseRates(s)}
}

func (c *meterSet) run(x *run) error {
	m, err := x.schema.meter(c.name)
	if err != nil {
		return err
	}
	if c.index != "" {
		return x.setMeter(m, c.index, c.rates)
	}
	for _, i := range x.cells(m.Direct, m.Binding, m.Size) {
		if err := x.setMeter(m, i, c.rates); err != nil {
			return err
		}
	}
	return nil
}

// setMeter sets one meter. The index of a direct one is $ID, or an entry's handle.
func (x *run) setMeter(m bmjson.Meter, index string, r engine.MeterRates) error {
	if m.Direct {
		e, err := x.entryOf("meter "+m.Name, m.Binding, index)
		if err != nil {
			return err
		}
		return x.target.SetDirectMeter(m.Binding, e, r)
	}
	n, err := meterIndex(m, index)
	if err != nil {
		return err
	}
	return x.target.SetMeter(m.Name, n, r)
}

func meterIndex(m bmjson.Meter, index string) (int, error) {
	s := &scanner{}
	n := s.parseNumber("the index", index, math.MaxInt32)
	if s.err == nil && n >= uint64(m.Size) {
		s.fail("meter %s has no index %d, and %d of them", m.Name, n, m.Size)
	}
	return int(n), s.err
}

// meterGet prints a configuration: meter_get_rates NAME INDEX.
type meterGet struct{ name, index string }

func parseMeterGetRates(s *scanner) command {
	return &meterGet{s.word("a meter"), s.field("the index")}
}

func (c *meterGet) run(x *run) error {
	m, err := x.schema.meter(c.name)
	if err != nil {
		return err
	}
	r, set, err := x.rates(m, c.index)
	switch {
	case err != nil:
		return err
	case !set:
		x.print("meter %s(%s): not configured", m.Name, c.index)
	default:
		x.print("meter %s(%s): committed %d/s, burst %d; peak %d/s, burst %d", m.Name, c.index, r.CIR, r.CBurst, r.PIR, r.PBurst)
	}
	return nil
}

func (x *run) rates(m bmjson.Meter, index string) (r engine.MeterRates, set bool, err error) {
	if m.Direct {
		e, err := x.entryOf("meter "+m.Name, m.Binding, index)
		if err != nil {
			return r, false, err
		}
		return x.target.DirectMeter(m.Binding, e)
	}
	n, err := meterIndex(m, index)
	if err != nil {
		return r, false, err
	}
	return x.target.Meter(m.Name, n)
}
