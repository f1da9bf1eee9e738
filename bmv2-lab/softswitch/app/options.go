package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// options is a command line. It is simple_switch_grpc's: what that program takes behind a bare
// "--" is taken before and behind it.
type options struct {
	config     Config
	program    string   // file of the JSON document; empty with --no-p4
	ignored    string   // the same with --no-p4, where simple_switch_grpc ignores it too
	useFiles   int      // seconds; negative as 0
	notes      []string // of options that do nothing, to be logged
	grpcAddr   string
	adminAddr  string
	level      slog.Level
	quiet      bool // --log-level off
	logConsole bool
	logFile    string
	trace      bool
	help       bool
	version    bool
	tls        tlsOptions

	jsonVersion bool
	noP4        bool
}

type tlsOptions struct {
	enabled, clientAuth bool
	ca, cert, key       string
}

// supportedJSON is the version of BMv2's JSON format that programs may have.
const supportedJSON = "2.24"

func (o *options) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("softswitch", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	f.VarP(&interfaceFlag{&o.config.Ports}, "interface", "i", "attach a network `PORT@IFACE` to the switch; repeatable")
	f.Uint64Var(&o.config.DeviceID, "device-id", 0, "device id, P4Runtime's name of the switch")
	f.StringVar(&o.config.PcapDir, "pcap", "", "write the frames of every port to IFACE_in.pcap and IFACE_out.pcap in `DIR` (default: the current directory)")
	f.IntVar(&o.useFiles, "use-files", 0, "read the frames of a port from IFACE_in.pcap and write them to IFACE_out.pcap, after `WAIT` seconds")
	f.IntVar(&o.config.DumpBytes, "dump-packet-data", 0, "log the first `N` bytes of every frame, at level info")
	f.BoolVar(&o.noP4, "no-p4", false, "start without a program and wait for P4Runtime")
	f.BoolVar(&o.logConsole, "log-console", false, "log to standard output instead of standard error")
	f.StringVar(&o.logFile, "log-file", "", "log to `FILE`")
	f.VarP(&levelFlag{o}, "log-level", "L", "trace, debug, info, warn, error or off")
	f.BoolVar(&o.trace, "trace", false, "print what happens to every packet to standard output; slow")
	f.StringVar(&o.grpcAddr, "grpc-server-addr", "0.0.0.0:9559", "serve P4Runtime at `HOST:PORT`")
	f.BoolVar(&o.tls.enabled, "grpc-server-ssl", false, "serve P4Runtime over TLS")
	f.StringVar(&o.tls.cert, "grpc-server-cert", "", "the server's certificate, a PEM `FILE`")
	f.StringVar(&o.tls.key, "grpc-server-key", "", "the server's key, a PEM `FILE`")
	f.StringVar(&o.tls.ca, "grpc-server-cacert", "", "the clients' certificate authority, a PEM `FILE`")
	f.BoolVar(&o.tls.clientAuth, "grpc-server-with-client-auth", false, "require certificates of clients")
	f.Uint32Var(&o.config.CPUPort, "cpu-port", 0, "`PORT` of packet-ins and packet-outs; without it there are none")
	f.Uint32Var(&o.config.DropPort, "drop-port", 511, "`PORT` that drops what is sent to it")
	f.Uint64Var(&o.config.Queues, "priority-queues", o.config.Queues, "`N` queues for every port: packets with a priority of N or more are dropped")
	f.StringVar(&o.adminAddr, "admin-addr", "", "serve port counts, impairments and metrics over HTTP at `HOST:PORT`, without authentication")
	f.BoolVar(&o.config.ParallelSend, "parallel-send", false, "send on other processors while the next packets are processed")
	f.IntVar(&o.config.ReceiveSlots, "receive-slots", o.config.ReceiveSlots, "room for `N` frames in the kernel's queue before each interface, 2 KiB each")
	addIgnored(f)
	f.BoolVarP(&o.version, "version", "v", false, "print the version")
	f.BoolVar(&o.jsonVersion, "json-version", false, "print the newest version of the JSON format that is supported")
	f.BoolVarP(&o.help, "help", "h", false, "print this")
	return f
}

// parseOptions reads a command line without the program's name.
func parseOptions(args []string) (*options, error) {
	o := &options{config: DefaultConfig()}
	f := o.flags()
	args = splitPcap(args)
	if i := indexOf(args, "--"); i >= 0 {
		args = append(append([]string(nil), args[:i]...), args[i+1:]...)
	}
	if err := f.Parse(args); err != nil {
		return nil, explain(err)
	}
	if o.help || o.version || o.jsonVersion {
		return o, nil
	}
	switch files := f.Args(); {
	case len(files) > 1:
		return nil, fmt.Errorf("one JSON file is expected, and there are %d: %s", len(files), strings.Join(files, " "))
	case o.noP4 && len(files) == 1:
		o.ignored = files[0]
	case !o.noP4 && len(files) == 0:
		return nil, errors.New("a JSON file is needed, or --no-p4")
	case len(files) == 1:
		o.program = files[0]
	}
	return o, o.check(f)
}

func (o *options) check(f *pflag.FlagSet) error {
	if f.Changed("cpu-port") && o.config.CPUPort == 0 {
		return errors.New("--cpu-port: 0 is not valid")
	}
	if o.config.Queues < 1 || o.config.Queues > engine.MaxQueues {
		return fmt.Errorf("--priority-queues: %d is not from 1 to %d", o.config.Queues, engine.MaxQueues)
	}
	if o.logConsole && o.logFile != "" {
		return errors.New("--log-console and --log-file exclude each other")
	}
	if f.Changed("use-files") {
		wait := time.Duration(max(o.useFiles, 0)) * time.Second
		if int(wait/time.Second) != max(o.useFiles, 0) {
			return fmt.Errorf("--use-files: %d seconds are too long", o.useFiles)
		}
		o.config.Files = &ports.Files{Wait: wait}
	}
	if o.config.DumpBytes < 0 {
		return fmt.Errorf("--dump-packet-data: %d is negative", o.config.DumpBytes)
	}
	o.notes = notes(f)
	if o.config.PcapDir != "" {
		if st, err := os.Stat(o.config.PcapDir); err != nil || !st.IsDir() {
			return fmt.Errorf("--pcap: %s is not a directory", o.config.PcapDir)
		}
	}
	t := o.tls
	switch {
	case t.enabled && (t.cert == "" || t.key == ""):
		return errors.New("--grpc-server-ssl needs --grpc-server-cert and --grpc-server-key")
	case !t.enabled && (t.cert != "" || t.key != "" || t.ca != "" || t.clientAuth):
		return errors.New("certificates need --grpc-server-ssl")
	case t.clientAuth && t.ca == "":
		return errors.New("--grpc-server-with-client-auth needs --grpc-server-cacert")
	}
	return nil
}

// splitPcap gives --pcap, whose directory is optional, the form --pcap=DIR. What follows is
// its directory unless it is an option or a program.
func splitPcap(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] != "--pcap" {
			out = append(out, args[i])
			continue
		}
		if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") && !strings.HasSuffix(args[i+1], ".json") {
			i++
			out = append(out, "--pcap="+args[i])
		} else {
			out = append(out, "--pcap=.")
		}
	}
	return out
}

func indexOf(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return -1
}

// interfaceFlag is the value of -i: PORT@IFACE.
type interfaceFlag struct{ ports *[]ports.Port }

// Set is pflag.Value's.
func (f *interfaceFlag) Set(s string) error {
	number, name, ok := strings.Cut(s, "@")
	if !ok || name == "" {
		return fmt.Errorf("%q is not PORT@IFACE", s)
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("%q: %q is not a port number", s, number)
	}
	*f.ports = append(*f.ports, ports.Port{Number: uint32(n), Interface: name})
	return nil
}

// String is pflag.Value's.
func (f *interfaceFlag) String() string { return "" }

// Type is pflag.Value's.
func (f *interfaceFlag) Type() string { return "PORT@IFACE" }

// levelTrace is below slog's levels.
const levelTrace = slog.LevelDebug - 4

// levelFlag is the value of -L.
type levelFlag struct{ o *options }

// Set is pflag.Value's.
func (f *levelFlag) Set(s string) error {
	levels := map[string]slog.Level{"trace": levelTrace, "debug": slog.LevelDebug, "info": slog.LevelInfo,
		"warn": slog.LevelWarn, "error": slog.LevelError}
	f.o.quiet = s == "off"
	l, ok := levels[s]
	if !ok && !f.o.quiet {
		return fmt.Errorf("%q is no log level: trace, debug, info, warn, error or off", s)
	}
	f.o.level = l
	return nil
}

// String is pflag.Value's.
func (f *levelFlag) String() string { return "" }

// Type is pflag.Value's.
func (f *levelFlag) Type() string { return "LEVEL" }
