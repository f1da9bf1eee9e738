package lossbench

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The fabric: every leaf is cabled to every spine. Port 1 and up of a leaf lead to the spines, those
// of a spine to the leaves, and hostPort to the hosts of a leaf.
const (
	leaves   = 3
	spines   = 2
	hostPort = 10
)

func leaf(i int) string  { return fmt.Sprintf("leaf%d", i+1) }
func spine(i int) string { return fmt.Sprintf("spine%d", i+1) }

func switchNames() (names []string) {
	for i := range leaves {
		names = append(names, leaf(i))
	}
	for i := range spines {
		names = append(names, spine(i))
	}
	return names
}

// cable is one direction of a link.
type cable struct {
	from, to        string
	outPort, inPort uint32
}

// String is how segments name it.
func (c cable) String() string {
	return fmt.Sprintf("%s/%d>%s/%d", c.from, c.outPort, c.to, c.inPort)
}

func up(l, s int) cable   { return cable{leaf(l), spine(s), uint32(s + 1), uint32(l + 1)} }
func down(l, s int) cable { return cable{spine(s), leaf(l), uint32(l + 1), uint32(s + 1)} }

func links() (list []cable) {
	for l := range leaves {
		for s := range spines {
			list = append(list, up(l, s), down(l, s))
		}
	}
	return list
}

// wire is what a cable does to packets, and has done.
type wire struct {
	loss, double, hold float64 // shares
	lost, doubled      uint64
}

// underWay is how long a packet takes from one switch to the next, queues included.
func (r *rig) underWay() time.Duration {
	return time.Duration(20+r.rand.ExpFloat64()*200) * time.Microsecond
}

// held is how long a packet is kept back that others are to overtake.
const held = 5 * time.Millisecond

func hostAddress(leaf, host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(leaf + 1), byte(host >> 8), byte(host)})
}

// facts are the cables, and where the first hosts sit.
func facts() []inventory.Fact {
	var out []inventory.Fact
	port := func(sw string, n uint32) inventory.PortRef {
		return inventory.PortRef{Switch: sw, Port: inventory.PortName(n), Number: n}
	}
	for _, l := range links() {
		out = append(out, inventory.Link{A: port(l.from, l.outPort), B: port(l.to, l.inPort)})
	}
	for l := range leaves {
		for host := range 256 {
			out = append(out, inventory.Endpoint{Switch: leaf(l), Port: inventory.PortName(hostPort), Number: hostPort, Address: hostAddress(l, host), MAC: "02:00:00:00:00:01"})
		}
	}
	return out
}

// source gives the facts to the correlator. Nothing changes afterwards.
type source []inventory.Fact

func (s source) Subscribe() (inventory.Lister, correlate.Feed) { return s, s }

func (s source) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for _, f := range s {
			if f.Ref().Kind == k && !yield(inventory.Entry{Fact: f}) {
				return
			}
		}
	}
}

func (s source) Next(ctx context.Context) ([]inventory.Update, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s source) Close() {}
