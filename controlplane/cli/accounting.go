package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// accountedPort is a port with its accounting in JSON output.
type accountedPort struct {
	Switch     string      `json:"switch"`
	Port       string      `json:"port"`
	Number     uint64      `json:"number"`
	Accounting *accounting `json:"accounting"`
}

type accounting struct {
	PortPackets    uint64     `json:"port-packets"`
	PortBytes      uint64     `json:"port-bytes"`
	RecordPackets  uint64     `json:"record-packets"`
	RecordBytes    uint64     `json:"record-bytes"`
	BucketPackets  uint64     `json:"bucket-packets"`
	BucketBytes    uint64     `json:"bucket-bytes"`
	Buckets        buckets    `json:"buckets"`
	Expired        bucket     `json:"expired"` // dropped because their TTL ended; also in the records
	BasePackets    int64      `json:"base-packets"`
	BaseBytes      int64      `json:"base-bytes"`
	ResiduePackets int64      `json:"residue-packets"`
	ResidueBytes   int64      `json:"residue-bytes"`
	MissingPackets int64      `json:"missing-packets"` // of the residue, whose reports were lost for certain
	MissingBytes   int64      `json:"missing-bytes"`
	Losses         []portLoss `json:"losses,omitempty"`
}

// portLoss is that packets of a port are in no record because reports were lost.
type portLoss struct {
	Number      uint64    `json:"number"`
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
	Packets     int64     `json:"packets"`
	Bytes       int64     `json:"bytes"`
	Settled     bool      `json:"settled"`
	Generations uint64    `json:"generations"`
	Gaps        []slotGap `json:"gaps,omitempty"`
}

// slotGap is a run of generations of a slot that went unreported.
type slotGap struct {
	Slot         uint64    `json:"slot"`
	First        uint64    `json:"first-generation"`
	Last         uint64    `json:"last-generation"`
	Generations  uint64    `json:"generations"`
	Seen         time.Time `json:"seen"`
	Conversation string    `json:"conversation,omitempty"`
}

// buckets are the frames that are no flows, by class.
type buckets struct {
	Fragment  bucket `json:"fragment"`
	Malformed bucket `json:"malformed"`
	LLDP      bucket `json:"lldp"`
	Other     bucket `json:"other"`
}

type bucket struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

func accountingCommand(o *options) *cobra.Command {
	f := &filters{}
	c := &cobra.Command{
		Use:   "accounting",
		Short: "Show what explains the packets of each port, and what was lost when",
		Long: `accounting shows for each port the packets that entered it, how many of them are in flow
records and in class buckets, and what is left: the residue. While packets come some of it is on
its way. What is missing for certain is explained by the losses: when it was, and which
generations of which slots of the flow cache went unreported. Past moments have no accounting.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := o.ask(c.Context(), switchesPath)
			if err != nil {
				return err
			}
			ports := accountedPorts(f.switches(readSwitches(data)))
			when := func(t time.Time) string { return age(t, o.reference()) }
			return show(o, "ports with an accounting", ports, accountingColumns(count, when), accountingColumnsWide())
		},
	}
	f.addFabricFlags(c.Flags())
	return c
}

func accountedPorts(switches []fabricSwitch) []accountedPort {
	var ports []accountedPort
	for _, s := range switches {
		for _, p := range s.Ports {
			if p.Accounting != nil {
				ports = append(ports, accountedPort{s.Name, p.Name, p.Number, p.Accounting})
			}
		}
	}
	return ports
}

func readAccounting(b *branch) *accounting {
	c := b.in("state", "counters")
	frames := func(path ...string) bucket {
		b := c.in(path...)
		return bucket{b.number("pkts"), b.number("octets")}
	}
	class := func(name string) bucket { return frames("buckets", name) }
	return &accounting{
		PortPackets: c.number("port-pkts"), PortBytes: c.number("port-octets"),
		RecordPackets: c.number("record-pkts"), RecordBytes: c.number("record-octets"),
		BucketPackets: c.number("bucket-pkts"), BucketBytes: c.number("bucket-octets"),
		Buckets:     buckets{class("fragment"), class("malformed"), class("lldp"), class("other")},
		Expired:     frames("expired"),
		BasePackets: c.signed("base-pkts"), BaseBytes: c.signed("base-octets"),
		ResiduePackets: c.signed("residue-pkts"), ResidueBytes: c.signed("residue-octets"),
		MissingPackets: c.signed("missing-pkts"), MissingBytes: c.signed("missing-octets"),
		Losses: readLosses(b),
	}
}

func readLosses(b *branch) []portLoss {
	var losses []portLoss
	for _, l := range b.each("losses", "loss") {
		s := l.in("state")
		one := portLoss{Number: s.number("number"), Since: s.instant("since"), Until: s.instant("until"), Packets: s.signed("pkts"),
			Bytes: s.signed("octets"), Settled: s.truth("settled"), Generations: s.number("generations")}
		for _, g := range l.each("gaps", "gap") {
			s := g.in("state")
			one.Gaps = append(one.Gaps, slotGap{s.number("slot"), s.number("first-generation"), s.number("last-generation"),
				s.number("generations"), s.instant("seen"), s.text("conversation")})
		}
		slices.SortFunc(one.Gaps, func(a, b slotGap) int {
			return cmp.Or(a.Seen.Compare(b.Seen), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.First, b.First))
		})
		losses = append(losses, one)
	}
	slices.SortFunc(losses, func(a, b portLoss) int { return cmp.Compare(a.Number, b.Number) })
	return losses
}

func accountingColumns(packets func(uint64) string, when func(time.Time) string) []column[accountedPort] {
	return []column[accountedPort]{
		{"SWITCH", func(p accountedPort) string { return p.Switch }},
		{"PORT", func(p accountedPort) string { return p.Port }},
		{"PACKETS", func(p accountedPort) string { return packets(p.Accounting.PortPackets) }},
		{"RECORDS", func(p accountedPort) string { return packets(p.Accounting.RecordPackets) }},
		{"BUCKETS", func(p accountedPort) string { return packets(p.Accounting.BucketPackets) }},
		{"RESIDUE", func(p accountedPort) string { return fmt.Sprint(p.Accounting.ResiduePackets) }},
		{"MISSING", func(p accountedPort) string { return fmt.Sprint(p.Accounting.MissingPackets) }},
		{"GENERATIONS", func(p accountedPort) string { return fmt.Sprint(p.Accounting.generations()) }},
		{"LAST-LOSS", func(p accountedPort) string { return when(p.Accounting.lastLoss()) }},
	}
}

func accountingColumnsWide() []column[accountedPort] {
	return append(accountingColumns(func(n uint64) string { return fmt.Sprint(n) }, stamp),
		column[accountedPort]{"RESIDUE-BYTES", func(p accountedPort) string { return fmt.Sprint(p.Accounting.ResidueBytes) }},
		column[accountedPort]{"MISSING-BYTES", func(p accountedPort) string { return fmt.Sprint(p.Accounting.MissingBytes) }},
		column[accountedPort]{"GAPS", func(p accountedPort) string { return p.Accounting.gaps() }})
}

// generations adds up those that went unreported in the losses that are known.
func (a *accounting) generations() (n uint64) {
	for _, l := range a.Losses {
		n += l.Generations
	}
	return n
}

// lastLoss is when the newest loss had happened.
func (a *accounting) lastLoss() time.Time {
	if len(a.Losses) == 0 {
		return time.Time{}
	}
	return a.Losses[len(a.Losses)-1].Until
}

// gaps gives slots with the generations that went unreported, as slot:generations.
func (a *accounting) gaps() string {
	var words []string
	for _, l := range a.Losses {
		for _, g := range l.Gaps {
			word := fmt.Sprintf("%d:%d", g.Slot, g.First)
			if g.Last != g.First {
				word += fmt.Sprintf("-%d", g.Last)
			}
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}
