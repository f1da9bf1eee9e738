package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// answer is what the daemon says of a port.
type answer struct {
	*check.Captured
	records check.Count // what its flows have to add up to
}

// settle waits until everything that was sent into a port is in a record or in a bucket, or known to
// be lost, and gives what the buckets say then. When that does not come there is an error too.
func (b *bench) settle(ctx context.Context, p *port) (*answer, error) {
	said, sent := &answer{Captured: check.NewCaptured()}, p.tshark.Total
	var lost error
	err := b.poll(ctx, p.source+" to settle", func() error {
		switches, err := ask[check.Switch](ctx, b, "switches", "--port", p.name)
		if err != nil {
			return err
		}
		account, err := check.PortAccount(switches, p.name)
		if err != nil {
			return err
		}
		said.Total, said.records = account.Port, account.Records
		for class, n := range account.Buckets {
			said.Buckets[check.Bucket{Interface: p.name, Class: class}] = n
		}
		switch {
		case account.Port.Packets != sent.Packets:
			return fmt.Errorf("%s were sent and the port has %s: the rate of %d/s is too high, or frames were changed on the way", sent, account.Port, b.rate())
		case account.Unexplained() == (check.Count{}):
			return nil
		case account.Unexplained() == account.Missing:
			lost = fmt.Errorf("%s are in no record, because reports of the switch were lost (logs are in %s)", account.Missing, b.Directory)
			return nil
		default:
			return fmt.Errorf("%s of %s are in no record and no bucket", account.Unexplained(), account.Port)
		}
	})
	return said, errors.Join(err, lost)
}

// flows gives what conversations say of each port, once they have all packets that are in records:
// accounts are published when they change, conversations when their turn comes.
func (b *bench) flows(ctx context.Context, said map[string]*answer) error {
	return b.poll(ctx, "all conversations to be published", func() error {
		all, told, conversations := check.NewCaptured(), time.Now(), 0
		if err := b.eachFlow(ctx, func(f check.Flow) {
			all.AddFlow(f)
			if conversations++; time.Since(told) > progressInterval {
				told = time.Now()
				fmt.Fprintf(b.Progress, "%d conversations read\n", conversations)
			}
		}); err != nil {
			return err
		}
		for _, c := range said {
			clear(c.Flows)
		}
		for f, n := range all.Flows {
			if c := said[f.Interface]; c != nil {
				c.Flows[f] = n
			}
		}
		for name, c := range said {
			if n := c.FlowTotal(); n != c.records {
				return fmt.Errorf("port %s: %d flows have %s of %s", name, len(c.Flows), n, c.records)
			}
		}
		return nil
	})
}

// compare waits until everything is accounted for, and holds it against tshark, file by file.
func (b *bench) compare(ctx context.Context) (same bool, err error) {
	said := map[string]*answer{}
	var unsettled error
	for _, p := range b.ports {
		if said[p.name], err = b.settle(ctx, p); ctx.Err() != nil {
			return false, ctx.Err()
		} else if err != nil {
			unsettled = errors.Join(unsettled, fmt.Errorf("%s: %w", p.source, err))
		}
	}
	unsettled = errors.Join(unsettled, b.flows(ctx, said))
	same = true
	for _, p := range b.ports {
		if !report(b.Output, p, check.Differences(said[p.name].Captured, p.tshark)) {
			same = false
		}
	}
	return same, unsettled
}
