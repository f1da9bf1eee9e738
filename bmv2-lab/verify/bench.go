package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// cli is a run of the operator's CLI.
func (b *bench) cli(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(b.Binaries, "fabricscope"), args...)
	command.Env = append(os.Environ(), "FABRICSCOPE_ADDRESS="+gnmiAddress, "FABRICSCOPE_TLS_CA="+filepath.Join(b.Directory, "state", "gnmi.crt"))
	return command
}

// ask gives an answer of the operator's CLI.
func ask[T any](ctx context.Context, b *bench, args ...string) ([]T, error) {
	command := b.cli(ctx, append(args, "-o", "json")...)
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

// eachFlow gives all conversations that the operator's CLI tells of, one at a time.
func (b *bench) eachFlow(ctx context.Context, yield func(check.Flow)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := b.cli(ctx, "flows", "-o", "jsonl", "--timeout", b.Timeout.String())
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("fabricscope flows: %w", err)
	}
	for lines := json.NewDecoder(out); ; {
		var f check.Flow
		if err := lines.Decode(&f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			cancel() // it would wait for a reader
			return errors.Join(fmt.Errorf("fabricscope flows: %w", err), ignored(command.Wait()))
		}
		yield(f)
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("fabricscope flows: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// poll waits until try has no error, or gives its last one when nothing has changed about it for too
// long.
func (b *bench) poll(ctx context.Context, what string, try func() error) error {
	last, told := "", time.Now()
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
		if err.Error() != last {
			last, deadline = err.Error(), time.Now().Add(b.Timeout)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited for %s, and nothing changed in %s (logs are in %s): %w", what, b.Timeout, b.Directory, err)
		}
		if time.Since(told) > progressInterval {
			told = time.Now()
			fmt.Fprintf(b.Progress, "waiting for %s: %v\n", what, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// pollInterval is how often the daemon is asked for what is waited for.
const pollInterval = 200 * time.Millisecond
