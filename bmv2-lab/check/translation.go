package check

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Translation is a connection whose addresses a kernel translated: how its first packet came,
// and how it went on.
type Translation struct {
	Front, Back Tuple
}

// Translations reads what `conntrack -E` printed of new connections of TCP, and gives those whose
// addresses changed.
func Translations(r io.Reader) ([]Translation, error) {
	var list []Translation
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return list, lines.Err()
		}
		if !strings.Contains(lines.Text(), "[NEW] tcp") {
			continue
		}
		// The original direction comes first, the awaited answer's second.
		var values [2]map[string]string
		for _, word := range strings.Fields(lines.Text()) {
			key, value, ok := strings.Cut(word, "=")
			if !ok {
				continue
			}
			for i := range values {
				if values[i] == nil {
					values[i] = map[string]string{}
				}
				if _, taken := values[i][key]; !taken {
					values[i][key] = value
					break
				}
			}
		}
		front, err := tracked(values[0])
		if err != nil {
			return nil, fmt.Errorf("conntrack: %w: %q", err, lines.Text())
		}
		answer, err := tracked(values[1])
		if err != nil {
			return nil, fmt.Errorf("conntrack: %w: %q", err, lines.Text())
		}
		back := Tuple{Protocol: answer.Protocol, Src: answer.Dst, Dst: answer.Src, SrcPort: answer.DstPort, DstPort: answer.SrcPort}
		if front != back {
			list = append(list, Translation{front, back})
		}
	}
}

func tracked(values map[string]string) (t Tuple, err error) {
	t.Protocol = 6
	if t.Src, err = netip.ParseAddr(values["src"]); err != nil {
		return t, err
	}
	if t.Dst, err = netip.ParseAddr(values["dst"]); err != nil {
		return t, err
	}
	for name, port := range map[string]*uint16{"sport": &t.SrcPort, "dport": &t.DstPort} {
		n, err := strconv.ParseUint(values[name], 10, 16)
		if err != nil {
			return t, err
		}
		*port = uint16(n)
	}
	return t, nil
}

// Legs compares the legs of conversations with what the kernels translated: where both crossed
// the fabric they are exactly each other's, and nothing else is joined. It says how many these are.
func Legs(flows []Flow, translations []Translation) (joined int, differences []string) {
	byTuple, wanted := map[Tuple]Flow{}, map[string][]string{}
	for _, f := range flows {
		byTuple[f.Forward.Tuple] = f
	}
	for _, t := range translations {
		front, there := byTuple[t.Front]
		back, crossed := byTuple[t.Back]
		if there && crossed {
			joined++
			wanted[front.ID] = append(wanted[front.ID], back.ID)
			wanted[back.ID] = append(wanted[back.ID], front.ID)
		}
	}
	for _, f := range flows {
		want := wanted[f.ID]
		switch {
		case len(want) == 0 && len(f.Legs) == 0:
		case len(f.Legs) != 1 || !slices.Contains(want, f.Legs[0].ID):
			differences = append(differences, fmt.Sprintf("conversation %s, %v: legs %+v, want %v", f.ID, f.Forward.Tuple, f.Legs, want))
		case f.Legs[0].Side == "back" && f.Legs[0].End.Address != byID(flows, want).Forward.Tuple.Dst:
			differences = append(differences, fmt.Sprintf("conversation %s: the end of its leg is %v", f.ID, f.Legs[0].End))
		case f.Legs[0].Confidence != "exact":
			differences = append(differences, fmt.Sprintf("conversation %s, %v: its leg is a guess: %s", f.ID, f.Forward.Tuple, f.Legs[0].Reason))
		}
	}
	return joined, differences
}

// byID finds a conversation that has one of these.
func byID(flows []Flow, ids []string) Flow {
	return flows[slices.IndexFunc(flows, func(f Flow) bool { return slices.Contains(ids, f.ID) })]
}
