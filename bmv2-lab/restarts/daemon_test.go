package restarts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/controlplane/cli"
)

// asDaemon, in the environment, names the configuration with which this program is fabricscoped.
const asDaemon = "RESTARTS_DAEMON"

// daemon is fabricscoped with a state directory of its own, which outlives its processes.
type daemon struct {
	name       string
	dir        string
	config     string
	gnmi, http string
	log        string
	proxy      *proxy

	cmd   *exec.Cmd // while it runs
	ended chan struct{}
}

// newDaemon writes the configuration of a daemon that reaches the switch through a proxy.
func newDaemon(t *testing.T, name string, election int, p *proxy) *daemon {
	t.Helper()
	d := &daemon{name: name, dir: t.TempDir(), gnmi: freeAddress(t), http: freeAddress(t), proxy: p}
	d.config, d.log = filepath.Join(d.dir, "fabricscoped.yaml"), filepath.Join(d.dir, "log")
	type object = map[string]any
	var list []object
	for _, n := range ports() {
		list = append(list, object{"number": n, "name": portName(n)})
	}
	text, err := yaml.Marshal(object{
		"state-dir": filepath.Join(d.dir, "state"), "election-id": election,
		"gnmi": object{"listen": d.gnmi}, "http": object{"listen": d.http},
		"switches": []object{{"name": "leaf1", "address": p.address(), "device-id": deviceID, "role": "leaf", "ports": list}},
		"fabric":   object{"routing": false},
		"flows":    object{"idle-timeout": "1s", "linger": "24h"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			text, _ := os.ReadFile(d.log)
			t.Logf("%s said:\n%s", name, text)
		}
	})
	return d
}

func portName(n uint32) string { return fmt.Sprintf("eth%d", n) }

// freeAddress is one where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (d *daemon) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asDaemon+"="+d.config)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.cmd, d.ended = cmd, make(chan struct{})
	go func(ended chan<- struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(d.ended)
}

// crashed says that the process ended although nobody killed it.
func (d *daemon) crashed() bool {
	if d.cmd == nil {
		return false
	}
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// kill ends the process as kill -9 does.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	<-d.ended
	d.cmd = nil
}

// switchAnswer is the switch as `fabricscope switches` gives it.
type switchAnswer struct {
	State      string `json:"state"`
	Controller string `json:"controller"`
	Primary    uint64 `json:"primary-election-id"`
	FlowCache  struct {
		ReadOuts      uint64    `json:"full-read-outs"`
		ReadOutTook   uint64    `json:"last-full-read-out-ns"`
		CountingSince time.Time `json:"counting-since"`
	} `json:"flow-cache"`
	Ports []struct {
		Name       string     `json:"name"`
		Accounting accounting `json:"accounting"`
	} `json:"ports"`
}

// accounting is what the daemon says of a port.
type accounting struct {
	PortPackets    uint64 `json:"port-packets"`
	PortBytes      uint64 `json:"port-bytes"`
	RecordPackets  uint64 `json:"record-packets"`
	RecordBytes    uint64 `json:"record-bytes"`
	BasePackets    int64  `json:"base-packets"`
	BaseBytes      int64  `json:"base-bytes"`
	ResiduePackets int64  `json:"residue-packets"`
	ResidueBytes   int64  `json:"residue-bytes"`
}

// ask gives an answer of the operator's command line.
func ask[T any](d *daemon, args ...string) (answer []T, err error) {
	var stdout, stderr bytes.Buffer
	env := map[string]string{"FABRICSCOPE_ADDRESS": d.gnmi, "FABRICSCOPE_TLS_CA": filepath.Join(d.dir, "state", "gnmi.crt")}
	status := cli.Main(cli.Surroundings{Args: append(args, "-o", "json"), Getenv: func(n string) string { return env[n] },
		Now: time.Now, Stdout: &stdout, Stderr: &stderr})
	if status != 0 {
		return nil, fmt.Errorf("%s: %s", d.name, strings.TrimSpace(stderr.String()))
	}
	return answer, json.Unmarshal(stdout.Bytes(), &answer)
}

// theSwitch is what the daemon says of the switch.
func (d *daemon) theSwitch() (switchAnswer, error) {
	switches, err := ask[switchAnswer](d, "switches")
	if err == nil && len(switches) != 1 {
		err = fmt.Errorf("%s: %d switches", d.name, len(switches))
	}
	if err != nil {
		return switchAnswer{}, err
	}
	return switches[0], nil
}

func (d *daemon) flows(t *testing.T) []check.Flow {
	t.Helper()
	flows, err := ask[check.Flow](d, "flows")
	if err != nil {
		t.Fatal(err)
	}
	return flows
}

// metric adds up the samples of a metric in /metrics; 0 when there are none.
func (d *daemon) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	resp, err := http.Get("http://" + d.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum += v
	}
	return sum
}
