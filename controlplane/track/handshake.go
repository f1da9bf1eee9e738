package track

import "github.com/fabricscope/fabricscope/controlplane/flow"

// shaken tells how the handshake of a TCP conversation went; nil if its SYN was not seen. Ended
// says that no more packets are awaited.
func shaken(c *flow.Conversation, ended bool) *flow.Handshake {
	if c.Protocol != flow.TCP {
		return nil
	}
	asked, answered := meeting(c.ForwardHops, c.ReverseHops)
	if asked == nil || asked.SYNs == 0 {
		return nil
	}
	s := &flow.Handshake{Switch: asked.Switch, SYNs: asked.SYNs, State: flow.SYNSent}
	switch {
	case answered != nil && answered.SYNs > 0:
		s.State, s.SYNACKs = flow.HalfOpen, answered.SYNs
		// After a retransmission nobody knows which SYN was answered (Karn and Partridge, 1987).
		if asked.SYNs == 1 && answered.SYNs == 1 {
			s.ServerRTT = max(0, answered.LastSYN.Sub(asked.LastSYN))
		}
		if asked.FirstACK.IsZero() {
			break
		}
		s.State = flow.Established
		if answered.SYNs == 1 {
			s.ClientRTT = max(0, asked.FirstACK.Sub(answered.LastSYN))
		}
	case c.ReverseFlags&flow.RST != 0:
		s.State = flow.Refused
	case asked.SYNs > 1 || ended:
		s.State = flow.Unanswered
	}
	return s
}

// meeting gives the hops of both directions at the first switch that saw both, which is the
// client's own in a fabric where it has one; without an answer the first of the way there.
func meeting(there, back []flow.Hop) (asked, answered *flow.Hop) {
	for i := range there {
		for j := range back {
			if there[i].Switch == back[j].Switch {
				return &there[i], &back[j]
			}
		}
	}
	if len(there) > 0 {
		asked = &there[0]
	}
	return asked, nil
}
