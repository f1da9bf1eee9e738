package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/authz"
)

// Guard knows who calls.
type Guard struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	identity *kept[tls.Certificate]
	clients  *kept[*x509.CertPool]           // nil if no certificates are asked for
	users    *kept[*users]                   // nil if nobody can log in
	policy   *kept[*authz.StaticInterceptor] // nil if all is allowed
	failures limiter
	audit    *slog.Logger // nil for none
	auditTo  *auditFile   // likewise
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
	g := &Guard{cfg: cfg, log: deps.Log, failures: limiter{from: map[netip.Addr]*rate.Limiter{}}}
	if err := g.read(); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	var err error
	if g.metrics, err = newMetrics(g, deps.Registerer); err != nil {
		return nil, fmt.Errorf("access: metrics: %w", err)
	}
	return g, nil
}

// read reads every file for the first time.
func (g *Guard) read() (err error) {
	cfg := g.cfg
	if g.identity, err = keep("certificate", g.parseIdentity, cfg.Certificate, cfg.Key); err != nil {
		return err
	}
	g.files = append(g.files, g.identity)
	if cfg.ClientCertificates != Off {
		if g.clients, err = keep("client-ca-file", g.parseClients, cfg.ClientCA); err != nil {
			return err
		}
		g.files = append(g.files, g.clients)
	}
	if cfg.Users != "" {
		if g.users, err = keep("users-file", g.parseUsers, cfg.Users); err != nil {
			return err
		}
		g.files = append(g.files, g.users)
	}
	if cfg.Policy != "" {
		if g.policy, err = keep("policy-file", g.parsePolicy, cfg.Policy); err != nil {
			return err
		}
		g.files = append(g.files, g.policy)
	}
	if cfg.Audit != "" {
		if g.auditTo, err = openAudit(cfg.Audit); err != nil {
			return err
		}
		g.audit = slog.New(slog.NewJSONHandler(g.auditTo, nil))
	}
	return nil
}

// Run looks at the files until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	watch(ctx, g.files, g.cfg.Refresh, g.log, g.metrics)
	if g.auditTo != nil {
		return g.auditTo.close()
	}
	return nil
}
