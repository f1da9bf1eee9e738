package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// bench is a switch, the daemon that controls it, and the cables.
type bench struct {
	Config
	ports     []*port
	processes []*process.Process
}

// Addresses, in a namespace where nobody else is.
const (
	switchAddress = "127.0.0.1:9559"
	gnmiAddress   = "127.0.0.1:9339"
	httpAddress   = "127.0.0.1:9464"
	grace         = 5 * time.Second // of a process that is told to end
)

func (b *bench) start(ctx context.Context) error {
	if out, err := exec.CommandContext(ctx, "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		return fmt.Errorf("loopback: %w: %s", err, out)
	}
	for _, p := range b.ports {
		if err := p.plug(ctx); err != nil {
			return err
		}
	}
	command := strings.Fields(b.Switch)
	args := append(command[1:], "--device-id", "1")
	for _, p := range b.ports {
		args = append(args, "-i", fmt.Sprintf("%d@%s", p.number, p.name))
	}
	args = append(args, "--no-p4", "--", "--grpc-server-addr", switchAddress, "--cpu-port", "510", "--drop-port", "511")
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("switch: %w", err)
	}
	if err := b.run("switch", path, args...); err != nil {
		return err
	}
	config, err := b.writeConfig()
	if err != nil {
		return err
	}
	if err := b.run("fabricscoped", filepath.Join(b.Binaries, "fabricscoped"), "--config", config); err != nil {
		return err
	}
	return b.poll(ctx, "the switch to be ready", func() error {
		switches, err := ask[check.Switch](ctx, b, "switches")
		if err == nil && (len(switches) != 1 || switches[0].State != "ready") {
			err = fmt.Errorf("%+v", switches)
		}
		return err
	})
}

func (b *bench) run(name, path string, args ...string) error {
	p, err := process.Start(process.Spec{Name: name, Path: path, Args: args, Log: filepath.Join(b.Directory, name+".log")})
	if err == nil {
		b.processes = append(b.processes, p)
	}
	return err
}

// stop ends the processes, the daemon before the switch, and removes the cables.
func (b *bench) stop() (err error) {
	for i := len(b.processes) - 1; i >= 0; i-- {
		err = errors.Join(err, b.processes[i].Err())
		b.processes[i].Stop(grace)
	}
	for _, p := range b.ports {
		// One that was not made yet is not there.
		_ = exec.Command("ip", "link", "delete", p.name).Run()
	}
	return err
}

// writeConfig writes the daemon's configuration as it is documented, and gives its path.
func (b *bench) writeConfig() (string, error) {
	type object = map[string]any
	var ports []object
	for _, p := range b.ports {
		ports = append(ports, object{"number": p.number, "name": p.name})
	}
	// Whole files are compared, so nothing may leave the screen before their end.
	flows := object{"idle-timeout": "1s", "linger": "24h"}
	if b.Slots > 0 {
		flows["cache-slots"] = b.Slots
	}
	text, err := yaml.Marshal(object{
		"state-dir": filepath.Join(b.Directory, "state"),
		"gnmi":      object{"listen": gnmiAddress},
		"http":      object{"listen": httpAddress},
		"switches":  []object{{"name": "verified", "address": switchAddress, "device-id": 1, "role": "leaf", "ports": ports}},
		"fabric":    object{"routing": false},
		"flows":     flows,
	})
	if err != nil {
		return "", fmt.Errorf("write the daemon's configuration: %w", err)
	}
	path := filepath.Join(b.Directory, "fabricscoped.yaml")
	return path, os.WriteFile(path, text, 0o644)
}

// ask gives an answer of the operator's CLI.
func ask[T any](ctx context.Context, b *bench, args ...string) ([]T, error) {
	command := exec.CommandContext(ctx, filepath.Join(b.Binaries, "fabricscope"), append(args, "-o", "json")...)
	command.Env = append(os.Environ(), "FABRICSCOPE_ADDRESS="+gnmiAddress, "FABRICSCOPE_TLS_CA="+filepath.Join(b.Directory, "state", "gnmi.crt"))
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("fabricscope %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	var answer []T
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("fabricscope %s: %w", strings.Join(args, " "), err)
	}
	return answer, nil
}

// poll waits until try has no error, or gives its last one when that takes too long.
func (b *bench) poll(ctx context.Context, what string, try func() error) error {
	for deadline := time.Now().Add(b.Timeout); ; {
		err := try()
		if err == nil {
			return nil
		}
		for _, p := range b.processes {
			if ended := p.Err(); ended != nil {
				return ended
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s (logs are in %s): %w", b.Timeout, what, b.Directory, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// settled waits until everything that was sent into a port is in a record or in a bucket, and
// gives what the flows and the buckets say then. When that does not come there is an error too.
func (b *bench) settled(ctx context.Context, p *port, sent check.Count) (*check.Captured, error) {
	said := check.NewCaptured()
	unsettled := b.poll(ctx, "the counters to settle", func() error {
		switches, err := ask[check.Switch](ctx, b, "switches", "--port", p.name)
		if err != nil {
			return err
		}
		account, err := check.PortAccount(switches, p.name)
		if err != nil {
			return err
		}
		said.Total = account.Port
		for class, n := range account.Buckets {
			said.Buckets[check.Bucket{Interface: p.name, Class: class}] = n
		}
		switch {
		case account.Port.Packets != sent.Packets:
			return fmt.Errorf("%s were sent and the port has %s: the rate of %d/s is too high, or frames were changed on the way", sent, account.Port, b.rate())
		case account.Unexplained() != (check.Count{}):
			return fmt.Errorf("%s of %s are in no record and no bucket", account.Unexplained(), account.Port)
		}
		return nil
	})
	flows, err := ask[check.Flow](ctx, b, "flows", "--port", p.name)
	if err != nil {
		return nil, errors.Join(unsettled, err)
	}
	for f, n := range check.FlowCounts(flows) {
		if f.Interface == p.name {
			said.Flows[f] = n
		}
	}
	return said, unsettled
}
