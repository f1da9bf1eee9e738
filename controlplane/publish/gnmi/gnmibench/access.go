package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi"
)

// Who asks, in every measurement: the server without access control does not look.
const (
	user     = "tenant"
	password = "bench-password"
)

// policy lets the user read and nothing else.
const policy = `{"name": "bench", "allow_rules": [{"name": "tenants", "request": {
	"paths": ["/gnmi.gNMI/*"], "headers": [{"key": "` + access.UserHeader + `", "values": ["` + user + `"]}]}}]}`

// credentials log the user in.
type credentials struct{}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (credentials) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"username": user, "password": password}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (credentials) RequireTransportSecurity() bool { return true }

// newGuard wants a password, holds calls to a policy, and shows the user one namespace, which is the one with all the
// pods, and counters of the fabric.
func newGuard(dir string) (*access.Guard, error) {
	cfg := access.DefaultConfig()
	var err error
	if cfg.Certificate, cfg.Key, err = gnmi.LabCertificate(dir, nil, time.Now()); err != nil {
		return nil, err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		to         *string
		name, text string
	}{
		{&cfg.Users, "users", user + ":" + string(hash) + "\n"}, {&cfg.Policy, "policy.json", policy}} {
		*f.to = filepath.Join(dir, f.name)
		if err := os.WriteFile(*f.to, []byte(f.text), 0o600); err != nil {
			return nil, err
		}
	}
	cfg.Audit = filepath.Join(dir, "audit.log")
	cfg.Readers = []access.Reader{{Name: user, Users: []string{user}, Clusters: []string{cluster}, Namespaces: []string{namespace},
		Hidden: []string{"/flows/conversations/conversation/segments", "/diagnosis"}, Shared: []string{"/fabric"}}}
	return access.New(cfg, access.Deps{})
}

// shown tells the gNMI server what callers see.
type shown struct{ *access.Guard }

// Reader implements gnmi.Access.
func (s shown) Reader(ctx context.Context, _ string) (gnmi.Reader, error) {
	reader, err := s.ReaderOf(ctx)
	if reader == nil {
		return nil, err // a nil interface
	}
	return reader, err
}
