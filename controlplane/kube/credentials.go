package kube

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// access is how to reach a cluster, as its files had it when they could be used last.
type access struct {
	cluster     Cluster
	rest        *rest.Config // nil if they never could
	origin      origin
	fingerprint [sha256.Size]byte // of everything that client-go does not read again by itself
	broken      string            // why the files cannot be used as they are now; empty if they can
}

// same says whether both reach the same API with the same credentials.
func (a access) same(o access) bool {
	return a.fingerprint == o.fingerprint && slices.Equal(a.cluster.VNIs, o.cluster.VNIs)
}

// server is the URL of the API, as far as the files say.
func (a access) server() string {
	if a.rest == nil {
		return a.cluster.Server
	}
	return a.rest.Host
}

// access reads the files that say how to reach the API of c. Errors name the file and the field.
func (c Cluster) access() (access, error) {
	a := access{cluster: c}
	var err error
	if c.Kubeconfig != "" {
		a.rest, a.origin, err = fromKubeconfig(c.Kubeconfig, c.Context)
	} else {
		a.rest, a.origin, err = fromToken(c)
	}
	if err != nil {
		return access{cluster: c}, err
	}
	a.rest.UserAgent = "fabricscope"
	a.rest.WarningHandler = rest.NoWarnings{}
	a.fingerprint, err = fingerprint(a.rest)
	rereadToken(a.rest)
	return a, err
}

// rereadToken has the file of a token read every minute, and also when the server refuses the one that was read:
// client-go by itself would go on with that for the rest of the minute.
func rereadToken(cfg *rest.Config) {
	if file := cfg.BearerTokenFile; file != "" {
		cfg.BearerToken, cfg.BearerTokenFile = "", ""
		cfg.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
}

// fingerprint sums up a configuration. A token that has a file counts by the file's name: see rereadToken.
func fingerprint(cfg *rest.Config) (sum [sha256.Size]byte, err error) {
	loaded := rest.CopyConfig(cfg)
	if err := rest.LoadTLSFiles(loaded); err != nil {
		return sum, err
	}
	token := loaded.BearerToken
	if loaded.BearerTokenFile != "" {
		token = "file " + loaded.BearerTokenFile
	}
	tls := loaded.TLSClientConfig
	text, err := json.Marshal([]any{loaded.Host, loaded.APIPath, token, loaded.Username, loaded.Password, loaded.Impersonate,
		loaded.ExecProvider, loaded.AuthProvider, tls.Insecure, tls.ServerName, tls.CAData, tls.CertData, tls.KeyData})
	return sha256.Sum256(text), err
}

func fromToken(c Cluster) (*rest.Config, origin, error) {
	o := origin{server: "server", authority: "ca-file", user: "token-file: " + c.TokenFile}
	if u, err := url.Parse(c.Server); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, o, fmt.Errorf("server: %q is not like https://host:port", c.Server)
	}
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return nil, o, fmt.Errorf("token-file: %w", err)
	}
	if err := checkToken(token); err != nil {
		return nil, o, fmt.Errorf("token-file: %s: %w", c.TokenFile, err)
	}
	cfg := &rest.Config{Host: c.Server, BearerToken: string(token), BearerTokenFile: c.TokenFile}
	if c.CAFile == "" {
		return cfg, o, nil
	}
	o.authority += ": " + c.CAFile
	if cfg.CAData, err = os.ReadFile(c.CAFile); err != nil {
		return nil, o, fmt.Errorf("ca-file: %w", err)
	}
	if _, err := rest.TLSConfigFor(cfg); err != nil {
		return nil, o, fmt.Errorf("ca-file: %s: %w", c.CAFile, err)
	}
	return cfg, o, nil
}
