package track

import (
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

func TestShaken(t *testing.T) {
	t0 := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(us int) time.Time { return t0.Add(time.Duration(us) * time.Microsecond) }
	syn := func(n uint8, last int) flow.Hop { return flow.Hop{Switch: "leaf1", SYNs: n, LastSYN: at(last)} }
	ack := func(h flow.Hop, us int) flow.Hop { h.FirstACK = at(us); return h }
	for name, c := range map[string]struct {
		there, back []flow.Hop
		flags       uint8 // of the answer
		ended       bool
		want        *flow.Handshake
	}{
		"no SYN seen": {there: []flow.Hop{{Switch: "leaf1"}}},
		"just asked":  {there: []flow.Hop{syn(1, 0)}, want: &flow.Handshake{State: flow.SYNSent, Switch: "leaf1", SYNs: 1}},
		"asked again": {there: []flow.Hop{syn(3, 0)}, want: &flow.Handshake{State: flow.Unanswered, Switch: "leaf1", SYNs: 3}},
		"given up":    {there: []flow.Hop{syn(1, 0)}, ended: true, want: &flow.Handshake{State: flow.Unanswered, Switch: "leaf1", SYNs: 1}},
		"refused": {there: []flow.Hop{syn(1, 0)}, back: []flow.Hop{{Switch: "leaf1"}}, flags: flow.RST | flow.ACK,
			want: &flow.Handshake{State: flow.Refused, Switch: "leaf1", SYNs: 1}},
		"half open": {there: []flow.Hop{syn(1, 0)}, back: []flow.Hop{syn(1, 400)}, flags: flow.SYN | flow.ACK,
			want: &flow.Handshake{State: flow.HalfOpen, Switch: "leaf1", SYNs: 1, SYNACKs: 1, ServerRTT: 400 * time.Microsecond}},
		"established": {there: []flow.Hop{ack(syn(1, 0), 550)}, back: []flow.Hop{syn(1, 400)}, flags: flow.SYN | flow.ACK,
			want: &flow.Handshake{State: flow.Established, Switch: "leaf1", SYNs: 1, SYNACKs: 1, ServerRTT: 400 * time.Microsecond, ClientRTT: 150 * time.Microsecond}},
		"established on the second try": {there: []flow.Hop{ack(syn(2, 1000), 1550)}, back: []flow.Hop{syn(1, 1400)}, flags: flow.SYN | flow.ACK,
			want: &flow.Handshake{State: flow.Established, Switch: "leaf1", SYNs: 2, SYNACKs: 1, ClientRTT: 150 * time.Microsecond}},
		"reset later": {there: []flow.Hop{ack(syn(1, 0), 550)}, back: []flow.Hop{syn(1, 400)}, flags: flow.SYN | flow.ACK | flow.RST,
			want: &flow.Handshake{State: flow.Established, Switch: "leaf1", SYNs: 1, SYNACKs: 1, ServerRTT: 400 * time.Microsecond, ClientRTT: 150 * time.Microsecond}},
		"the answer is seen only at the second switch": {
			there: []flow.Hop{{Switch: "border1", SYNs: 1, LastSYN: at(-50)}, ack(syn(1, 0), 550)}, back: []flow.Hop{syn(1, 400)}, flags: flow.SYN | flow.ACK,
			want: &flow.Handshake{State: flow.Established, Switch: "leaf1", SYNs: 1, SYNACKs: 1, ServerRTT: 400 * time.Microsecond, ClientRTT: 150 * time.Microsecond}},
	} {
		t.Run(name, func(t *testing.T) {
			got := shaken(&flow.Conversation{Protocol: flow.TCP, ForwardHops: c.there, ReverseHops: c.back, ReverseFlags: c.flags}, c.ended)
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if shaken(&flow.Conversation{Protocol: flow.UDP, ForwardHops: []flow.Hop{syn(1, 0)}}, false) != nil {
		t.Error("a handshake of UDP")
	}
}
