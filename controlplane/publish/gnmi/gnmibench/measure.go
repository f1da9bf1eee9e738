package main

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// reads measures questions about what is, without and with access control, which is what runs.
func (b *bench) reads(ctx context.Context) error {
	fmt.Printf("==> questions, with %d pods and %d members of %d services\n", b.pods, b.pods, b.services)
	var found []result
	for _, to := range []*door{&b.open, b.door} {
		c, err := b.client(ctx, to, "reads", strconv.Itoa(b.services))
		if err != nil {
			return err
		}
		r, err := c.wait()
		if err != nil {
			return err
		}
		found = append(found, r)
	}
	open, r := found[0], found[1]
	took := func(what, name string, scale float64, unit, aim string) {
		report(what, fmt.Sprintf("%.2f %s", r[name]*scale, unit), fmt.Sprintf("%s; %.2f without access control", aim, open[name]*scale))
	}
	took("ONCE of all pod state", "once", 1, "s", "< 3 s")
	took("  by a client that decodes it with the generated package", "decoded", 1, "s", "-")
	report("  leaves", fmt.Sprintf("%.0f", r["leaves"]), "-")
	took("Get of one pod, median", "get", 1e3, "ms", "< 2 ms")
	took("Get of one pod, 99%", "get99", 1e3, "ms", "-")
	took("a service with its members, ONCE, median", "service", 1e3, "ms", "< 20 ms")
	report("  leaves", fmt.Sprintf("%.0f", r["service-leaves"]), "-")
	took("the members of a service in any namespace, ONCE, median", "anywhere", 1e3, "ms", "< 20 ms")
	return nil
}

// leavesOfCounters is how many leaves a change of counters changes.
const leavesOfCounters = 18

// flood measures how many leaves one subscriber can be told.
func (b *bench) flood(ctx context.Context) error {
	for _, aim := range []int{b.leaves, 2 * b.leaves} {
		fmt.Printf("==> one subscriber ON_CHANGE in PROTO; %d leaves of the counters of 1,000 ports change a second\n", aim)
		c, err := b.client(ctx, b.door, "flood", b.time.String())
		if err != nil {
			return err
		}
		if err := b.await(ctx, 1); err != nil {
			return err
		}
		begun, busy := time.Now(), processorTime()
		made := b.pour(ctx, float64(aim)/leavesOfCounters)
		used := (processorTime() - busy).Seconds() / time.Since(begun).Seconds()
		r, err := c.wait()
		if err != nil {
			fmt.Println(err)
			continue
		}
		report("leaves changed", fmt.Sprintf("%.0f /s", made*leavesOfCounters), fmt.Sprintf("%d /s", aim))
		report("leaf updates told", fmt.Sprintf("%.0f /s", r["leaves"]/b.time.Seconds()), fmt.Sprintf("%d /s", aim))
		report("  leaf updates merged with later ones", fmt.Sprintf("%.0f /s", r["duplicates"]/b.time.Seconds()), "0 /s")
		report("  processors that the server and the making of changes took", fmt.Sprintf("%.2f", used), "-")
	}
	return nil
}

// pour records changes at a rate while there is a subscriber, and gives the rate that it came to.
func (b *bench) pour(ctx context.Context, rate float64) float64 {
	begun := time.Now()
	made := 0
	for b.server.Subscribers() > 0 && ctx.Err() == nil {
		due := int(time.Since(begun).Seconds() * rate)
		if made >= due {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		var changes []inventory.Change
		for ; made < due && len(changes) < 200; made++ {
			changes = append(changes, inventory.Became(counters(uint32(made%1000), uint64(made/1000+1)), time.Now()))
		}
		b.store.Record(changes...)
	}
	return float64(made) / time.Since(begun).Seconds()
}

// processorTime is what this process has used of the processors.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// counters is the accounting of a port in which all counters are n.
func counters(port uint32, n uint64) inventory.Accounting {
	bucket := inventory.Bucket{Packets: n, Bytes: n}
	return inventory.Accounting{Switch: "leaf1", Port: inventory.PortName(port), Number: port, PortPackets: n, PortBytes: n,
		RecordPackets: n, RecordBytes: n, BucketPackets: n, BucketBytes: n,
		Buckets:     inventory.Buckets{Fragment: bucket, Malformed: bucket, LLDP: bucket, Other: bucket},
		BasePackets: int64(n), BaseBytes: int64(n), ResiduePackets: int64(n), ResidueBytes: int64(n)}
}
