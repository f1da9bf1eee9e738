package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// adminPortOffset is by how much the port of a switch's administration is above that of its
// P4Runtime server (bmv2-lab/mininet/lab.py).
const adminPortOffset = 2000

// cable is one direction of a link between two switches, named by the port that sends.
type cable struct {
	from, to topology.Port
}

// String gives both ports as the command line names them.
func (c cable) String() string {
	return c.from.Switch + "/" + c.from.Interface() + ">" + c.to.Switch + "/" + c.to.Interface()
}

// wire makes a cable lose frames, and knows how many it has lost.
type wire interface {
	// impair lets a cable lose a share of its frames from now on.
	impair(ctx context.Context, c cable, loss float64) error
	// mend lets it lose none any more, and says how many it has lost.
	mend(ctx context.Context, c cable) (lost uint64, err error)
}

// wire is the switches' own way to lose frames, which softswitch has, or else the kernel's.
func (l *Lab) wire() wire {
	program, _, _ := strings.Cut(l.Config.Switch, " ")
	if filepath.Base(program) == "simple_switch_grpc" {
		return kernelWire{}
	}
	return switchWire{l.Topology}
}

// faultyCable is the one that loses frames in the checks: from the first spine to the last leaf.
func (l *Lab) faultyCable() (cable, error) {
	for i := len(l.Topology.Links) - 1; i >= 0; i-- {
		link := l.Topology.Links[i]
		if strings.HasPrefix(link.A.Switch, "leaf") && link.B.Switch == l.Topology.Switches[0].Name {
			return cable{from: link.B, to: link.A}, nil
		}
	}
	return cable{}, errors.New("the topology has no cable from its first switch to a leaf")
}

// switchWire is the administration of softswitches.
type switchWire struct{ topology *topology.Topology }

func (w switchWire) impair(ctx context.Context, c cable, loss float64) error {
	_, err := w.admin(ctx, c.from, http.MethodPut, "/impairment", map[string]float64{"loss": loss})
	return err
}

func (w switchWire) mend(ctx context.Context, c cable) (lost uint64, err error) {
	if err := w.impair(ctx, c, 0); err != nil {
		return 0, err
	}
	text, err := w.admin(ctx, c.from, http.MethodGet, "", nil)
	if err != nil {
		return 0, err
	}
	var stats struct {
		Lost uint64 `json:"impaired_lost"`
	}
	err = json.Unmarshal(text, &stats)
	return stats.Lost, err
}

// admin asks the administration of a port.
func (w switchWire) admin(ctx context.Context, p topology.Port, method, what string, body any) ([]byte, error) {
	for _, s := range w.topology.Switches {
		if s.Name != p.Switch {
			continue
		}
		content, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		url := fmt.Sprintf("http://127.0.0.1:%d/ports/%d%s", s.GRPCPort+adminPortOffset, p.Number, what)
		request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, fmt.Errorf("switch %s: %w", s.Name, err)
		}
		defer response.Body.Close()
		var answer bytes.Buffer
		if _, err := answer.ReadFrom(response.Body); err != nil {
			return nil, fmt.Errorf("switch %s: %w", s.Name, err)
		}
		if response.StatusCode/100 != 2 {
			return nil, fmt.Errorf("switch %s: %s %s: %s: %s", s.Name, method, url, response.Status, answer.String())
		}
		return answer.Bytes(), nil
	}
	return nil, fmt.Errorf("the topology has no switch %s", p.Switch)
}
