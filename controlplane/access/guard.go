package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
)

// Guard knows who calls.
type Guard struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	identity *kept[tls.Certificate]
	clients  *kept[*x509.CertPool] // nil if no certificates are asked for
	files    []watched
}

// New makes a guard and reads its files. What cannot be used is an error that names file and field.
func New(cfg Config, deps Deps) (*Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	g := &Guard{cfg: cfg, log: deps.Log}
	var err error
	if g.identity, err = keep("certificate", g.parseIdentity, cfg.Certificate, cfg.Key); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	g.files = append(g.files, g.identity)
	if cfg.ClientCertificates != Off {
		if g.clients, err = keep("client-ca-file", g.parseClients, cfg.ClientCA); err != nil {
			return nil, fmt.Errorf("access: %w", err)
		}
		g.files = append(g.files, g.clients)
	}
	if g.metrics, err = newMetrics(g, deps.Registerer); err != nil {
		return nil, fmt.Errorf("access: metrics: %w", err)
	}
	return g, nil
}

// Run looks at the files until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	watch(ctx, g.files, g.cfg.Refresh, g.log, g.metrics)
	return nil
}
