package conformance

import (
	"context"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cases(t *testing.T) []Case {
	t.Helper()
	names, err := Names()
	if err != nil {
		t.Fatal(err)
	}
	var list []Case
	for _, n := range names {
		c, err := Load(n)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

func check(t *testing.T, r *stf.Result) {
	t.Helper()
	for _, p := range r.Problems {
		t.Error(p)
	}
	if r.Packets == 0 || r.Expectations == 0 {
		t.Errorf("%d packets and %d expectations: the case tests nothing", r.Packets, r.Expectations)
	}
}

func TestEngine(t *testing.T) {
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			check(t, c.Program.Run(c.Script, c.Program.NewSwitch(engine.Options{}), io.Discard))
		})
	}
}

func TestOverP4Runtime(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := StartInProcess(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range cases(t) {
		t.Run(c.Name, func(t *testing.T) {
			r, err := Run(ctx, d, c, TopOfSoftswitch, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			check(t, r)
		})
	}
}
