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
			check(t, c.Program.Run(c.Script, c.Program.NewSwitch(engine.Options{Queues: c.Queues}), io.Discard))
		})
	}
}

// startInProcess starts a switch that ends with the test.
func startInProcess(ctx context.Context, t *testing.T, queues uint64) *InProcess {
	t.Helper()
	d, err := StartInProcess(ctx, queues)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestOverP4Runtime(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switches := map[uint64]*InProcess{}
	for _, c := range cases(t) {
		if switches[c.Queues] == nil {
			switches[c.Queues] = startInProcess(ctx, t, c.Queues)
		}
		t.Run(c.Name, func(t *testing.T) {
			r, err := Run(ctx, switches[c.Queues], c, false, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			check(t, r)
		})
	}
}

// A wrong expectation fails, whatever the target.
func TestWrongExpectationsFail(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d := startInProcess(ctx, t, 1)
	for name, text := range map[string]string{
		"match_exact":    "packet 1 00\nexpect 1 00",
		"counter_direct": "add t data.a:0x01000000/8 set(port:2) = one\ncheck_counter hits($one) packets == 1",
		"packet_io":      "packet 510 01C0 00000000000000000000000000000000\nexpect 3 00000000000000000000000000000000 $",
		"egress":         "packet 1 00000000000000000000000000000000",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if c.Script, err = stf.Parse(name, []byte(text)); err != nil {
				t.Fatal(err)
			}
			r, err := Run(ctx, d, c, false, io.Discard)
			if err != nil || r.Passed() {
				t.Errorf("passed, and an error of %v", err)
			}
		})
	}
}
