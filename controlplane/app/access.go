package app

import (
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
	return c
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
