package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// fabricSwitch is a switch in JSON output.
type fabricSwitch struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	DeviceID uint64 `json:"device-id"`
	Address  string `json:"address"`
	State    string `json:"state"`
	Message  string `json:"message,omitempty"`

	Controller string     `json:"controller,omitempty"` // primary or backup
	ElectionID uint64     `json:"election-id,omitempty"`
	PrimaryID  uint64     `json:"primary-election-id,omitempty"`
	FlowCache  *flowCache `json:"flow-cache,omitempty"`
	Clock      *clock     `json:"clock,omitempty"`

	Ports []fabricPort `json:"ports"`
}

// flowCache is how the flow cache of a switch is read; it is of now.
type flowCache struct {
	CountingSince time.Time `json:"counting-since,omitzero"`
	ReadOuts      uint64    `json:"full-read-outs"`
	ReadOut       time.Time `json:"last-full-read-out,omitzero"`
	ReadOutTook   uint64    `json:"last-full-read-out-ns,omitempty"`
}

// clock is how the clock of a switch relates to the daemon's; it is of now.
type clock struct {
	Offset   time.Time `json:"offset"` // the daemon's time when the switch's clock was zero
	Error    uint64    `json:"error-bound-ns"`
	Measured time.Time `json:"last-measured"`
}

// fabricPort is a port with what it received and how that is accounted for. The accounting
// is of now: of past moments there is none.
type fabricPort struct {
	Name       string      `json:"name"`
	Number     uint64      `json:"number"`
	Peer       string      `json:"peer"`
	Admin      string      `json:"admin-status"` // up, down or unknown
	Oper       string      `json:"oper-status"`
	Unknown    string      `json:"unknown-reason,omitempty"`
	Since      time.Time   `json:"since,omitzero"`       // oper-status has been so
	Changed    time.Time   `json:"last-change,omitzero"` // by the switch's clock
	Accounting *accounting `json:"accounting,omitempty"`
}

// fabricLink is one direction of a cable in JSON output.
type fabricLink struct {
	A     linkEnd   `json:"a"`
	B     linkEnd   `json:"b"`
	Since time.Time `json:"since,omitzero"`
	Loss  *linkLoss `json:"loss,omitempty"`
}

// linkLoss is what all conversations together lose on a link; it is of now.
type linkLoss struct {
	Status     string    `json:"status"` // ok or lossy
	Since      time.Time `json:"since,omitzero"`
	Packets    uint64    `json:"packets"` // compared at both ends
	Lost       uint64    `json:"lost"`
	PerMillion uint64    `json:"lost-per-million"` // by what was lost lately
}

type linkEnd struct {
	Switch string `json:"switch"`
	Port   string `json:"port"`
	Number uint64 `json:"number"`
}

// String gives switch/port.
func (e linkEnd) String() string { return e.Switch + "/" + e.Port }

func switchesCommand(o *options) *cobra.Command {
	f := &filters{}
	c := &cobra.Command{
		Use:   "switches",
		Short: "Show the switches and whether every packet is accounted for",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := o.ask(c.Context(), switchesPath)
			if err != nil {
				return err
			}
			return show(o, "switches", f.switches(readSwitches(data)), switchColumns(count), switchColumnsWide())
		},
	}
	f.addFabricFlags(c.Flags())
	return c
}

func linksCommand(o *options) *cobra.Command {
	f := &filters{}
	c := &cobra.Command{
		Use:   "links",
		Short: "Show the links between switches; each direction is one",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := o.ask(c.Context(), linksPath)
			if err != nil {
				return err
			}
			links := filterByPlace(readLinks(data), f, func(l fabricLink) []place {
				return []place{{l.A.Switch, l.A.Port, l.A.Number}, {l.B.Switch, l.B.Port, l.B.Number}}
			})
			since := func(l fabricLink) string { return age(l.Since, o.reference()) }
			return show(o, "links", links, linkColumns(since), linkColumnsWide())
		},
	}
	f.addFabricFlags(c.Flags())
	return c
}

func linkColumns(since func(fabricLink) string) []column[fabricLink] {
	return []column[fabricLink]{
		{"A", func(l fabricLink) string { return l.A.String() }},
		{"B", func(l fabricLink) string { return l.B.String() }},
		{"SINCE", since},
		{"LOSES", func(l fabricLink) string {
			if l.Loss == nil || l.Loss.Status != "lossy" {
				return ""
			}
			return inPercent(float64(l.Loss.PerMillion) / 1e6)
		}},
	}
}

func linkColumnsWide() []column[fabricLink] {
	counted := func(of func(*linkLoss) string) func(fabricLink) string {
		return func(l fabricLink) string {
			if l.Loss == nil {
				return ""
			}
			return of(l.Loss)
		}
	}
	return append(linkColumns(func(l fabricLink) string { return stamp(l.Since) }),
		column[fabricLink]{"LOSSY-SINCE", counted(func(l *linkLoss) string { return stamp(l.Since) })},
		column[fabricLink]{"COMPARED", counted(func(l *linkLoss) string { return fmt.Sprint(l.Packets) })},
		column[fabricLink]{"LOST", counted(func(l *linkLoss) string { return fmt.Sprint(l.Lost) })})
}

func readLinks(data *branch) []fabricLink {
	var links []fabricLink
	for _, l := range data.each("fabric", "links", "link") {
		s := l.in("state")
		one := fabricLink{
			A:     linkEnd{s.text("a-switch"), s.text("a-interface"), s.number("a-port-number")},
			B:     linkEnd{s.text("b-switch"), s.text("b-interface"), s.number("b-port-number")},
			Since: s.instant("since"),
		}
		if loss, c := l.in("loss", "state"), l.in("loss", "state", "counters"); loss.has("status") {
			one.Loss = &linkLoss{word(loss.text("status")), loss.instant("since"), c.number("pkts"), c.number("lost-pkts"), c.number("lost-per-million")}
		}
		links = append(links, one)
	}
	slices.SortFunc(links, func(a, b fabricLink) int {
		return cmp.Or(cmp.Compare(a.A.Switch, b.A.Switch), cmp.Compare(a.A.Number, b.A.Number),
			cmp.Compare(a.B.Switch, b.B.Switch), cmp.Compare(a.B.Number, b.B.Number))
	})
	return links
}

// switches keeps the switches that the filters admit, and of these the ports.
func (f *filters) switches(switches []fabricSwitch) []fabricSwitch {
	switches = filterBy(switches, f.on, func(s fabricSwitch) []string { return []string{s.Name} })
	if f.port == "" {
		return switches
	}
	byPort := filters{port: f.port}
	for i := range switches {
		switches[i].Ports = filterByPlace(switches[i].Ports, &byPort, func(p fabricPort) []place { return []place{{"", p.Name, p.Number}} })
	}
	return slices.DeleteFunc(switches, func(s fabricSwitch) bool { return len(s.Ports) == 0 })
}

func readSwitches(data *branch) []fabricSwitch {
	var switches []fabricSwitch
	for _, b := range data.each("fabric", "switches", "switch") {
		s := b.in("state")
		one := fabricSwitch{Name: b.key("name"), Role: word(s.text("role")), DeviceID: s.number("device-id"),
			Address: s.text("address"), State: word(s.text("connection")), Message: s.text("message"), Ports: []fabricPort{},
			Controller: word(s.text("controller-role")), ElectionID: s.number("election-id"), PrimaryID: s.number("primary-election-id")}
		if c := b.in("flow-cache", "state"); c.has("full-read-outs") {
			one.FlowCache = &flowCache{c.instant("counting-since"), c.number("full-read-outs"), c.instant("last-full-read-out"),
				c.number("last-full-read-out-duration")}
		}
		if c := b.in("clock", "state"); c.has("error-bound") {
			one.Clock = &clock{c.instant("offset"), c.number("error-bound"), c.instant("last-measured")}
		}
		accounts := map[string]*accounting{}
		for _, a := range b.each("accounting", "interface") {
			accounts[a.key("name")] = readAccounting(a)
		}
		for _, p := range b.each("ports", "port") {
			state := p.in("state")
			one.Ports = append(one.Ports, fabricPort{state.text("name"), state.number("number"), state.text("peer"),
				word(state.text("admin-status")), word(state.text("oper-status")), state.text("unknown-reason"),
				state.instant("since"), state.instant("last-change"), accounts[p.key("name")]})
		}
		slices.SortFunc(one.Ports, func(a, b fabricPort) int { return cmp.Compare(a.Number, b.Number) })
		switches = append(switches, one)
	}
	slices.SortFunc(switches, func(a, b fabricSwitch) int { return cmp.Compare(a.Name, b.Name) })
	return switches
}

// status tells of a port's state in words.
func (p fabricPort) status() string {
	switch {
	case p.Oper == "down" && p.Admin == "down":
		return "down (shut)"
	case p.Oper == "unknown" && p.Unknown != "":
		return "unknown: " + p.Unknown
	}
	return p.Oper
}

// downPorts are the ports of a switch that are down.
func downPorts(s fabricSwitch) string {
	var names []string
	unknown := 0
	for _, p := range s.Ports {
		switch p.Oper {
		case "down":
			names = append(names, p.Name)
		case "unknown":
			unknown++
		}
	}
	if unknown == len(s.Ports) && unknown > 0 {
		return "unknown"
	}
	return strings.Join(names, ",")
}

// total adds up a number over the ports of a switch; empty when no port is accounted for.
func total(s fabricSwitch, of func(*accounting) uint64, format func(uint64) string) string {
	var sum uint64
	known := false
	for _, p := range s.Ports {
		if p.Accounting != nil {
			known = true
			sum += of(p.Accounting)
		}
	}
	if !known {
		return ""
	}
	return format(sum)
}

// residue adds up a residue over the ports of a switch, without signs, so that those of
// two ports do not cancel out; empty when no port is accounted for.
func residue(s fabricSwitch, of func(*accounting) int64) string {
	var sum int64
	known := false
	for _, p := range s.Ports {
		if p.Accounting != nil {
			known = true
			sum += max(of(p.Accounting), -of(p.Accounting))
		}
	}
	if !known {
		return ""
	}
	return fmt.Sprint(sum)
}

func switchColumns(packets func(uint64) string) []column[fabricSwitch] {
	return []column[fabricSwitch]{
		{"NAME", func(s fabricSwitch) string { return s.Name }},
		{"ROLE", func(s fabricSwitch) string { return s.Role }},
		{"DEVICE", func(s fabricSwitch) string { return fmt.Sprint(s.DeviceID) }},
		{"ADDRESS", func(s fabricSwitch) string { return s.Address }},
		{"STATE", func(s fabricSwitch) string { return s.State }},
		{"PORTS", func(s fabricSwitch) string { return fmt.Sprint(len(s.Ports)) }},
		{"DOWN", downPorts},
		{"PACKETS", func(s fabricSwitch) string {
			return total(s, func(a *accounting) uint64 { return a.PortPackets }, packets)
		}},
		{"RESIDUE", func(s fabricSwitch) string { return residue(s, func(a *accounting) int64 { return a.ResiduePackets }) }},
		{"CONTROLLER", func(s fabricSwitch) string { return s.Controller }},
		{"CLOCK-ERROR", func(s fabricSwitch) string {
			if s.Clock == nil {
				return ""
			}
			return time.Duration(s.Clock.Error).Round(time.Microsecond).String()
		}},
	}
}

func switchColumnsWide() []column[fabricSwitch] {
	exact := func(n uint64) string { return fmt.Sprint(n) }
	return append(switchColumns(exact),
		column[fabricSwitch]{"BYTES", func(s fabricSwitch) string {
			return total(s, func(a *accounting) uint64 { return a.PortBytes }, exact)
		}},
		column[fabricSwitch]{"RESIDUE-BYTES", func(s fabricSwitch) string {
			return residue(s, func(a *accounting) int64 { return a.ResidueBytes })
		}},
		column[fabricSwitch]{"CLOCK-OFFSET", func(s fabricSwitch) string {
			if s.Clock == nil {
				return ""
			}
			return stamp(s.Clock.Offset)
		}},
		column[fabricSwitch]{"CLOCK-MEASURED", func(s fabricSwitch) string {
			if s.Clock == nil {
				return ""
			}
			return stamp(s.Clock.Measured)
		}},
		column[fabricSwitch]{"COUNTING-SINCE", func(s fabricSwitch) string {
			if s.FlowCache == nil {
				return ""
			}
			return stamp(s.FlowCache.CountingSince)
		}},
		column[fabricSwitch]{"MESSAGE", func(s fabricSwitch) string { return s.Message }})
}
