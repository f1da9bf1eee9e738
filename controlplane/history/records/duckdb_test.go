package records_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// duckDB gives the rows that DuckDB answers some statements with. Files are named relative to dir.
func duckDB(t *testing.T, dir string, statements ...string) (rows []map[string]any) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"run", "-C", "duckdb", ".",
		fmt.Sprintf("SET file_search_path = '%s'", dir), "SET TimeZone = 'UTC'"}, statements...)...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("DuckDB: %v\n%s", err, problems.String())
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	for d.More() {
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// documented gives the statement for DuckDB in the document of the format.
func documented(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("../../../docs/formats/records.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(doc), "\n    SELECT")
	statement, _, ends := strings.Cut(rest, ";\n")
	if !found || !ends {
		t.Fatal("the document has no statement")
	}
	return "SELECT" + statement
}

// TestDuckDB has another engine read what a store wrote: segments as they are, of which one was compacted, and exports.
func TestDuckDB(t *testing.T) {
	cfg := config(t)
	c := newClock(epoch)
	s, _ := start(t, cfg, c.now)
	want := sample(31, 900)
	for part := range slices.Chunk(want, 300) {
		appendAll(t, s, part)
		if err := s.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.Status().Records == 600 {
			c.set(epoch.Add(3 * time.Hour))
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.set(epoch)
		}
	}
	if st := s.Status(); st.Segments != 2 || st.Records != 900 {
		t.Fatalf("status is %+v", st)
	}
	export(t, s, records.Parquet, filepath.Join(cfg.Dir, "flows.parquet"))
	export(t, s, records.JSONLines, filepath.Join(cfg.Dir, "flows.jsonl"))
	t.Run("rows", func(t *testing.T) { checkRows(t, cfg.Dir, "'segments/*.parquet'", want, false) })
	t.Run("order", func(t *testing.T) { checkOrder(t, cfg.Dir) })
	t.Run("documented", func(t *testing.T) { checkDocumented(t, cfg.Dir, want) })
	t.Run("export", func(t *testing.T) { checkRows(t, cfg.Dir, "'flows.parquet'", want, true) })
	t.Run("export-jsonl", func(t *testing.T) { checkLines(t, cfg.Dir, want) })
}

func export(t *testing.T, s *records.Store, f records.Format, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if n, err := s.Export(t.Context(), records.Query{}, f, file); n != 900 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
}

// checkRows compares every column of every row with the records.
func checkRows(t *testing.T, dir, from string, want []records.Record, whole bool) {
	t.Helper()
	rows := duckDB(t, dir, "SELECT * FROM "+from+" ORDER BY conversation")
	if len(rows) != len(want) {
		t.Fatalf("%d rows of %d records", len(rows), len(want))
	}
	for i, r := range byConversation(want) {
		if row := columns(&r, whole); !reflect.DeepEqual(rows[i], row) {
			for name, value := range row {
				if !reflect.DeepEqual(rows[i][name], value) {
					t.Errorf("%s of %s is %v, want %v", name, r.Conversation, rows[i][name], value)
				}
			}
			t.Fatalf("%d columns, want %d", len(rows[i]), len(row))
		}
	}
}

// columns are those of a record as docs/formats/records.md has them, in the types of JSON.
func columns(r *records.Record, whole bool) map[string]any {
	row := map[string]any{
		"time": r.Time.Format(time.RFC3339Nano), "conversation": r.Conversation, "protocol": r.Protocol, "icmp_type": r.ICMPType,
		"opaque": r.Opaque, "verdict": r.Verdict, "first": r.First.Format(time.RFC3339Nano), "idle_ms": r.Time.Sub(r.Last).Milliseconds(),
		"handshake": r.Handshake.State, "syns": r.Handshake.SYNs, "syn_acks": r.Handshake.SYNACKs,
		"server_rtt_us": r.Handshake.ServerRTT.Microseconds(), "client_rtt_us": r.Handshake.ClientRTT.Microseconds(),
	}
	for _, e := range []struct {
		side string
		end  *records.End
	}{{"client_", &r.Client}, {"server_", &r.Server}} {
		w := e.end.Who
		for name, value := range map[string]any{"address": e.end.Address.String(), "port": e.end.Port, "cluster": w.Cluster, "namespace": w.Namespace,
			"pod": w.Pod, "pod_uid": w.PodUID, "workload": w.Workload, "service": w.Service, "node": w.Node, "switch": w.Switch,
			"switch_port": w.Port, "reason": w.Why} {
			row[e.side+name] = value
		}
	}
	for _, d := range []struct {
		side   string
		d      *records.Direction
		sender *flow.Identity
	}{{"forward_", &r.Forward, r.Client.Who}, {"reverse_", &r.Reverse, r.Server.Who}} {
		for name, value := range directionColumns(d.d, d.sender, whole) {
			row[d.side+name] = value
		}
	}
	return plain(row)
}

func directionColumns(d *records.Direction, sender *flow.Identity, whole bool) map[string]any {
	row := map[string]any{"packets": d.Packets, "bytes": d.Bytes, "tcp_flags": d.Flags, "lost": d.Lost, "lost_within": d.Within,
		"overlay": "", "vni": 0, "outer_src": "", "outer_dst": ""}
	address := func(a netip.Addr) string {
		if !a.IsValid() {
			return ""
		}
		return a.String()
	}
	var path []string
	packets, octets, differ := []uint64{}, []uint64{}, false
	for i, h := range d.Hops {
		word := h.Switch + "/" + h.Port
		if o := h.Outer; i == 0 {
			row["overlay"], row["vni"], row["outer_src"], row["outer_dst"] = o.Kind.String(), o.VNI, address(o.Src), address(o.Dst)
			if !whole && h.Switch == sender.Switch && h.Port == sender.Port {
				word = "."
			}
		} else if *o != *d.Hops[0].Outer {
			word += fmt.Sprintf("=%v,%d,%s,%s", o.Kind, o.VNI, address(o.Src), address(o.Dst))
		}
		if h.Incomplete {
			word += "?"
		}
		path, packets, octets = append(path, word), append(packets, h.Packets), append(octets, h.Bytes)
		differ = differ || h.Counters != d.Counters
	}
	if !differ {
		packets, octets = []uint64{}, []uint64{}
	}
	row["path"], row["hop_packets"], row["hop_bytes"] = strings.Join(path, " "), packets, octets
	return row
}

// plain gives what JSON makes of values.
func plain(row map[string]any) (out map[string]any) {
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		panic(err)
	}
	return out
}

// checkOrder looks for rows of a segment that are not in the order that the document and the footer say.
func checkOrder(t *testing.T, dir string) {
	t.Helper()
	key := "(server_port, client_address, server_address, first, client_port, time, conversation)"
	rows := duckDB(t, dir, fmt.Sprintf(`SELECT count(*) AS rows, count(*) FILTER (WHERE before > this) AS wrong FROM (
		SELECT %[1]s AS this, lag(%[1]s) OVER (PARTITION BY filename ORDER BY file_row_number) AS before
		FROM read_parquet('segments/*.parquet', filename = true, file_row_number = true))`, key))
	if got := fmt.Sprint(rows); got != "[map[rows:900 wrong:0]]" {
		t.Error(got)
	}
}

// checkDocumented runs the document's statement as it is.
func checkDocumented(t *testing.T, dir string, want []records.Record) {
	t.Helper()
	from := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	sums := map[string]uint64{}
	for _, r := range want {
		if !r.Time.Before(from) {
			sums[r.Server.Who.Service] += r.Forward.Bytes + r.Reverse.Bytes
		}
	}
	rows := duckDB(t, dir, documented(t))
	if len(rows) != len(sums) || len(sums) < 2 {
		t.Fatalf("got %v, want %v", rows, sums)
	}
	last := uint64(1<<64 - 1)
	for _, row := range rows {
		var sum uint64
		for name, value := range row {
			if name != "server_service" {
				if _, err := fmt.Sscan(fmt.Sprint(value), &sum); err != nil {
					t.Fatal(err)
				}
			}
		}
		if service := row["server_service"].(string); sum != sums[service] || sum > last {
			t.Errorf("%q has %d, want %d, and no more than %d before", service, sum, sums[service], last)
		}
		last = sum
	}
}

// checkLines adds up an export as lines of JSON.
func checkLines(t *testing.T, dir string, want []records.Record) {
	t.Helper()
	var bytes, hops uint64
	last := time.Time{}
	for _, r := range want {
		bytes += r.Forward.Bytes
		if c := directionColumns(&r.Reverse, r.Server.Who, true)["hop_packets"].([]uint64); len(c) > 0 {
			hops += uint64(len(c))
		}
		if r.Last.After(last) {
			last = r.Last
		}
	}
	rows := duckDB(t, dir, `SELECT count(*) AS rows, sum(forward_bytes) AS bytes, sum(coalesce(len(reverse_hop_packets), 0)) AS hops,
		max("last"::TIMESTAMPTZ) AS last FROM read_json('flows.jsonl')`)
	if got, want := fmt.Sprint(rows), fmt.Sprintf("[map[bytes:%d hops:%d last:%s rows:%d]]", bytes, hops, last.Format(time.RFC3339Nano), len(want)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
