package app

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

func TestCommandLinesOfSimpleSwitch(t *testing.T) {
	dir := t.TempDir()
	two := []ports.Port{{Number: 1, Interface: "s1-eth1"}, {Number: 2, Interface: "s1-eth2"}}
	for _, c := range []struct {
		args string
		want func(o *options)
	}{
		{"-i 1@s1-eth1 --interface 2@s1-eth2 --device-id 7 prog.json -- --grpc-server-addr 127.0.0.1:50051 --cpu-port 510 --drop-port 500",
			func(o *options) {
				o.config.Ports, o.config.DeviceID, o.program = two, 7, "prog.json"
				o.grpcAddr, o.config.CPUPort, o.config.DropPort = "127.0.0.1:50051", 510, 500
			}},
		{"-i1@s1-eth1 --interface=2@s1-eth2 --cpu-port 510 --log-console -L debug prog.json",
			func(o *options) {
				o.config.Ports, o.program, o.config.CPUPort, o.logConsole = two, "prog.json", 510, true
				o.level = -4
			}},
		{"--no-p4 --pcap " + dir + " -- --cpu-port 3", func(o *options) { o.noP4, o.config.PcapDir, o.config.CPUPort = true, dir, 3 }},
		// What the P4 tutorials' Mininet scripts pass.
		{"-i 1@s1-eth1 -i 2@s1-eth2 --pcap " + dir + " --nanolog ipc:///tmp/bm-0-log.ipc --device-id 0 prog.json --log-console --thrift-port 9090 -- --grpc-server-addr 0.0.0.0:50051",
			func(o *options) {
				o.config.Ports, o.config.PcapDir, o.program, o.logConsole, o.grpcAddr = two, dir, "prog.json", true, "0.0.0.0:50051"
				o.notes = []string{"--thrift-port is ignored: there is no Thrift server; use P4Runtime", "--nanolog is ignored: there is no nanomsg event log"}
			}},
		{"--no-p4 --log-file x --log-flush -- --priority-queues 8", func(o *options) {
			o.noP4, o.logFile, o.config.Queues = true, "x", 8
			o.notes = []string{"--log-flush is ignored: every line of the log is written at once"}
		}},
		{"--use-files 3 --dump-packet-data 14 prog.json", func(o *options) {
			o.program, o.useFiles, o.config.DumpBytes = "prog.json", 3, 14
			o.config.Files = &ports.Files{Wait: 3 * time.Second}
		}},
		{"--use-files -1 prog.json", func(o *options) { o.program, o.useFiles, o.config.Files = "prog.json", -1, &ports.Files{} }},
		{"--trace prog.json", func(o *options) { o.trace, o.program = true, "prog.json" }},
		{"--no-p4 prog.json", func(o *options) { o.noP4, o.ignored = true, "prog.json" }},
		{"--pcap prog.json", func(o *options) { o.config.PcapDir, o.program = ".", "prog.json" }},
		{"--pcap=" + dir + " prog.json -L off", func(o *options) { o.config.PcapDir, o.program, o.quiet = dir, "prog.json", true }},
		{"prog.json --pcap", func(o *options) { o.config.PcapDir, o.program = ".", "prog.json" }},
	} {
		want := &options{config: DefaultConfig(), grpcAddr: "0.0.0.0:9559"}
		c.want(want)
		got, err := parseOptions(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", c.args, got, want)
		}
	}
}

func TestCommandLineErrors(t *testing.T) {
	for args, want := range map[string]string{
		"":                                  "a JSON file is needed",
		"a.json b.json":                     "a.json b.json",
		"--frob a.json":                     "--frob",
		"-i eth0 a.json":                    "PORT@IFACE",
		"-i x@eth0 a.json":                  "port number",
		"-i 1@ a.json":                      "PORT@IFACE",
		"--thrift-port x a.json":            "--thrift-port",
		"--restore-state x a.json":          "state is not saved",
		"--debugger a.json":                 "no debugger",
		"a.json -- --priority-queues 0":     "--priority-queues",
		"a.json -- --priority-queues 257":   "--priority-queues",
		"--use-files -- a.json":             "--use-files",
		"--use-files 9999999999999 a.json":  "too long",
		"--dump-packet-data -1 a.json":      "--dump-packet-data",
		"--cpu-port 0 a.json":               "--cpu-port",
		"--pcap=/not/there a.json":          "/not/there",
		"-L loud a.json":                    "loud",
		"--grpc-server-ssl a.json":          "--grpc-server-cert",
		"--grpc-server-cert x a.json":       "--grpc-server-ssl",
		"--log-console --log-file x a.json": "--log-file",
	} {
		_, err := parseOptions(strings.Fields(args))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something of %q", args, err, want)
		}
	}
}

// The manual has every option, those that are ignored or refused too.
func TestManualHasEveryOption(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/SOFTSWITCH.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := func(name string) {
		if !bytes.Contains(manual, []byte("`--"+name+"`")) && !bytes.Contains(manual, []byte("`--"+name+" ")) {
			t.Errorf("--%s is not in the manual", name)
		}
	}
	(&options{}).flags().VisitAll(func(f *pflag.Flag) { missing(f.Name) })
	for name := range refused() {
		missing(name)
	}
}

// What a user sees of a wrong start.
func TestMainFailures(t *testing.T) {
	broken := t.TempDir() + "/broken.json"
	if err := os.WriteFile(broken, []byte(`{"program": 5}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"--frob":                 {2, "--frob"},
		"--help":                 {0, "--grpc-server-addr"},
		"--json-version":         {0, "2.24"},
		"--version":              {0, "softswitch"},
		"-L off /not/there.json": {1, "/not/there.json"},
		"-L off --no-p4 -i 1@not-there0 --grpc-server-addr 127.0.0.1:0":          {1, "not-there0"},
		"-L off --no-p4 -i 510@lo --cpu-port 510 --grpc-server-addr 127.0.0.1:0": {1, "CPU port"},
		"-L off --no-p4 --grpc-server-addr nonsense":                             {1, "--grpc-server-addr"},
		"-L off --grpc-server-addr 127.0.0.1:0 " + broken:                        {1, "broken.json"},
		"-L off --no-p4 --grpc-server-addr 127.0.0.1:0 --admin-addr 256.0.0.1:1": {1, "--admin-addr"},
	} {
		var out bytes.Buffer
		if got := Main(strings.Fields(args), &out, &out); got != want.status || !strings.Contains(out.String(), want.text) {
			t.Errorf("%q: status %d, %q; want %d and something of %q", args, got, out.String(), want.status, want.text)
		}
	}
}
