package restarts

import (
	"os"
	"strconv"
	"testing"
)

// number is one of the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// suffer brings on the faults, in an order and at moments of the seed's. RESTARTS_STEPS is how many:
// all of them once, if it is not given.
func (w *world) suffer(faults ...func()) {
	w.t.Helper()
	for n := range number(w.t, "RESTARTS_STEPS", uint64(len(faults))) {
		if n%uint64(len(faults)) == 0 {
			w.random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		}
		w.traffic()
		faults[n%uint64(len(faults))]()
	}
	w.traffic()
}

// As long as nobody else takes anything out of the flow cache, and no flow is pushed out of it
// while nobody listens, nothing is missing at all.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	if os.Getenv(switchCommand) == "" {
		t.Parallel()
	}
	seed := number(t, "RESTARTS_SEED", 1)
	w := newWorld(t, seed)
	w.suffer(w.killed, w.cut, w.swallowed, w.killed)
	if own, ok := w.target.(*inProcess); ok && own.evicted > 0 {
		t.Fatalf("%d flows were pushed out of the cache: the flows of the test collide", own.evicted)
	}
	if missing := w.verify(); missing != 0 {
		t.Errorf("seed %d: %d of %d packets are in no record", seed, missing, w.sent)
	}
	if n := w.main.metric(t, "fabricscope_track_lost_generations") + w.main.metric(t, "fabricscope_track_unfinished_generations"); n != 0 {
		t.Errorf("%v generations are said to be lost", n)
	}
}

// Whatever happens, every packet that is missing is said to be.
func TestWhatIsMissingIsSaidToBe(t *testing.T) {
	if os.Getenv(switchCommand) == "" {
		t.Parallel()
	}
	seed := number(t, "RESTARTS_SEED", 1)
	w := newWorld(t, seed)
	w.suffer(w.killed, w.takenOver, w.switched, w.flooded, w.switchedMeanwhile, w.switchedAndKilled)
	missing := w.verify()
	t.Logf("seed %d: %d of %d packets are in no record and said to be lost; %v new incarnations", seed, missing, w.sent, w.restarts)
}
