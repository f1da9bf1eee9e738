package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// breath is how long a switch is waited for that does not come to rest: it may have work of its
// own for longer, as when the daemon reads its flow cache out.
const breath = 2 * time.Second

// breathe waits until the switch has nothing left to do, so that what is sent next finds its
// queues empty however slow the machine is.
func (b *bench) breathe(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, breath)
	defer cancel()
	err := process.AtRest(limited, b.processes[0].PID())
	if errors.Is(err, context.DeadlineExceeded) {
		err = ctx.Err()
	}
	return err
}

// reportDigests says what the flow cache cost: how many digests the daemon got for the frames.
func (b *bench) reportDigests(ctx context.Context) error {
	metrics, err := scrape(ctx)
	if err != nil {
		return err
	}
	frames := uint64(0)
	for _, p := range b.ports {
		frames += p.tshark.Total.Packets
	}
	if frames == 0 {
		return nil
	}
	digests := sum(metrics["fabricscope_p4rt_digests_total"])
	fmt.Fprintf(b.Output, "     %.0f digests of %d frames, %.3f a frame; %.0f dropped by the daemon\n", digests, frames,
		digests/float64(frames), sum(metrics["fabricscope_p4rt_drops_total"]))
	return nil
}

// scrape asks the daemon for its metrics.
func scrape(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+httpAddress+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the daemon's metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	metrics, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("the daemon's metrics: %w", err)
	}
	return metrics, nil
}

// sum adds up all samples of a counter; 0 when there are none.
func sum(family *dto.MetricFamily) (total float64) {
	for _, m := range family.GetMetric() {
		total += m.GetCounter().GetValue()
	}
	return total
}
