package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Account is what a switch's port received, and where that is accounted for.
type Account struct {
	Port    Count
	Records Count
	Buckets map[Class]Count // those that are not empty
	Missing Count           // of what is in none of these: its reports were lost for certain
}

// Unexplained is what is in no flow's record and in no bucket.
func (a Account) Unexplained() Count {
	left := Count{a.Port.Packets - a.Records.Packets, a.Port.Bytes - a.Records.Bytes}
	for _, n := range a.Buckets {
		left = Count{left.Packets - n.Packets, left.Bytes - n.Bytes}
	}
	return left
}

// PortAccount finds the account of a port.
func PortAccount(switches []Switch, port string) (Account, error) {
	for _, s := range switches {
		for _, p := range s.Ports {
			if p.Name != port {
				continue
			}
			a := Account{Port: Count{p.Accounting.PortPackets, p.Accounting.PortBytes},
				Records: Count{p.Accounting.RecordPackets, p.Accounting.RecordBytes}, Buckets: maps.Clone(p.Accounting.Buckets),
				Missing: Count{uint64(p.Accounting.MissingPackets), uint64(p.Accounting.MissingBytes)}}
			maps.DeleteFunc(a.Buckets, func(_ Class, n Count) bool { return n == Count{} })
			return a, nil
		}
	}
	return Account{}, fmt.Errorf("no switch has a port %s", port)
}

// Difference is a flow or a bucket of which a switch and a capture have different counts.
type Difference struct {
	What           string
	Captured, Said Count
}

// Differences compares flows and buckets, and the totals.
func Differences(said, captured *Captured) []Difference {
	var list []Difference
	add := func(what string, captured, said Count) {
		if captured != said {
			list = append(list, Difference{what, captured, said})
		}
	}
	add("all frames", captured.Total, said.Total)
	for b := range union(captured.Buckets, said.Buckets) {
		add(fmt.Sprintf("%s: class %s", b.Interface, b.Class), captured.Buckets[b], said.Buckets[b])
	}
	for f := range union(captured.Flows, said.Flows) {
		add(f.String(), captured.Flows[f], said.Flows[f])
	}
	slices.SortFunc(list, func(a, b Difference) int { return cmp.Compare(a.What, b.What) })
	return list
}

// union is the keys of both.
func union[K comparable](a, b map[K]Count) map[K]struct{} {
	keys := map[K]struct{}{}
	for _, m := range []map[K]Count{a, b} {
		for k := range m {
			keys[k] = struct{}{}
		}
	}
	return keys
}
