package diagnose

import (
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Findings that a fact is by itself.

// unreachableFor is for how long a switch has to be unreachable.
const unreachableFor = 5 * time.Second

func lossy(l inventory.LinkLoss) inventory.Finding {
	if !l.Lossy {
		return inventory.Finding{}
	}
	name := l.A.String() + ">" + l.B.String()
	return finding("lossy-link", inventory.Major, inventory.Subject{Kind: "link", Name: name}, l.Since, l.Recent.Lost,
		fmt.Sprintf("%s loses %.2g%% of the packets: %d of %d lately", name, float64(l.Recent.PerMillion())/1e4, l.Recent.Lost, l.Recent.Packets))
}

func missing(a inventory.Accounting, now time.Time) inventory.Finding {
	if a.MissingPackets == 0 {
		return inventory.Finding{}
	}
	name := a.Switch + "/" + a.Port
	return finding("missing-packets", inventory.Minor, inventory.Subject{Kind: "port", Name: name}, now, uint64(max(a.MissingPackets, -a.MissingPackets)),
		fmt.Sprintf("%d packets that %s counted are in no flow record: reports of the switch were lost", a.MissingPackets, name))
}

func conflict(a inventory.Attachment, since time.Time) inventory.Finding {
	if a.Conflict == "" {
		return inventory.Finding{}
	}
	at := a.Switch + "/" + a.PortName
	return finding("location-conflict", inventory.Minor, inventory.Subject{Kind: "pod", Cluster: a.Cluster, Name: a.PodUID + "@" + at}, since, 1,
		fmt.Sprintf("the pod is said to be at %s, but %s", at, a.Conflict))
}

func gap(g inventory.Gap) inventory.Finding {
	return finding("api-gap", inventory.Major, inventory.Subject{Kind: "cluster", Cluster: g.Cluster, Name: g.Cluster}, g.Since, 1,
		fmt.Sprintf("what happens in cluster %s is not known: %s", g.Cluster, g.Why))
}

// outage is of a switch that cannot be reached.
type outage struct {
	since   time.Time
	message string
}

// connection notes since when a switch is unreachable.
func (s *state) connection(r inventory.Ref, sw inventory.Switch, since time.Time) {
	if sw.State != "unreachable" {
		delete(s.switches, r)
		return
	}
	if before, known := s.switches[r]; known {
		since = before.since
	}
	s.switches[r] = outage{since, sw.Message}
}

func (s *state) unreachable(now time.Time) (list []inventory.Finding) {
	for r, o := range s.switches {
		if now.Sub(o.since) >= unreachableFor {
			list = append(list, finding("switch-unreachable", inventory.Critical, inventory.Subject{Kind: "switch", Name: r.ID}, o.since, 1,
				fmt.Sprintf("switch %s cannot be reached, what it counts is not known: %s", r.ID, o.message)))
		}
	}
	return list
}
