package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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
	c.Users, c.Policy = a.UsersFile, a.PolicyFile
	c.Audit, c.AuditBytes, c.AuditKeep = a.AuditFile, a.AuditMaxBytes, a.AuditKeep
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

// namesKeyFile has the secret of the IDs that readers get in the place of those that tell names, in the state directory:
// an NMS finds them again after a restart.
const namesKeyFile = "names.key"

// namesKey reads the secret, or makes one.
func namesKey(stateDir string) ([]byte, error) {
	path := filepath.Join(stateDir, namesKeyFile)
	key, err := os.ReadFile(path)
	if err == nil && len(key) >= sha256.Size {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the secret of renamed IDs: %w", err)
	}
	key = make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("the secret of renamed IDs: %w", err)
	}
	if err := os.WriteFile(path, key, 0o600); err != nil {
		return nil, fmt.Errorf("the secret of renamed IDs: %w", err)
	}
	return key, nil
}

// strangers are what readers may see and the configuration does not have: a name that is misspelt shows nothing.
func strangers(cfg config.Config) (warnings []string) {
	for i, r := range cfg.Access.Readers {
		for _, name := range r.Clusters {
			if !slices.ContainsFunc(cfg.Clusters, func(c config.Cluster) bool { return c.Name == name }) {
				warnings = append(warnings, fmt.Sprintf("access.readers[%d].clusters: no cluster %q is configured", i, name))
			}
		}
	}
	return warnings
}

func newGuard(cfg config.Config, log *slog.Logger, r prometheus.Registerer) (*access.Guard, error) {
	for _, w := range strangers(cfg) {
		log.Warn(w)
	}
	c := guardConfig(cfg)
	if len(c.Readers) > 0 {
		var err error
		if c.NamesKey, err = namesKey(cfg.StateDir); err != nil {
			return nil, err
		}
	}
	if c.Certificate == "" {
		var err error
		if c.Certificate, c.Key, err = gnmi.LabCertificate(cfg.StateDir, nil, time.Now()); err != nil {
			return nil, err
		}
	}
	return access.New(c, access.Deps{Log: log, Registerer: r})
}
