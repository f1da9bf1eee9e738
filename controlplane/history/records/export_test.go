package records_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// TestExportParquetIsASegment exports, and reads the export as a segment of another store.
func TestExportParquetIsASegment(t *testing.T) {
	s, _ := start(t, config(t), newClock(epoch).now)
	want := sample(5, 2000)
	appendAll(t, s, want[:1500])
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, want[1500:])
	var out bytes.Buffer
	if n, err := s.Export(t.Context(), records.Query{}, records.Parquet, &out); n != 2000 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	cfg := config(t)
	dir := filepath.Join(cfg.Dir, "segments")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	name := "flows-20260301T120000.000Z-20260301T130000.000Z-000000000001-000000000009.parquet"
	if err := os.WriteFile(filepath.Join(dir, name), out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	other, _ := start(t, cfg, newClock(epoch).now)
	if d := difference(want, scan(t, other, records.Query{})); d != "" {
		t.Error(d)
	}
}

func TestExportJSONLines(t *testing.T) {
	s, _ := start(t, config(t), newClock(epoch).now)
	want := sample(6, 300)
	appendAll(t, s, want)
	var out bytes.Buffer
	if n, err := s.Export(t.Context(), records.Query{Namespace: "bank"}, records.JSONLines, &out); n == 0 || n == 300 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	known := map[string]records.Record{}
	for _, r := range want {
		known[r.Conversation] = r
	}
	lines := 0
	for text := bufio.NewScanner(&out); text.Scan(); lines++ {
		var got struct {
			Time           time.Time `json:"time"`
			Conversation   string    `json:"conversation"`
			ClientPod      string    `json:"client_pod"`
			ServerNS       string    `json:"server_namespace"`
			ClientNS       string    `json:"client_namespace"`
			ForwardPackets uint64    `json:"forward_packets"`
			HopBytes       []uint64  `json:"reverse_hop_bytes"`
		}
		if err := json.Unmarshal(text.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, text.Text())
		}
		r := known[got.Conversation]
		if !got.Time.Equal(r.Time) || got.ClientPod != r.Client.Who.Pod || got.ForwardPackets != r.Forward.Packets ||
			got.ServerNS != "bank" && got.ClientNS != "bank" || len(got.HopBytes) > len(r.Reverse.Hops) {
			t.Errorf("got %s\nof  %+v", text.Text(), r)
		}
	}
	if lines == 0 {
		t.Error("no lines")
	}
	if _, err := s.Export(t.Context(), records.Query{}, "csv", &out); err == nil {
		t.Error("an unknown format is no error")
	}
}
