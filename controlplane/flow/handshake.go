package flow

import "time"

// HandshakeState says how far TCP's three-way handshake (RFC 9293, section 3.5) came.
type HandshakeState string

// States of a handshake.
const (
	SYNSent     HandshakeState = "syn-sent"    // a SYN, and no answer yet
	Unanswered  HandshakeState = "unanswered"  // SYNs were repeated or given up, without any answer
	Refused     HandshakeState = "refused"     // answered by RST
	HalfOpen    HandshakeState = "half-open"   // SYN and SYN-ACK
	Established HandshakeState = "established" // and the client's ACK
)

// Handshake is TCP's handshake as one switch on the client's side saw it. Round trips are
// times between packets at this switch: they need no other clock.
type Handshake struct {
	State     HandshakeState `json:"state"`
	Switch    string         `json:"switch"`
	SYNs      uint8          `json:"syns"`                 // of the client, 255 for more; more than one: retransmitted
	SYNACKs   uint8          `json:"syn-acks"`             // of the server
	ServerRTT time.Duration  `json:"server-rtt,omitempty"` // from the last SYN to the SYN-ACK; 0 if not seen once each
	ClientRTT time.Duration  `json:"client-rtt,omitempty"` // from the SYN-ACK to the ACK
}
