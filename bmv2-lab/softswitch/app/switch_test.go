package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

func TestMain(m *testing.M) {
	runMain()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}))
}

const patient = 10 * time.Second

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start runs a switch until the test ends, and waits until it is ready.
func start(t *testing.T, cfg Config, deps Deps) *Switch {
	t.Helper()
	deps.Log = slog.New(slog.DiscardHandler)
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	select {
	case <-s.Ready():
	case <-time.After(patient):
		t.Fatal("the switch is not ready")
	}
	return s
}

// reflector is a program that sends every frame back where it came from.
func reflector(t *testing.T) []byte {
	t.Helper()
	program, err := os.ReadFile("testdata/reflector.json")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func inMemory(numbers ...uint32) Config {
	cfg := DefaultConfig()
	for _, n := range numbers {
		cfg.Ports = append(cfg.Ports, ports.Port{Number: n})
	}
	return cfg
}

// A program of the command line runs without any controller.
func TestProgramFromTheStart(t *testing.T) {
	cfg := inMemory(1, 2)
	cfg.Program = reflector(t)
	cfg.PcapDir = t.TempDir()
	out := make(chan uint32, 10)
	s := start(t, cfg, Deps{Transmit: func(port uint32, frame []byte) { out <- port }})
	for _, port := range []uint32{2, 1} {
		if err := s.Inject(port, bytes.Repeat([]byte{1}, 60)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-out:
			if got != port {
				t.Errorf("sent at port %d, want %d", got, port)
			}
		case <-time.After(patient):
			t.Fatal("nothing was sent")
		}
	}
	if err := s.Inject(3, []byte{1}); err == nil {
		t.Error("a port that is not there took a frame")
	}
}

func TestFramesWithoutAProgramAreCounted(t *testing.T) {
	admin := loopback(t)
	s := start(t, inMemory(1), Deps{Admin: admin})
	for range 3 {
		if err := s.Inject(1, make([]byte, 60)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool {
		return strings.Contains(get(t, admin, "/metrics"), "fabricscope_app_no_program_drops_total 3")
	})
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patient); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("gave up")
		}
	}
}

func get(t *testing.T, l net.Listener, path string) string {
	t.Helper()
	status, body := do(t, l, http.MethodGet, path, "")
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, status, body)
	}
	return body
}

func do(t *testing.T, l net.Listener, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, fmt.Sprintf("http://%s%s", l.Addr(), path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// An impairment is set and lifted at run time, and what it costs is counted to the frame.
func TestImpairmentsOverHTTP(t *testing.T) {
	admin := loopback(t)
	cfg := inMemory(1)
	cfg.Program = reflector(t)
	s := start(t, cfg, Deps{Admin: admin})
	const n = 2000
	send := func() ports.Stats {
		t.Helper()
		before := s.Ports()[0]
		for range n {
			if err := s.Inject(1, make([]byte, 60)); err != nil {
				t.Fatal(err)
			}
		}
		until(t, func() bool {
			st := s.Ports()[0]
			return st.RxFrames == before.RxFrames+n && st.TxFrames+st.Lost == before.TxFrames+before.Lost+n
		})
		return s.Ports()[0]
	}
	if st := send(); st.Lost != 0 || st.TxFrames != n {
		t.Errorf("good wire: %+v", st)
	}
	if status, text := do(t, admin, http.MethodPut, "/ports/1/impairment", `{"loss": 0.5}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, text)
	}
	lost := send().Lost
	if lost < n/3 || lost > 2*n/3 {
		t.Errorf("%d of %d lost at 50 %%", lost, n)
	}
	var st ports.Stats
	if err := json.Unmarshal([]byte(get(t, admin, "/ports/1")), &st); err != nil {
		t.Fatal(err)
	}
	if st.Lost != lost || st.Impairment.Loss != 0.5 || !st.Up {
		t.Errorf("%+v", st)
	}
	if text := get(t, admin, "/metrics"); !strings.Contains(text, fmt.Sprintf(`fabricscope_ports_drops_total{cause="impairment",direction="tx",interface="",port="1"} %d`, lost)) {
		t.Errorf("metrics: %s", text)
	}
	if status, text := do(t, admin, http.MethodDelete, "/ports/1/impairment", ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, text)
	}
	if st := send(); st.Lost != lost {
		t.Errorf("lost on a good wire: %+v", st)
	}
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPut, "/ports/1/impairment", `{"loss": 2}`, 400},
		{http.MethodPut, "/ports/1/impairment", `{"los": 0.1}`, 400},
		{http.MethodPut, "/ports/1/impairment", `{"delay": 5}`, 400},
		{http.MethodPut, "/ports/9/impairment", `{}`, 404},
		{http.MethodPut, "/ports/1/link", `{}`, 400},
		{http.MethodPut, "/ports/1/link", `{"up": "no"}`, 400},
		{http.MethodPut, "/ports/9/link", `{"up": true}`, 404},
		{http.MethodDelete, "/ports/1/link", ``, 405},
		{http.MethodPut, "/ports/x/impairment", `{}`, 400},
		{http.MethodGet, "/ports/9", ``, 404},
		{http.MethodPost, "/ports/1/impairment", `{}`, 405},
	} {
		if status, text := do(t, admin, c.method, c.path, c.body); status != c.want {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, status, text, c.want)
		}
	}
}

// Every frame that goes missing is counted under its cause.
func TestDropsByCause(t *testing.T) {
	admin := loopback(t)
	cfg := inMemory(1, 2)
	cfg.Program = reflector(t)
	s := start(t, cfg, Deps{Admin: admin})
	for path, body := range map[string]string{
		"/ports/1/link":       `{"up": false}`,
		"/ports/2/impairment": `{"delay": "10s"}`,
	} {
		if status, text := do(t, admin, http.MethodPut, path, body); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	room := ports.DefaultConfig().DelayLength
	refused := 0
	for sent := 0; sent < room+3; {
		if s.Inject(2, make([]byte, 60)) == nil {
			sent++
		} else {
			refused++
		}
	}
	until(t, func() bool { return s.Ports()[1].RxFrames == uint64(room+3) })
	for range 5 {
		if err := s.Inject(1, make([]byte, 60)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, func() bool { return s.Ports()[0].RxLinkDown == 5 })
	text := get(t, admin, "/metrics")
	for _, want := range []string{
		`fabricscope_ports_up{interface="",port="1"} 0`,
		`fabricscope_ports_up{interface="",port="2"} 1`,
		`fabricscope_ports_no_such_port_drops_total 0`,
		`fabricscope_app_program_drops_total{cause="assertion"} 0`,
		`fabricscope_ports_rx_frames_total{interface="",port="1"} 0`,
		`fabricscope_ports_impaired_delayed_total{interface="",port="2"} ` + fmt.Sprint(room),
		`fabricscope_ports_drops_total{cause="link_down",direction="rx",interface="",port="1"} 5`,
		`fabricscope_ports_drops_total{cause="delay_full",direction="tx",interface="",port="2"} 3`,
		fmt.Sprintf(`fabricscope_ports_drops_total{cause="queue_full",direction="rx",interface="",port="2"} %d`, refused),
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

// Two switches in one process, cabled in memory, pass a frame to and fro until it is lost.
func TestTwoSwitchesInOneProcess(t *testing.T) {
	cfg := inMemory(1)
	cfg.Program = reflector(t)
	var left, right *Switch
	ready := make(chan struct{})
	cable := func(to **Switch) func(uint32, []byte) {
		return func(port uint32, frame []byte) {
			<-ready
			if err := (*to).Inject(1, frame); err != nil {
				t.Error(err)
			}
		}
	}
	left = start(t, cfg, Deps{Transmit: cable(&right)})
	right = start(t, cfg, Deps{Transmit: cable(&left)})
	close(ready)
	if err := left.Inject(1, make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return left.Ports()[0].RxFrames > 1000 })
	if err := right.Impair(1, ports.Impairment{Loss: 1}); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return right.Ports()[0].Lost == 1 })
}

func TestConfigIsChecked(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, change := range map[string]func(*Config){
		"CPU port is a port":      func(c *Config) { c.CPUPort = 1 },
		"drop port is a port":     func(c *Config) { c.DropPort = 1 },
		"CPU port is drop port":   func(c *Config) { c.CPUPort = c.DropPort },
		"program is no JSON":      func(c *Config) { c.Program = []byte("x") },
		"port number is too high": func(c *Config) { c.Ports[0].Number = 1 << 20 },
	} {
		cfg := inMemory(1)
		change(&cfg)
		if _, err := New(cfg, Deps{Log: log}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(inMemory(1), Deps{}); err == nil {
		t.Error("no logger: no error")
	}
}
