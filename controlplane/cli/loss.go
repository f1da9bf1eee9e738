package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// segment is the way from one switch to the next, and what was lost on it.
type segment struct {
	Switch      string   `json:"switch"`
	Out         []string `json:"out"` // switch/port
	In          []string `json:"in"`
	Packets     uint64   `json:"packets"`
	Lost        uint64   `json:"lost"`
	Extra       uint64   `json:"extra,omitempty"` // packets that arrived and did not leave
	Uncertainty uint64   `json:"uncertainty"`     // packets
	Final       bool     `json:"final"`
	Incomplete  bool     `json:"incomplete,omitempty"` // a report was lost: nothing is known

	LossyLinks []lossyLink `json:"lossy-links,omitempty"`
}

// lossyLink is a link of a segment that loses packets of all that crosses it, of this
// conversation some or none.
type lossyLink struct {
	Out        string    `json:"out"` // switch/port
	In         string    `json:"in"`
	PerMillion uint64    `json:"lost-per-million"` // by what was lost lately
	Since      time.Time `json:"since,omitzero"`
}

func readSegments(b *branch, direction string) []segment {
	segments := []segment{}
	for _, e := range b.each("segments", "segment") {
		if e.key("direction") != direction {
			continue
		}
		s, c := e.in("state"), e.in("state", "counters")
		segments = append(segments, segment{s.text("switch"), s.texts("out-interface"), s.texts("in-interface"),
			c.number("pkts"), c.number("lost-pkts"), c.number("extra-pkts"), c.number("uncertainty"), c.truth("final"), c.truth("incomplete"), readLossyLinks(e)})
	}
	return segments // the server sends them in order
}

func readLossyLinks(b *branch) (links []lossyLink) {
	for _, l := range b.each("lossy-links", "lossy-link") {
		s, c := l.in("state"), l.in("state", "counters")
		links = append(links, lossyLink{s.text("out-switch") + "/" + s.text("out-interface"), s.text("in-switch") + "/" + s.text("in-interface"),
			c.number("lost-per-million"), s.instant("since")})
	}
	return links
}

// share is the part that a link loses.
func (l lossyLink) share() float64 { return float64(l.PerMillion) / 1e6 }

// String names the link and the part that it loses.
func (l lossyLink) String() string {
	return fmt.Sprintf("%s>%s loses %s", l.Out, l.In, inPercent(l.share()))
}

// inPercent gives a part in percent, with two digits.
func inPercent(share float64) string { return fmt.Sprintf("%.2g%%", 100*share) }

// lossy says that packets were lost for certain.
func (s segment) lossy() bool { return s.Lost > s.Uncertainty }

// notable says that the segment is not as it should be, for certain.
func (s segment) notable() bool {
	return s.lossy() || s.Extra > s.Uncertainty || s.Incomplete || len(s.LossyLinks) > 0
}

// String gives the loss and the cable, or the switch behind which nothing arrived. More that
// arrived has a plus, and what is not known a question mark.
func (s segment) String() string {
	where := "behind " + s.Switch
	if len(s.In) > 0 {
		where = strings.Join(s.Out, "|") + ">" + strings.Join(s.In, "|")
	}
	about := ""
	if !s.Final {
		about = "~"
	}
	text := fmt.Sprintf("%s%d/%d@%s", about, s.Lost, s.Packets, where)
	switch {
	case s.Incomplete:
		text = "?@" + where
	case s.Extra > 0:
		text = fmt.Sprintf("%s+%d/%d@%s", about, s.Extra, s.Packets, where)
	}
	if len(s.LossyLinks) > 0 {
		text += " (" + joined(s.LossyLinks, lossyLink.String) + ")"
	}
	return text
}

// notableSegments are those of both directions, and of what stands behind the conversation.
func (c conversation) notableSegments() []segment {
	all := slices.Concat(c.Forward.Segments, c.Reverse.Segments)
	if c.behind != nil {
		all = slices.Concat(all, c.behind.Forward.Segments, c.behind.Reverse.Segments)
	}
	return slices.DeleteFunc(all, func(s segment) bool { return !s.notable() })
}

// lost gives how many packets of both directions were lost, and the greatest part of a direction;
// and of the links on the way that lose packets, whosever, the greatest part.
func (c conversation) lost() string {
	var lost uint64
	var worst, link float64
	unknown, crosses := "", ""
	for _, s := range c.notableSegments() {
		if s.Incomplete {
			unknown = "?"
		}
		for _, l := range s.LossyLinks {
			link = max(link, l.share())
			crosses = " link " + inPercent(link)
		}
		if !s.lossy() {
			continue
		}
		lost += s.Lost
		worst = max(worst, float64(s.Lost)/float64(max(1, s.Packets)))
	}
	switch {
	case lost > 0:
		return fmt.Sprintf("%s (%s)%s%s", count(lost), inPercent(worst), unknown, crosses)
	case crosses != "":
		return "0" + unknown + crosses
	}
	return unknown
}

func (c conversation) lostWhere() string {
	return joined(c.notableSegments(), segment.String)
}

// handshake is TCP's, as the first switch on the client's side saw it.
type handshake struct {
	Status    string `json:"status"` // syn-sent, unanswered, refused, half-open or established
	Switch    string `json:"switch"`
	SYNs      uint64 `json:"syns"`
	SYNACKs   uint64 `json:"syn-acks"`
	ServerRTT uint64 `json:"server-rtt-ns,omitempty"`
	ClientRTT uint64 `json:"client-rtt-ns,omitempty"`
}

func readHandshake(s *branch) *handshake {
	if !s.has("status") {
		return nil
	}
	return &handshake{word(s.text("status")), s.text("switch"), s.number("syns"), s.number("syn-acks"),
		s.number("server-rtt"), s.number("client-rtt")}
}

// short gives the time that the handshake took, or how it failed.
func (h *handshake) short() string {
	switch {
	case h == nil:
		return ""
	case h.ServerRTT == 0 || h.ClientRTT == 0:
		return h.Status
	}
	return milliseconds(h.ServerRTT + h.ClientRTT)
}

// handshakes gives everything: of SYNs that were repeated how many each hop saw, and of a refusal
// where it began.
func (c conversation) handshakes() string {
	h := c.Handshake
	text := h.String()
	if h == nil {
		return text
	}
	if h.SYNs > 1 {
		var seen []string
		for _, hop := range c.Forward.Hops {
			seen = append(seen, fmt.Sprintf("%d@%s/%s", hop.SYNs, hop.Switch, hop.Port))
		}
		text += ",syns=" + strings.Join(seen, ">")
	}
	if i := slices.IndexFunc(c.Reverse.Hops, func(h hop) bool { return h.TCPFlags&flagRST != 0 }); h.Status == "refused" && i >= 0 {
		text += fmt.Sprintf(",rst@%s/%s", c.Reverse.Hops[i].Switch, c.Reverse.Hops[i].Port)
	}
	return text
}

// flagRST is the bit of TCP's flags that refuses (RFC 9293, section 3.1).
const flagRST = 0x04

// String gives the state and the round trips.
func (h *handshake) String() string {
	if h == nil {
		return ""
	}
	text := h.Status
	if h.ServerRTT > 0 {
		text += ",server=" + milliseconds(h.ServerRTT)
	}
	if h.ClientRTT > 0 {
		text += ",client=" + milliseconds(h.ClientRTT)
	}
	return text
}

func milliseconds(ns uint64) string {
	return fmt.Sprintf("%.3gms", float64(ns)/float64(time.Millisecond))
}
