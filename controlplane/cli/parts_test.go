package cli

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSelector(t *testing.T) {
	labels := map[string]string{"app": "cart", "tier": "backend", "empty": ""}
	for text, want := range map[string]bool{
		"": true, "app=cart": true, "app==cart": true, "app=web": false, "app!=web": true, "app!=cart": false,
		"app = cart , tier=backend": true, "app=cart,tier=web": false, "nothing!=x": true, "nothing=x": false,
		"app in (web, cart)": true, "app in (web)": false, "app notin (web)": true, "app notin (cart,web)": false,
		"nothing notin (x)": true, "app": true, "nothing": false, "!app": false, "!nothing": true, "empty=": true,
		"app in (web,cart),tier": true,
	} {
		s, err := parseSelector(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if s.matches(labels) != want {
			t.Errorf("%q matches: %v, want %v", text, !want, want)
		}
	}
	for _, text := range []string{"=x", "app in web", "app in (web", "app has (web)", ",", "app=x,", "a b", "!", "in (x)"} {
		if _, err := parseSelector(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"0s": 0, "59s": 59 * time.Second, "1m": time.Minute, "1m5s": 65 * time.Second, "11m": 11*time.Minute + 5*time.Second,
		"2h5m": 2*time.Hour + 5*time.Minute + time.Second, "3d1h": 73 * time.Hour, "30d": 30*24*time.Hour + 5*time.Hour,
	} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%v ago is %s, want %s", d, got, want)
		}
	}
	if got := age(now.Add(time.Minute), now); got != "0s" {
		t.Errorf("the future is %s", got)
	}
	if got := age(time.Time{}, now); got != "" {
		t.Errorf("no time is %s", got)
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[uint64][2]string{
		0: {"0", "0B"}, 999: {"999", "999B"}, 1000: {"1.0k", "1000B"}, 1536: {"1.5k", "1.5KiB"},
		123456: {"123k", "121KiB"}, 1 << 40: {"1.1T", "1.0TiB"}, 1<<64 - 1: {"18.4E", "16.0EiB"},
	} {
		if got := [2]string{count(n), size(n)}; got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	names := func(s string) []string { return []string{s} }
	for _, test := range []struct {
		want string
		kept []string
	}{
		{"", []string{"cart", "cart-db", "web"}}, {"cart", []string{"cart"}}, {"car", []string{"cart", "cart-db"}}, {"x", nil},
	} {
		got := filterBy([]string{"cart", "cart-db", "web"}, test.want, names)
		if len(got) != len(test.kept) {
			t.Errorf("%q keeps %q, want %q", test.want, got, test.kept)
		}
	}
}

func TestPlaces(t *testing.T) {
	all := []place{{"leaf1", "swp1", 1}, {"leaf1", "swp11", 11}, {"leaf10", "swp2", 2}, {"leaf2", "swp1", 1}}
	for _, test := range []struct {
		on, port string
		want     int
	}{
		{"leaf1", "", 2}, {"leaf", "", 4}, {"", "swp1", 2}, {"", "1", 2}, {"leaf1", "1", 1}, {"leaf1", "swp", 2}, {"leaf10", "1", 0}, {"", "11", 1},
	} {
		f := &filters{on: test.on, port: test.port}
		got := filterByPlace(append([]place(nil), all...), f, func(p place) []place { return []place{p} })
		if len(got) != test.want {
			t.Errorf("switch %q port %q keeps %v, want %d", test.on, test.port, got, test.want)
		}
	}
}

func TestHandshakesSayWhereTheyFailed(t *testing.T) {
	at := func(sw string, syns, flags uint64) hop {
		return hop{Switch: sw, Port: "swp1", SYNs: syns, TCPFlags: flags}
	}
	for want, c := range map[string]conversation{
		"":                                       {},
		"established,server=0.4ms,client=0.15ms": {Handshake: &handshake{Status: "established", SYNs: 1, SYNACKs: 1, ServerRTT: 400_000, ClientRTT: 150_000}},
		"unanswered,syns=3@leaf1/swp1>1@spine1/swp1": {Handshake: &handshake{Status: "unanswered", SYNs: 3},
			Forward: direction{Hops: []hop{at("leaf1", 3, 2), at("spine1", 1, 2)}}},
		"refused,rst@leaf2/swp1": {Handshake: &handshake{Status: "refused", SYNs: 1},
			Forward: direction{Hops: []hop{at("leaf1", 1, 2)}}, Reverse: direction{Hops: []hop{at("leaf2", 0, 0x14), at("leaf1", 0, 0x14)}}},
	} {
		if got := c.handshakes(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestFiltersOfSeveralServices has servers that answer for two services behind the same port.
func TestFiltersOfSeveralServices(t *testing.T) {
	edges := []edge{
		{ID: "both", Client: party{Namespace: "web", Kind: "Deployment"}, Server: party{Namespace: "default", Kind: "service", Name: "a,shop/b"}},
		{ID: "one", Client: party{Kind: "outside"}, Server: party{Namespace: "default", Kind: "service", Name: "ab"}},
	}
	flows := []conversation{{ID: "both", Server: end{Service: "default/a,shop/b"}}, {ID: "one", Server: end{Service: "default/ab"}}}
	findings := []found{
		{ID: "both", About: "service", Subject: "default/a,shop/b:80"}, {ID: "one", About: "pod", Subject: "default/ab"},
		{ID: "none", About: "pod", Subject: "shop-uid@leaf1/swp3"}, {ID: "none", About: "port", Subject: "shop/swp1"},
	}
	for _, test := range []struct {
		filter                 filters
		edges, flows, findings string
	}{
		{filters{service: "a"}, "both", "both", "both one none none"},
		{filters{service: "b"}, "both", "both", "both one none none"},
		{filters{service: "ab"}, "one", "one", "both one none none"},
		{filters{namespace: "shop"}, "both", "both", "both"},
		{filters{namespace: "default"}, "both one", "both one", "both one"},
		{filters{namespace: "web"}, "both", "", ""},
	} {
		got := joined(test.filter.edges(slices.Clone(edges)), func(e edge) string { return e.ID })
		if want := strings.ReplaceAll(test.edges, " ", ","); got != want {
			t.Errorf("%+v: edges %q, want %q", test.filter, got, want)
		}
		got = joined(test.filter.conversations(slices.Clone(flows), nil), func(c conversation) string { return c.ID })
		if want := strings.ReplaceAll(test.flows, " ", ","); got != want {
			t.Errorf("%+v: flows %q, want %q", test.filter, got, want)
		}
		got = joined(test.filter.findings(slices.Clone(findings)), func(f found) string { return f.ID })
		if want := strings.ReplaceAll(test.findings, " ", ","); got != want {
			t.Errorf("%+v: findings %q, want %q", test.filter, got, want)
		}
	}
}
