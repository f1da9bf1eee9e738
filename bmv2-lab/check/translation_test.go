package check

import (
	"strings"
	"testing"
)

const conntracked = `    [NEW] tcp      6 120 SYN_SENT src=10.1.9.100 dst=10.1.1.11 sport=43022 dport=30080 [UNREPLIED] src=10.244.2.7 dst=10.244.1.0 sport=8080 dport=27361
    [NEW] tcp      6 120 SYN_SENT src=10.244.1.5 dst=10.244.1.6 sport=50000 dport=80 [UNREPLIED] src=10.244.1.6 dst=10.244.1.5 sport=80 dport=50000
    [NEW] udp      17 30 src=10.244.1.5 dst=10.96.0.10 sport=50000 dport=53 [UNREPLIED] src=10.244.1.9 dst=10.244.1.5 sport=53 dport=50000
    [NEW] tcp      6 120 SYN_SENT src=10.1.9.100 dst=10.1.1.11 sport=43023 dport=30080 [UNREPLIED] src=10.244.1.8 dst=10.244.1.1 sport=8080 dport=43023
`

const legs = `[
{"id": "f", "forward": {"tuple": {"protocol": 6, "src": "10.1.9.100", "dst": "10.1.1.11", "src-port": 43022, "dst-port": 30080}},
 "legs": [{"id": "b", "side": "back", "confidence": "exact", "end": {"address": "10.244.2.7"}}]},
{"id": "b", "forward": {"tuple": {"protocol": 6, "src": "10.244.1.0", "dst": "10.244.2.7", "src-port": 27361, "dst-port": 8080}},
 "legs": [{"id": "f", "side": "front", "confidence": "exact", "end": {"address": "10.1.9.100"}}]},
{"id": "local", "forward": {"tuple": {"protocol": 6, "src": "10.1.9.100", "dst": "10.1.1.11", "src-port": 43023, "dst-port": 30080}}}]`

// TestLegs holds the comparison to every way in which legs can be wrong.
func TestLegs(t *testing.T) {
	translations, err := Translations(strings.NewReader(conntracked))
	if err != nil || len(translations) != 2 {
		t.Fatalf("%v, %v", translations, err)
	}
	if n, differences := Legs(parse[[]Flow](t, legs), translations); n != 1 || len(differences) != 0 {
		t.Errorf("%d connections: %v", n, differences)
	}
	for name, change := range map[string]func([]Flow){
		"none":          func(f []Flow) { f[0].Legs = nil },
		"another":       func(f []Flow) { f[1].Legs[0].ID = "local" },
		"a guess":       func(f []Flow) { f[0].Legs[0].Confidence = "guess" },
		"another end":   func(f []Flow) { f[0].Legs[0].End.Address = f[0].Forward.Tuple.Src },
		"one too many":  func(f []Flow) { f[2].Legs = f[1].Legs },
		"two of a kind": func(f []Flow) { f[0].Legs = append(f[0].Legs, f[1].Legs...) },
	} {
		flows := parse[[]Flow](t, legs)
		change(flows)
		if _, differences := Legs(flows, translations); len(differences) == 0 {
			t.Errorf("%s: no difference was found", name)
		}
	}
	if _, err := Translations(strings.NewReader("[NEW] tcp 6 120 src=10.1.9.100")); err == nil {
		t.Error("a line that is cut short was taken for a connection")
	}
}
