package app

import (
	"bufio"
	"bytes"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// mainVariable makes the test binary the program softswitch, with the arguments that it holds.
const mainVariable = "SOFTSWITCH_TEST_ARGUMENTS"

// process is a running softswitch and what it has logged.
type process struct {
	cmd  *exec.Cmd
	logs chan string
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("/proc/self/exe"), logs: make(chan string, 100)}
	p.cmd.Env = append(os.Environ(), mainVariable+"="+strings.Join(args, " "))
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.logs)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.logs <- s.Text()
		}
	}()
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
		for range p.logs {
		}
	})
	return p
}

// says waits for a line of the log.
func (p *process) says(t *testing.T, want string) {
	t.Helper()
	timeout := time.After(patient)
	for {
		select {
		case line, ok := <-p.logs:
			if !ok {
				t.Fatalf("the process ended and did not say %q", want)
			}
			if strings.Contains(line, want) {
				return
			}
		case <-timeout:
			t.Fatalf("the process does not say %q", want)
		}
	}
}

// ends waits for the process's end.
func (p *process) ends(t *testing.T) {
	t.Helper()
	for range p.logs { // Wait closes the pipe: read it first
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("exit status: %v", err)
	}
}

// The program moves frames between interfaces, writes captures, and ends when told to.
func TestProcessOnInterfaces(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: thread and namespace end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("new network namespace: %v (the test needs root)", err)
			return
		}
		runOnInterfaces(t)
	}()
	<-done
}

func runOnInterfaces(t *testing.T) {
	for _, args := range []string{"link set lo up", "link add v0 type veth peer name v1",
		"link set v0 addrgenmode none", "link set v1 addrgenmode none", "link set v0 up", "link set v1 up"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	dir := t.TempDir()
	p := startProcess(t, "-i", "7@v0", "--device-id", "4", "--pcap", dir, "testdata/reflector.json", "--", "--grpc-server-addr", "127.0.0.1:0")
	p.says(t, "switch started")

	cfg := ports.DefaultConfig()
	cfg.Ports = []ports.Port{{Number: 1, Interface: "v1"}}
	host, err := ports.New(cfg, ports.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Open(); err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	// Frames that the kernel drops while the link comes up are sent again.
	frame := append(bytes.Repeat([]byte{2}, 12), 0x81, 0, 0, 5, 8, 0, 1, 2, 3)
	back := false
	for deadline := time.Now().Add(patient); !back; {
		if time.Now().After(deadline) {
			t.Fatal("the frame does not come back")
		}
		host.Transmit(1, frame)
		for range 2 {
			if err := host.Poll(ports.ReceiverFunc(func(_ uint32, f []byte) { back = back || bytes.Equal(f, frame) })); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(t)
	for _, name := range []string{"v0_in.pcap", "v0_out.pcap"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(data, frame) {
			t.Errorf("%s: the frame is not in it (%v)", name, err)
		}
	}
}

// The program takes frames from files and writes frames to files, and logs what it takes and
// gives.
func TestProcessOnFiles(t *testing.T) {
	iface := filepath.Join(t.TempDir(), "s1-eth1")
	frame := append(bytes.Repeat([]byte{0xab}, 12), 8, 0, 1, 2, 3)
	f, err := os.Create(iface + "_in.pcap")
	if err != nil {
		t.Fatal(err)
	}
	w := pcapgo.NewWriter(f)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(frame), Length: len(frame)}, frame); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "-i", "7@"+iface, "--use-files", "0", "--dump-packet-data", "13", "--thrift-port", "9090",
		"testdata/reflector.json", "--", "--grpc-server-addr", "127.0.0.1:0")
	p.says(t, "there is no Thrift server")
	p.says(t, "Received packet of length 17 on port 7: "+strings.Repeat("ab", 12)+`08"`)
	p.says(t, "Sending packet of length 17 on port 7: "+strings.Repeat("ab", 12)+`08"`)
	p.says(t, "all frames of the files have arrived")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends(t)
	data, err := os.ReadFile(iface + "_out.pcap")
	if err != nil || len(data) != 24+16+len(frame) || !bytes.HasSuffix(data, frame) {
		t.Errorf("what was sent: %x, %v", data, err)
	}
}

// runMain is the program instead of the tests, if the variable is set.
func runMain() {
	if args, ok := os.LookupEnv(mainVariable); ok {
		os.Exit(Main(strings.Fields(args), os.Stdout, os.Stderr))
	}
}

// A switch whose P4Runtime port is taken says so.
func TestPortIsTaken(t *testing.T) {
	l := loopback(t)
	defer l.Close()
	var out bytes.Buffer
	status := Main([]string{"--no-p4", "--grpc-server-addr", l.Addr().String()}, &out, &out)
	if status != 1 || !strings.Contains(out.String(), l.Addr().String()) {
		t.Errorf("status %d: %s", status, out.String())
	}
}
