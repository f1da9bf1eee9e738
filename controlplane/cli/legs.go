package cli

import (
	"slices"
)

// leg is another conversation of the same connection, across an address translation.
type leg struct {
	ID         string `json:"id"`
	Side       string `json:"side"`       // front or back: the side that it is on
	Confidence string `json:"confidence"` // exact or guess
	Candidates uint64 `json:"candidates"`
	Reason     string `json:"reason,omitempty"` // why it is a guess
	End        end    `json:"end"`              // the client of the front, the server of the back
}

func readLegs(b *branch) []leg {
	var legs []leg
	for _, l := range b.each("legs", "leg") {
		s := l.in("state")
		legs = append(legs, leg{l.key("id"), word(s.text("side")), word(s.text("confidence")), s.number("candidates"),
			s.text("reason"), readEnd(l.in("end", "state"))})
	}
	return legs
}

// on gives the leg on a side.
func (c conversation) on(side string) (leg, bool) {
	i := slices.IndexFunc(c.Legs, func(l leg) bool { return l.Side == side })
	if i < 0 {
		return leg{}, false
	}
	return c.Legs[i], true
}

// arrow leads to the end of a leg, or to what is only taken for it.
func (l leg) arrow() string {
	if l.Confidence == "guess" {
		return " →? "
	}
	return " → "
}

// clientText is who asks: of a node that asks for somebody else, who that is.
func (c conversation) clientText() string {
	if front, ok := c.on("front"); ok {
		return front.End.String() + front.arrow() + c.Client.String()
	}
	return c.Client.String()
}

// serverText is who is asked, and who answers in its place.
func (c conversation) serverText() string {
	if back, ok := c.on("back"); ok {
		return c.Server.String() + back.arrow() + back.End.String()
	}
	return c.Server.String()
}

// ends are all that is known of who takes part.
func (c conversation) ends() []end {
	ends := []end{c.Client, c.Server}
	for _, l := range c.Legs {
		ends = append(ends, l.End)
	}
	return ends
}

// fold puts the back of each connection behind its front, where both are in the list.
func fold(list []conversation) []conversation {
	at := map[string]int{}
	for i, c := range list {
		at[c.ID] = i
	}
	folded := map[string]bool{}
	for i := range list {
		back, ok := list[i].on("back")
		if k, there := at[back.ID]; ok && there && !folded[back.ID] {
			behind := list[k]
			list[i].behind, folded[back.ID] = &behind, true
		}
	}
	return slices.DeleteFunc(list, func(c conversation) bool { return folded[c.ID] })
}

// clusters names the cluster of the ends, or both where they are of two.
func (c conversation) clusters() string {
	a, b := c.Client.Cluster, c.Server.Cluster
	switch {
	case a == b || b == "":
		return a
	case a == "":
		return b
	}
	return a + "→" + b
}
