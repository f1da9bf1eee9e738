package kube

import (
	"errors"
	"fmt"
	"net/url"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// restConfig gives how to reach the API of c. Errors name the file and the field.
func (c Cluster) restConfig() (*rest.Config, error) {
	var cfg *rest.Config
	var err error
	if c.Kubeconfig != "" {
		cfg, err = fromKubeconfig(c.Kubeconfig, c.Context)
	} else {
		cfg, err = fromToken(c)
	}
	if err != nil {
		return nil, err
	}
	cfg.UserAgent = "fabricscope"
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	return cfg, nil
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
