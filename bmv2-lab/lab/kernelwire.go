package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// kernelWire loses frames in the kernel, between the switch that sends them and the cable: for
// switches that cannot lose any on purpose. A frame that is dropped there was counted where it
// came into that switch, and nothing behind it sees it.
type kernelWire struct{}

// lossScale is the denominator of shares: nftables compares whole numbers.
const lossScale = 10_000

// impair makes a table with the name of the interface. One that a killed run left is replaced.
func (kernelWire) impair(ctx context.Context, c cable, loss float64) error {
	port := c.from.Interface()
	_, err := nft(ctx, fmt.Sprintf(`add table netdev %[1]s
delete table netdev %[1]s
table netdev %[1]s {
	counter lost {}
	chain wire {
		type filter hook egress device %[1]q priority 0
		numgen random mod %[2]d < %[3]d counter name lost drop
	}
}
`, port, lossScale, int(loss*lossScale)), "-f", "-")
	return err
}

func (kernelWire) mend(ctx context.Context, c cable) (lost uint64, err error) {
	port := c.from.Interface()
	if _, err := nft(ctx, "", "flush", "chain", "netdev", port, "wire"); err != nil {
		return 0, err
	}
	out, err := nft(ctx, "", "-j", "list", "counter", "netdev", port, "lost")
	if err != nil {
		return 0, err
	}
	var answer struct {
		Objects []struct {
			Counter struct{ Packets uint64 } `json:"counter"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return 0, fmt.Errorf("nft list counter of %s: %w", port, err)
	}
	for _, o := range answer.Objects { // one of them is about nft itself
		lost += o.Counter.Packets
	}
	_, err = nft(ctx, "", "delete", "table", "netdev", port)
	return lost, err
}

func nft(ctx context.Context, input string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "nft", args...)
	command.Stdin = strings.NewReader(input)
	out, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return nil, fmt.Errorf("nft %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
