package engine

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// queueSwitches are switches of queue.p4 with 8 queues, in both forms. The program's field
// meta.queue is BMv2's qid, which v1model has no name for.
func queueSwitches(t *testing.T, queues uint64) map[string]*Switch {
	t.Helper()
	doc, err := os.ReadFile("testdata/queue.json")
	if err != nil {
		t.Fatal(err)
	}
	const aliases = `"field_aliases" : [`
	text := strings.Replace(string(doc), aliases, aliases+`["queueing_metadata.qid", ["scalars", "meta_t.queue"]],`, 1)
	src, err := bmjson.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	prog, err := Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	closures := *prog
	closures.flat = nil
	out := map[string]*Switch{}
	for name, p := range map[string]*Program{"flat": prog, "plain": &closures} {
		sw := New(p, Options{Queues: queues})
		if err := sw.SetMulticast(7, []Replica{{Port: 2, Instance: 1}, {Port: 3, Instance: 2}}); err != nil {
			t.Fatal(err)
		}
		if err := sw.SetCloneSession(5, CloneSession{Replicas: []Replica{{Port: 4}}}); err != nil {
			t.Fatal(err)
		}
		out[name] = sw
	}
	return out
}

// TestPacketsOfHighPriorityLeaveFirst sends frames in one batch, 10 µs apart. What they say
// behind their number is enq_qdepth, deq_qdepth, deq_timedelta and the queue.
func TestPacketsOfHighPriorityLeaveFirst(t *testing.T) {
	for name, sw := range queueSwitches(t, 8) {
		t.Run(name, func(t *testing.T) {
			var out recorder
			b := sw.BeginBatch(&out)
			for i, frame := range []string{"000001", "000702", "000003", "020704", "010105", "000106"} {
				b.Process(uint64(100+10*i), 3, unhex(t, frame+"00000000aa"))
			}
			if len(out.frames) > 0 {
				t.Errorf("%d frames left before the batch ended", len(out.frames))
			}
			b.End()
			want := []sent{
				{1, unhex(t, "00 07 02 00 00 28 07 aa")},
				{2, unhex(t, "02 07 04 00 00 14 07 aa")},
				{3, unhex(t, "02 07 04 00 00 14 07 aa")},
				{1, unhex(t, "00 07 05 00 00 00 07 aa")}, // it came again, with another priority
				{1, unhex(t, "00 01 06 01 00 00 01 aa")},
				{1, unhex(t, "00 00 01 00 01 32 00 aa")},
				{1, unhex(t, "00 00 03 01 00 1e 00 aa")},
			}
			for i, f := range out.frames {
				if i >= len(want) || f.port != want[i].port || hex.EncodeToString(f.frame) != hex.EncodeToString(want[i].frame) {
					t.Errorf("frame %d: port %d, %x", i, f.port, f.frame)
				}
			}
			if len(out.frames) != len(want) {
				t.Errorf("%d frames, want %d", len(out.frames), len(want))
			}
		})
	}
}

// TestQueuesHoldNoMore sends more frames in a batch than may wait: none is lost, and those of
// low priority leave when there is no room.
func TestQueuesHoldNoMore(t *testing.T) {
	for name, sw := range queueSwitches(t, 2) {
		t.Run(name, func(t *testing.T) {
			var out recorder
			b := sw.BeginBatch(&out)
			for i := range byte(200) {
				b.Process(100, 3, []byte{0, i % 2, i, 0, 0, 0, 0})
				if want := max(int(i)+1-maxWaiting, 0); len(out.frames) != want {
					t.Fatalf("%d frames left, want %d", len(out.frames), want)
				}
			}
			b.Process(100, 3, []byte{0, 2, 0, 0, 0, 0, 0})
			b.End()
			seen := map[byte]bool{}
			for _, f := range out.frames {
				seen[f.frame[2]] = true
			}
			if len(out.frames) != 200 || len(seen) != 200 || sw.Stats().NoQueue != 1 {
				t.Errorf("%d frames, %d of them different, %+v", len(out.frames), len(seen), sw.Stats())
			}
		})
	}
}

// TestEndlessCopiesEnd has packets that copy themselves, or come again, for ever.
func TestEndlessCopiesEnd(t *testing.T) {
	for _, queues := range []uint64{1, 8} {
		for name, sw := range queueSwitches(t, queues) {
			for frame, want := range map[string]int{"1300": maxPasses, "1400": 0} {
				var out recorder
				sw.Process(100, 3, unhex(t, frame+"00000000aa00"), &out)
				if len(out.frames) != want {
					t.Errorf("%d queues, %s, %s: %d frames, want %d", queues, name, frame, len(out.frames), want)
				}
			}
			if got := sw.Stats().PassLimit; got != 2 {
				t.Errorf("%d queues, %s: the limit was reached %d times", queues, name, got)
			}
		}
	}
}
