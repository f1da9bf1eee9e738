package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
)

// guardConfig is what the guard needs of a configuration, but for a certificate that is yet to be made.
func guardConfig(cfg config.Config) access.Config {
	c := access.DefaultConfig()
	a := cfg.Access
	c.Certificate, c.Key = cfg.GNMI.CertFile, cfg.GNMI.KeyFile
	c.ClientCertificates, c.ClientCA, c.Refresh = a.ClientCertificates, a.ClientCAFile, a.Refresh
	c.Users, c.Policy, c.Audit = a.UsersFile, a.PolicyFile, a.AuditFile
	for _, r := range a.Readers {
		c.Readers = append(c.Readers, access.Reader(r))
	}
	return c
}

// reads tells the gNMI server what callers see.
type reads struct{ *access.Guard }

// Reader implements gnmi.Access.
func (r reads) Reader(ctx context.Context, _ string) (gnmi.Reader, error) {
	reader, err := r.ReaderOf(ctx)
	if reader == nil {
		return nil, err // a nil interface
	}
	return reader, err
}

func newGuard(cfg config.Config, log *slog.Logger, r prometheus.Registerer) (*access.Guard, error) {
	c := guardConfig(cfg)
	if c.Certificate == "" {
		var err error
		if c.Certificate, c.Key, err = gnmi.LabCertificate(cfg.StateDir, nil, time.Now()); err != nil {
			return nil, err
		}
	}
	return access.New(c, access.Deps{Log: log, Registerer: r})
}
