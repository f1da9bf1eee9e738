package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Record is a flow record as `fabricscope export flows` gives it.
type Record struct {
	Conversation      string   `json:"conversation"`
	ForwardPackets    uint64   `json:"forward_packets"`
	ForwardBytes      uint64   `json:"forward_bytes"`
	ForwardPath       string   `json:"forward_path"`
	ForwardHopPackets []uint64 `json:"forward_hop_packets"`
	ForwardHopBytes   []uint64 `json:"forward_hop_bytes"`
	ReversePackets    uint64   `json:"reverse_packets"`
	ReverseBytes      uint64   `json:"reverse_bytes"`
	ReversePath       string   `json:"reverse_path"`
	ReverseHopPackets []uint64 `json:"reverse_hop_packets"`
	ReverseHopBytes   []uint64 `json:"reverse_hop_bytes"`
}

// Records reads records as JSON lines.
func Records(text []byte) (out []Record, err error) {
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var r Record
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return out, fmt.Errorf("flow records: %w", err)
		}
		out = append(out, r)
	}
}

// recordSums are what records add up to, by conversation and place, as switch/port.
type recordSums map[[2]string]Count

func (s recordSums) add(id, place string, n Count) {
	k := [2]string{id, place}
	s[k] = Count{Packets: s[k].Packets + n.Packets, Bytes: s[k].Bytes + n.Bytes}
}

func (s recordSums) direction(id, path string, all Count, packets, bytes []uint64) {
	for i, hop := range strings.Fields(path) {
		place, _, _ := strings.Cut(strings.TrimSuffix(hop, "?"), "=")
		n := all
		if len(packets) > i && len(bytes) > i {
			n = Count{Packets: packets[i], Bytes: bytes[i]}
		}
		s.add(id, place, n)
	}
}

// SameSums tells where records do not add up to what conversations counted, hop by hop.
func SameSums(records []Record, flows []Flow) (differences []string) {
	said, want := recordSums{}, recordSums{}
	for _, r := range records {
		said.direction(r.Conversation, r.ForwardPath, Count{Packets: r.ForwardPackets, Bytes: r.ForwardBytes}, r.ForwardHopPackets, r.ForwardHopBytes)
		said.direction(r.Conversation, r.ReversePath, Count{Packets: r.ReversePackets, Bytes: r.ReverseBytes}, r.ReverseHopPackets, r.ReverseHopBytes)
	}
	for _, f := range flows {
		for _, h := range slices.Concat(f.Forward.Hops, f.Reverse.Hops) {
			want.add(f.ID, h.Switch+"/"+h.Port, Count{Packets: h.Packets, Bytes: h.Bytes})
		}
	}
	keys := maps.Clone(want)
	maps.Copy(keys, said)
	for k := range keys {
		if said[k] != want[k] {
			differences = append(differences, fmt.Sprintf("conversation %s at %s: flow records add up to %s, it counted %s", k[0], k[1], said[k], want[k]))
		}
	}
	slices.Sort(differences)
	return differences
}
