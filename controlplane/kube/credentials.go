package kube

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"
)

// access is how to reach a cluster, as its files had it when they were read.
type access struct {
	cluster     Cluster
	rest        *rest.Config
	fingerprint [sha256.Size]byte // of everything that client-go does not read again by itself
	broken      string            // the last error of reading the files again
}

// same says whether both reach the same API with the same credentials.
func (a access) same(o access) bool {
	return a.fingerprint == o.fingerprint && slices.Equal(a.cluster.VNIs, o.cluster.VNIs)
}

// access reads the files that say how to reach the API of c. Errors name the file and the field.
func (c Cluster) access() (access, error) {
	a := access{cluster: c}
	var err error
	if c.Kubeconfig != "" {
		a.rest, err = fromKubeconfig(c.Kubeconfig, c.Context)
	} else {
		a.rest, err = fromToken(c)
	}
	if err != nil {
		return a, err
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
	text := fmt.Sprintf("%q", []any{loaded.Host, loaded.APIPath, token, loaded.Username, loaded.Password, loaded.Impersonate,
		loaded.ExecProvider, loaded.AuthProvider, tls.Insecure, tls.ServerName, tls.CAData, tls.CertData, tls.KeyData})
	return sha256.Sum256([]byte(text)), nil
}

func fromToken(c Cluster) (*rest.Config, error) {
	if u, err := url.Parse(c.Server); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("server: %q is not like https://host:port", c.Server)
	}
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("token-file: %w", err)
	}
	if len(token) == 0 {
		return nil, fmt.Errorf("token-file: %s is empty", c.TokenFile)
	}
	cfg := &rest.Config{Host: c.Server, BearerToken: string(token), BearerTokenFile: c.TokenFile}
	if c.CAFile == "" {
		return cfg, nil
	}
	if cfg.CAData, err = os.ReadFile(c.CAFile); err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	if _, err := rest.TLSConfigFor(cfg); err != nil {
		return nil, fmt.Errorf("ca-file: %s: %w", c.CAFile, err)
	}
	return cfg, nil
}

func fromKubeconfig(path, context string) (*rest.Config, error) {
	file, err := clientcmd.LoadFromFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("kubeconfig: %w", err)
	case err != nil:
		return nil, fmt.Errorf("kubeconfig: %s: %w", path, err)
	}
	if err := checkKubeconfig(file, &context); err != nil {
		return nil, fmt.Errorf("kubeconfig: %s: %w", path, err)
	}
	if err := clientcmd.ResolveLocalPaths(file); err != nil {
		return nil, fmt.Errorf("kubeconfig: %s: %w", path, err)
	}
	cfg, err := clientcmd.NewNonInteractiveClientConfig(*file, context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %s: %w", path, err)
	}
	if _, err := rest.TLSConfigFor(cfg); err != nil {
		return nil, fmt.Errorf("kubeconfig: %s: context %q: its certificates: %w", path, context, err)
	}
	return cfg, nil
}

// checkKubeconfig follows the references from the context on, for errors that name the field: those of
// clientcmd for an incomplete file are about environment variables. It fills an empty context.
func checkKubeconfig(file *api.Config, context *string) error {
	if *context == "" {
		if *context = file.CurrentContext; *context == "" {
			return errors.New("current-context: is not set")
		}
	}
	c, ok := file.Contexts[*context]
	if !ok {
		return fmt.Errorf("contexts: there is none named %q", *context)
	}
	cluster, ok := file.Clusters[c.Cluster]
	if !ok {
		return fmt.Errorf("contexts[%s].cluster: there is no cluster named %q", *context, c.Cluster)
	}
	if u, err := url.Parse(cluster.Server); err != nil || u.Host == "" {
		return fmt.Errorf("clusters[%s].server: %q is not like https://host:port", c.Cluster, cluster.Server)
	}
	if _, ok := file.AuthInfos[c.AuthInfo]; !ok {
		return fmt.Errorf("contexts[%s].user: there is no user named %q", *context, c.AuthInfo)
	}
	return nil
}
