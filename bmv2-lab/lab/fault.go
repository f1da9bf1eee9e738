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

// canImpair says whether the switches can lose frames on purpose: softswitch can.
func (l *Lab) canImpair() bool {
	program, _, _ := strings.Cut(l.Config.Switch, " ")
	return filepath.Base(program) != "simple_switch_grpc"
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

// impair lets a cable lose a share of its frames from now on, none with 0.
func (l *Lab) impair(ctx context.Context, c cable, loss float64) error {
	_, err := l.admin(ctx, c.from, http.MethodPut, "/impairment", map[string]float64{"loss": loss})
	return err
}

// lostOn is how many frames a cable has lost on purpose.
func (l *Lab) lostOn(ctx context.Context, c cable) (uint64, error) {
	text, err := l.admin(ctx, c.from, http.MethodGet, "", nil)
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
func (l *Lab) admin(ctx context.Context, p topology.Port, method, what string, body any) ([]byte, error) {
	for _, s := range l.Topology.Switches {
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
