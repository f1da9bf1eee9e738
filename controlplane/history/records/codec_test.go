package records

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

func oneRecord() Record {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	place := &Place{Switch: "leaf1", Port: "Ethernet1", Outer: flow.Outer{Kind: flow.Geneve, VNI: 1 << 23, Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2")}}
	return Record{Time: at, Conversation: "0123456789abcdef", Protocol: flow.UDP, ICMPType: 0, Opaque: flow.OpaqueESP,
		Client: End{netip.MustParseAddr("10.0.0.1"), 65535, &flow.Identity{Cluster: "blue", Pod: "a", Workload: "Job/x"}},
		Server: End{netip.Addr{}, 0, &flow.Identity{Why: "unknown"}}, First: at.Add(-time.Hour), Last: at, Verdict: Lost,
		Handshake: flow.Handshake{State: flow.HalfOpen, SYNs: 255, SYNACKs: 1, ServerRTT: time.Second},
		Forward: Direction{Counters: flow.Counters{Packets: 1 << 60, Bytes: 1}, Flags: 255, Lost: -5, Within: 7,
			Hops: []Hop{{place, flow.Counters{Packets: 3, Bytes: 4}, true}, {place, flow.Counters{}, false}}}}
}

// FuzzPayload feeds the decoders of the log: they give an error, or what encodes again.
func FuzzPayload(f *testing.F) {
	e := newEncoder()
	r := oneRecord()
	f.Add(e.batch(7, []Record{r, r}))
	t := &totals{}
	t.add(&r)
	f.Add(e.totals(map[string]*totals{r.Conversation: t}))
	f.Add([]byte{batchVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		number, batch, err := decodeBatch(payload, newInterner())
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error is not %v: %v", ErrCorrupt, err)
			}
		} else if again, list, err := decodeBatch(newEncoder().batch(number, batch), newInterner()); err != nil || again != number || !reflect.DeepEqual(batch, list) {
			t.Fatalf("encoded again: %v, %+v; was %+v", err, list, batch)
		}
		if _, err := decodeTotals(payload, newInterner()); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error is not %v: %v", ErrCorrupt, err)
		}
	})
}

// TestCutPayloads ends a payload at every byte.
func TestCutPayloads(t *testing.T) {
	payload := newEncoder().batch(7, []Record{oneRecord(), oneRecord()})
	if _, batch, err := decodeBatch(payload, newInterner()); err != nil || !reflect.DeepEqual(batch[1], oneRecord()) {
		t.Fatalf("whole: %v, %+v", err, batch)
	}
	for n := range payload {
		if _, _, err := decodeBatch(payload[:n], newInterner()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}
