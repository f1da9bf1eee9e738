package fabric

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

func testRoutes() routes {
	spine := func(i byte) hop { return hop{uint32(i), mac{2, 0, 0, 0, 0, i}} }
	return routes{
		self:       systemMAC(1),
		gateways:   []Gateway{{Address: netip.MustParsePrefix("10.1.1.1/24"), Ports: []uint32{3}}},
		neighbours: map[netip.Addr]hop{addr("10.1.1.5"): {3, macA}},
		remote: map[netip.Prefix][]hop{
			netip.MustParsePrefix("10.1.2.0/24"): {spine(1), spine(2)},
			netip.MustParsePrefix("10.1.3.0/24"): {spine(1), spine(2)},
		},
	}
}

func count(entries []p4rt.Entry, table string) (n int) {
	for _, e := range entries {
		if e.Table == table {
			n++
		}
	}
	return n
}

func TestTunnelPortsByKind(t *testing.T) {
	got := map[string]string{}
	for _, e := range tunnelEntries([]uint16{4789, 8472}, []uint16{6081}) {
		port, _ := e.Field(p4src.FieldUDPDstPort)
		got[fmt.Sprint(port.Value.Uint64())] = e.Action
	}
	want := map[string]string{"4789": p4src.ActionVXLAN, "8472": p4src.ActionVXLAN, "6081": p4src.ActionGeneve}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEntriesShareNextHopsAndGroups(t *testing.T) {
	got := testRoutes().entries(newNumbers())
	for table, want := range map[string]int{
		p4src.TableMyMAC: 1, p4src.TableNexthop: 3, p4src.TableECMPMember: 2, p4src.TableIPv4Route: 4 + 1 + 2,
	} {
		if n := count(got, table); n != want {
			t.Errorf("%d entries in %s, want %d", n, table, want)
		}
	}
}

// TestSmallChangesWriteLittle changes routes step by step and looks at what is written.
func TestSmallChangesWriteLittle(t *testing.T) {
	tables, n, r := managedTables(true), newNumbers(), testRoutes()
	have := r.entries(n)
	step := func(name string, want ...string) {
		t.Helper()
		next := r.entries(n)
		var got []string
		for _, u := range p4rt.Diff(tables, have, next) {
			got = append(got, fmt.Sprintf("%d %s", u.Op, u.Entry.Table[strings.LastIndex(u.Entry.Table, ".")+1:]))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		have = next
	}
	step("nothing")
	r.neighbours[addr("10.1.1.6")] = hop{3, macB}
	step("a host", "1 nexthop", "1 ipv4_route")
	r.neighbours[addr("10.1.1.6")] = hop{4, macB}
	step("the host moves", "1 nexthop", "2 ipv4_route", "3 nexthop")
	delete(r.neighbours, addr("10.1.1.6"))
	step("the host goes", "3 ipv4_route", "3 nexthop")
	p2, p3 := netip.MustParsePrefix("10.1.2.0/24"), netip.MustParsePrefix("10.1.3.0/24")
	group := r.remote[p2]
	r.remote[p2] = group[1:]
	step("a link to one leaf is lost", "2 ipv4_route")
	r.remote[p3] = group[1:]
	step("a spine is lost", "2 ipv4_route", "3 ecmp_member", "3 ecmp_member", "3 nexthop")
	r.remote[p2], r.remote[p3] = group, group
	step("it comes back", "1 nexthop", "1 ecmp_member", "1 ecmp_member", "2 ipv4_route", "2 ipv4_route")
}

func TestAdoptedNumbersLeaveTheSwitchAsItIs(t *testing.T) {
	before := newNumbers()
	r := testRoutes()
	// Numbers that a fresh start would not give.
	for i := range byte(9) {
		before.hops.get(hop{99, mac{0, i}})
		before.groups.get(string(rune(i)))
	}
	have := r.entries(before)
	after := newNumbers()
	after.adopt(have)
	if u := p4rt.Diff(managedTables(true), have, r.entries(after)); len(u) != 0 {
		t.Errorf("%d updates, want none: %v", len(u), u)
	}
}

func TestNumbersAreNotTakenAgainAtOnce(t *testing.T) {
	i := newIDs[string]()
	if a, b := i.get("a"), i.get("b"); a != 1 || b != 2 || i.get("a") != 1 {
		t.Errorf("%d %d", a, b)
	}
	i.retain(map[string]bool{"a": true})
	if c := i.get("c"); c != 3 {
		t.Errorf("c has %d", c)
	}
	for k := range 1<<16 - 3 {
		if i.get(fmt.Sprint(k)) == 0 {
			t.Fatalf("no number for %d", k)
		}
	}
	if id := i.get("one too many"); id != 0 {
		t.Errorf("%d is taken twice", id)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	sw := func(change func(*Switch)) Config {
		c := DefaultConfig()
		s := Switch{Name: "leaf1", DeviceID: 1, Ports: []Port{{1, "eth1", ""}, {2, "eth2", ""}},
			Gateways: []Gateway{{netip.MustParsePrefix("10.1.1.1/24"), []uint32{1}}}}
		change(&s)
		c.Switches = []Switch{s, {Name: "leaf2", DeviceID: 2}}
		return c
	}
	if err := sw(func(*Switch) {}).Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Switch){
		"two of that name": func(s *Switch) { s.Name = "leaf2" },
		"device-id":        func(s *Switch) { s.DeviceID = 2 + 1<<24 },
		"number":           func(s *Switch) { s.Ports[1].Number = 1 },
		"empty or taken":   func(s *Switch) { s.Ports[1].Name = "eth1" },
		"no port 9":        func(s *Switch) { s.Gateways[0].Ports = []uint32{9} },
		"broadcast":        func(s *Switch) { s.Gateways[0].Address = netip.MustParsePrefix("10.1.1.255/24") },
		"must be IPv4":     func(s *Switch) { s.Gateways[0].Address = netip.MustParsePrefix("2001:db8::1/64") },
		"overlaps": func(s *Switch) {
			s.Gateways = append(s.Gateways, Gateway{netip.MustParsePrefix("10.1.0.1/16"), []uint32{1}})
		},
	} {
		if err := sw(change).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	c := DefaultConfig()
	c.LLDPHold, c.NeighbourTries = 1500*1e6, 0
	for _, field := range []string{"lldp-hold", "neighbour-tries"} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	for p, want := range map[string]string{"10.1.1.1/24": "10.1.1.255", "10.1.1.1/20": "10.1.15.255", "10.1.1.1/30": "10.1.1.3"} {
		if got := broadcast(netip.MustParsePrefix(p)); got.String() != want {
			t.Errorf("broadcast of %s: %s", p, got)
		}
	}
}
