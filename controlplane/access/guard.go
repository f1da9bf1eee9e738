package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc/authz"
)

// Guard knows who calls.
type Guard struct {
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	metrics  *metrics
	identity *kept[tls.Certificate]
	clients  *kept[*x509.CertPool]           // nil if no certificates are asked for
	users    *kept[*users]                   // nil if nobody can log in
	policy   *kept[*authz.StaticInterceptor] // nil if all is allowed
	hashing  *hashing
	logins   singleflight.Group // that are being checked
	failures limiter
	strays   limiter // who was refused and told of
	open     openStreams
	audit    *auditLog // nil for none
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
	if deps.Stderr == nil {
		deps.Stderr = os.Stderr
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if len(cfg.NamesKey) == 0 {
		cfg.NamesKey = make([]byte, sha256.Size)
		if _, err := rand.Read(cfg.NamesKey); err != nil {
			return nil, fmt.Errorf("access: %w", err)
		}
	}
	g := &Guard{cfg: cfg, log: deps.Log, now: deps.Now, failures: newLimiter(), strays: newLimiter(),
		open: openStreams{all: map[*knownStream]struct{}{}}}
	if err := g.read(); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	var err error
	if g.metrics, err = newMetrics(g, deps.Registerer); err != nil {
		return nil, fmt.Errorf("access: metrics: %w", err)
	}
	if leaf, now := g.identity.get().Leaf, g.now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		g.log.Warn("clients will refuse the server's certificate", "file", cfg.Certificate, "from", leaf.NotBefore, "until", leaf.NotAfter)
	}
	g.warnOfStrangers()
	if err := g.openLog(deps.Stderr); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	return g, nil
}

// warnOfStrangers tells of readers' users whom the users file does not have: it may be that they are yet to come, or that a name is
// misspelt and who has the right one is refused.
func (g *Guard) warnOfStrangers() {
	for i, r := range g.cfg.Readers {
		for _, name := range r.Users {
			if g.users != nil && g.users.get().hashes[name] == nil {
				g.log.Warn("nobody can log in as this user of a reader", "field", fmt.Sprintf("access.readers[%d].users", i), "user", name, "file", g.cfg.Users)
			}
		}
	}
}

// Check says what New would refuse, without leaving anything behind. A certificate may be yet to be made.
func Check(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	g := &Guard{cfg: cfg}
	var err error
	if cfg.Certificate != "" {
		err = g.readIdentity()
	}
	if err = errors.Join(err, g.readCallers(), checkAudit(cfg.Audit)); err != nil {
		return fmt.Errorf("access: %w", err)
	}
	return nil
}

// read reads every file for the first time.
func (g *Guard) read() error {
	if err := errors.Join(g.readIdentity(), g.readCallers()); err != nil {
		return err
	}
	return nil
}

// openLog opens the audit log.
func (g *Guard) openLog(stderr io.Writer) error {
	switch g.cfg.Audit {
	case "":
	case AuditToStderr:
		g.audit = newAuditLog(stream{stderr}, g.log, g.metrics)
	default:
		file, err := openAudit(g.cfg.Audit, g.cfg.AuditBytes, g.cfg.AuditKeep)
		if err != nil {
			return err
		}
		g.audit = newAuditLog(file, g.log, g.metrics)
	}
	return nil
}

func (g *Guard) readIdentity() (err error) {
	if g.identity, err = keep("certificate", g.parseIdentity, g.cfg.Certificate, g.cfg.Key); err != nil {
		return err
	}
	g.files = append(g.files, g.identity)
	return nil
}

// readCallers reads by what callers are known and what they may do.
func (g *Guard) readCallers() (err error) {
	cfg := g.cfg
	if cfg.ClientCertificates != Off {
		if g.clients, err = keep("client-ca-file", g.parseClients, cfg.ClientCA); err != nil {
			return err
		}
		g.files = append(g.files, g.clients)
	}
	if cfg.Users != "" {
		if g.hashing, err = newHashing(); err != nil {
			return err
		}
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
	return nil
}

// Run looks at the files until ctx ends, and ends what they do not allow any more.
func (g *Guard) Run(ctx context.Context) error {
	var writing sync.WaitGroup
	if g.audit != nil {
		writing.Go(func() { g.audit.run(ctx) })
	}
	g.watch(ctx)
	writing.Wait()
	return nil
}
