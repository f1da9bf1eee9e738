package records

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

func oneRecord() Record {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	place := &Place{Switch: "leaf1", Port: "Ethernet1"}
	outer := &flow.Outer{Kind: flow.Geneve, VNI: 1 << 23, Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2")}
	return Record{Time: at, Conversation: "0123456789abcdef", Protocol: flow.UDP, ICMPType: 0, Opaque: flow.OpaqueESP,
		Client: End{netip.MustParseAddr("10.0.0.1"), 65535, &flow.Identity{Cluster: "blue", Pod: "a", Workload: "Job/x"}},
		Server: End{netip.Addr{}, 0, &flow.Identity{Why: "unknown"}}, First: at.Add(-time.Hour), Last: at, Verdict: Lost,
		Handshake: flow.Handshake{State: flow.HalfOpen, SYNs: 255, SYNACKs: 1, ServerRTT: time.Second},
		Forward: Direction{Counters: flow.Counters{Packets: 1 << 60, Bytes: 1}, Flags: 255, Lost: -5, Within: 7,
			Hops: []Hop{{place, outer, flow.Counters{Packets: 3, Bytes: 4}, true}, {place, outer, flow.Counters{}, false}, {place, outer, flow.Counters{}, true}, {place, outer, flow.Counters{}, true}}}}
}

// FuzzPayload feeds the decoders of the log: they give an error, or what encodes again.
func FuzzPayload(f *testing.F) {
	r := oneRecord()
	f.Add(bytes.Clone(newBatchEncoder().batch(7, []Record{r, r}, nil)))
	t := &totals{}
	t.add(&r)
	f.Add(newBatchEncoder().totals(map[string]*totals{r.Conversation: t}))
	if _, err := replay("testdata/v1-log/wal", func() {}, func(payload []byte) error {
		f.Add(bytes.Clone(payload))
		return nil
	}); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{batchVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		number, batch, err := newBatchDecoder(newInterner()).batch(payload)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error is not %v: %v", ErrCorrupt, err)
			}
		} else if len(batch) == 0 {
			return // none is ever written
		} else if again, list, err := newBatchDecoder(newInterner()).batch(newBatchEncoder().batch(number, batch, nil)); err != nil || again != number || !reflect.DeepEqual(batch, list) {
			t.Fatalf("encoded again: %v, %+v; was %+v", err, list, batch)
		}
		if _, err := newBatchDecoder(newInterner()).totals(payload); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error is not %v: %v", ErrCorrupt, err)
		}
	})
}

// TestCutPayloads ends a payload at every byte.
func TestCutPayloads(t *testing.T) {
	payload := newBatchEncoder().batch(7, []Record{oneRecord(), oneRecord()}, nil)
	if _, batch, err := newBatchDecoder(newInterner()).batch(payload); err != nil || !reflect.DeepEqual(batch[1], oneRecord()) {
		t.Fatalf("whole: %v, %+v", err, batch)
	}
	for n := range payload {
		if _, _, err := newBatchDecoder(newInterner()).batch(payload[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

// TestKeys reads of records what sorts them, passing over the rest.
func TestKeys(t *testing.T) {
	one := oneRecord()
	payload := newBatchEncoder().batch(7, []Record{one, one}, nil)
	read := func(payload []byte) error {
		d := newBatchDecoder(nil)
		_, n, err := d.open(payload)
		for range n {
			k := d.key()
			want := recordKey{one.Time.UnixMilli(), one.First.UnixMilli(), one.Client.addrPort(), one.Server.addrPort()}
			if d.err == nil && k != want {
				t.Errorf("%d bytes: got %+v, want %+v", len(payload), k, want)
			}
		}
		return errors.Join(err, d.end())
	}
	if err := read(payload); err != nil {
		t.Fatal(err)
	}
	for n := range len(payload) {
		if err := read(payload[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

// TestTablesGoOn decodes batches of one file, of which the second refers to what the first has.
func TestTablesGoOn(t *testing.T) {
	e, d := newBatchEncoder(), newBatchDecoder(newInterner())
	one := oneRecord()
	want, of := []Record{one, one}, []*totals{newTotals(), newTotals()}
	first := bytes.Clone(e.batch(1, want, of))
	second := e.batch(2, want, of)
	if !bytes.Contains(first, []byte("Ethernet1")) || bytes.Contains(second, []byte("Ethernet1")) {
		t.Errorf("the first has %q, the second %q", first, second)
	}
	for n, payload := range [][]byte{first, second} {
		if number, batch, err := d.batch(payload); err != nil || number != uint64(n+1) || !reflect.DeepEqual(batch, want) {
			t.Errorf("batch %d: %v, %+v", number, err, batch)
		}
	}
	if _, _, err := newBatchDecoder(newInterner()).batch(second); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the second without the first: %v", err)
	}
}

// TestTotalsAddUp holds totals, through the log as well, against sums of their records hop by hop.
func TestTotalsAddUp(t *testing.T) {
	even, odd := oneRecord(), oneRecord()
	place := &Place{Switch: "spine1", Port: "Ethernet9"}
	for i := range even.Forward.Hops {
		even.Forward.Hops[i] = Hop{Place: &Place{Switch: fmt.Sprint("leaf", i), Port: "Ethernet1"}, Outer: &flow.Outer{}, Counters: even.Forward.Counters}
	}
	other := oneRecord()
	other.Forward.Hops = append([]Hop{{Place: place, Outer: &flow.Outer{}, Counters: flow.Counters{Packets: 9, Bytes: 90}}}, even.Forward.Hops...)
	for _, list := range [][]Record{{even}, {even, even}, {even, odd}, {odd, even}, {even, even, other}, {odd, odd}, {other, even}} {
		type where struct {
			Place
			flow.Outer
		}
		sums := map[where]flow.Counters{}
		all := totals{}
		for i := range list {
			all.add(&list[i])
			for _, h := range list[i].Forward.Hops {
				at := where{*h.Place, *h.Outer}
				sum := sums[at]
				sum.Add(h.Counters)
				sums[at] = sum
			}
		}
		read, err := newBatchDecoder(newInterner()).totals(newBatchEncoder().totals(map[string]*totals{"x": &all}))
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range sums {
			h := &Hop{Place: &at.Place, Outer: &at.Outer}
			if got, again := all.sides[0].counted(h), read["x"].sides[0].counted(h); got != want || again != want {
				t.Errorf("%v: %v, from the log %v, want %v", at, got, again, want)
			}
		}
		if got := len(all.sides[0].hops); got != len(sums) {
			t.Errorf("%d hops, want %d", got, len(sums))
		}
	}
}

// newTotals are those of a conversation that has no record yet.
func newTotals() *totals {
	return &totals{sides: [2]sideTotals{{noted: &noted{}}, {noted: &noted{}}}}
}
