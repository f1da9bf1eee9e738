package cli

import (
	"strings"
	"testing"
)

// TestWhatAFailureTakes has members with places as leaf1/a, switches that are cut off then, and ports that are down already.
func TestWhatAFailureTakes(t *testing.T) {
	set := func(words string) map[string]bool {
		all := map[string]bool{}
		for _, w := range strings.Fields(words) {
			all[w] = true
		}
		return all
	}
	for name, c := range map[string]struct {
		fails             loss
		places, cut, down string
		want              bool
	}{
		"its only port":                               {loss{port: "leaf1/a"}, "leaf1/a", "", "", true},
		"another port":                                {loss{port: "leaf1/b"}, "leaf1/a", "", "", false},
		"its switch":                                  {loss{on: "leaf1"}, "leaf1/a", "", "", true},
		"a switch that cuts its own off":              {loss{on: "spine1"}, "leaf1/a", "leaf1", "", true},
		"one port of a LAG":                           {loss{port: "leaf1/a"}, "leaf1/a leaf1/b", "", "", false},
		"one port of a LAG whose other is down":       {loss{port: "leaf1/a"}, "leaf1/a leaf1/b", "", "leaf1/b", true},
		"the switch of a LAG":                         {loss{on: "leaf1"}, "leaf1/a leaf1/b", "", "", true},
		"one switch of two":                           {loss{on: "leaf1"}, "leaf1/a leaf2/a", "", "", false},
		"one switch of two, and the other is cut off": {loss{on: "leaf1"}, "leaf1/a leaf2/a", "leaf2", "", true},
		"something else than what is down already":    {loss{port: "leaf1/b"}, "leaf1/a", "", "leaf1/a", false},
		"what is down already":                        {loss{port: "leaf1/a"}, "leaf1/a", "", "leaf1/a", false},
		"nobody knows where":                          {loss{on: "leaf1"}, "", "", "", false},
	} {
		var m member
		for _, p := range strings.Fields(c.places) {
			on, port, _ := strings.Cut(p, "/")
			m.Attachments = append(m.Attachments, attachment{Switch: on, Port: port})
		}
		if got := c.fails.takes(m, set(c.cut), set(c.down)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestSwitchesThatAreCutOff hang on what fails; those without known cables hang on nothing.
func TestSwitchesThatAreCutOff(t *testing.T) {
	switches := []fabricSwitch{{Name: "leaf1"}, {Name: "leaf2"}, {Name: "leaf3"}, {Name: "spine1"}}
	cable := func(leaf string) fabricLink {
		return fabricLink{A: linkEnd{Switch: leaf, Port: "up"}, B: linkEnd{Switch: "spine1", Port: leaf}}
	}
	for name, c := range map[string]struct {
		fails loss
		links []fabricLink
		want  string
	}{
		"no cables are known":        {loss{on: "leaf2"}, nil, ""},
		"a port, and no cables":      {loss{port: "leaf2/a"}, nil, ""},
		"one leaf's cable":           {loss{link: "leaf2/up"}, []fabricLink{cable("leaf1"), cable("leaf2"), cable("leaf3")}, "leaf2"},
		"another leaf has no cables": {loss{link: "leaf2/up"}, []fabricLink{cable("leaf1"), cable("leaf2")}, "leaf2"},
	} {
		var cut []string
		for _, s := range switches {
			if c.fails.cutOff(switches, c.links)[s.Name] && s.Name != c.fails.on {
				cut = append(cut, s.Name)
			}
		}
		if got := strings.Join(cut, " "); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
