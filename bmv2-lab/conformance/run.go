package conformance

import (
	"context"
	"fmt"
	"io"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

// Run carries a case out on a device. reference says that it is simple_switch_grpc, whose known
// faults are no failures, and out gets what the script prints. An error says that the case could not be carried out: errors.Is(err,
// stf.ErrUnsupported) if the switch does not serve what it takes.
func Run(ctx context.Context, d Device, c Case, reference bool, out io.Writer) (*stf.Result, error) {
	t, err := NewTarget(ctx, d, c, reference)
	if err != nil {
		return nil, err
	}
	result := c.Program.Run(c.Script, t, out)
	if err := t.Close(); err != nil {
		return nil, fmt.Errorf("what the case has made cannot be removed: %w", err)
	}
	return result, t.unserved
}
