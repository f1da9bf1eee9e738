package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/credentials"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

// Main is the program softswitch: args are without the program's name, and the result is the
// exit status: 0 after SIGINT or SIGTERM, 1 after a failure, 2 for a wrong command line. A
// first argument "stf" runs tests instead of a switch.
func Main(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "stf" {
		return stf.Main(args[1:], stdout, stderr)
	}
	o, err := parseOptions(args)
	if err != nil {
		fmt.Fprintf(stderr, "softswitch: %v\nRun softswitch --help for the options.\n", err)
		return 2
	}
	switch {
	case o.help:
		fmt.Fprintf(stdout, "Usage: softswitch [options] PROGRAM.json [-- options]\n       softswitch stf [options] TEST.stf...\n\n%s", o.flags().FlagUsages())
		return 0
	case o.version:
		fmt.Fprintln(stdout, version())
		return 0
	case o.jsonVersion:
		fmt.Fprintln(stdout, supportedJSON)
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "softswitch: %v\n", err)
		return 1
	}
	return 0
}

// version is that of the module, as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "softswitch (unknown version)"
	}
	return "softswitch " + info.Main.Version
}

// run is the switch of one command line, until ctx ends.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	log, closeLog, err := o.logger(stdout, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	if o.ignored != "" {
		log.Warn("the program is ignored because of --no-p4", "program", o.ignored)
	}
	for _, note := range o.notes {
		log.Info(note)
	}
	if o.config.DumpBytes > 0 && !log.Enabled(ctx, slog.LevelInfo) {
		fmt.Fprintln(stderr, "softswitch: --dump-packet-data logs nothing: the log level leaves out info")
	}
	if o.config.Files != nil && o.config.PcapDir != "" {
		log.Info("--pcap is ignored: with --use-files the frames are in files already")
	}
	cfg, deps := o.config, Deps{Log: log, Registry: prometheus.NewRegistry()}
	deps.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if o.trace {
		deps.Trace = stdout
	}
	if o.program != "" {
		if cfg.Program, err = os.ReadFile(o.program); err != nil {
			return fmt.Errorf("program: %w", err)
		}
	}
	if deps.TLS, err = o.tls.credentials(); err != nil {
		return err
	}
	if deps.Listener, err = listen("--grpc-server-addr", o.grpcAddr); err != nil {
		return err
	}
	if o.adminAddr != "" {
		if deps.Admin, err = listen("--admin-addr", o.adminAddr); err != nil {
			deps.Listener.Close()
			return err
		}
	}
	s, err := New(cfg, deps)
	if err != nil {
		deps.Listener.Close()
		if deps.Admin != nil {
			deps.Admin.Close()
		}
		if o.program != "" {
			return fmt.Errorf("%s: %w", o.program, err)
		}
		return err
	}
	return s.Run(ctx)
}

func listen(option, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", option, address, err)
	}
	return l, nil
}

// logger makes the log and what closes it.
func (o *options) logger(stdout, stderr io.Writer) (*slog.Logger, func() error, error) {
	out, closeLog := stderr, func() error { return nil }
	switch {
	case o.quiet:
		return slog.New(slog.DiscardHandler), closeLog, nil
	case o.logConsole:
		out = stdout
	case o.logFile != "":
		f, err := os.OpenFile(o.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, nil, fmt.Errorf("--log-file: %w", err)
		}
		out, closeLog = f, f.Close
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: o.level})), closeLog, nil
}

// credentials loads what --grpc-server-ssl and its companions name; nil without TLS.
func (t tlsOptions) credentials() (credentials.TransportCredentials, error) {
	if !t.enabled {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.cert, t.key)
	if err != nil {
		return nil, fmt.Errorf("--grpc-server-cert, --grpc-server-key: %w", err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, fmt.Errorf("--grpc-server-cacert: %w", err)
		}
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--grpc-server-cacert %s: no certificate in it", t.ca)
		}
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if t.clientAuth {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return credentials.NewTLS(cfg), nil
}
