package kube

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"
)

// kubeconfig is a file with the entries that one of its contexts leads to.
type kubeconfig struct {
	path, context string
	file          *api.Config
	cluster, user string // names of the entries
	server        *api.Cluster
	credentials   *api.AuthInfo
}

func fromKubeconfig(path, context string) (*rest.Config, origin, error) {
	k := &kubeconfig{path: path, context: context}
	var err error
	if k.file, err = load(path); err != nil {
		return nil, origin{}, err
	}
	o := origin{}
	cfg, err := k.config(&o)
	if err != nil {
		return nil, o, fmt.Errorf("kubeconfig: %s: %w", path, err)
	}
	return cfg, o, nil
}

// load reads a kubeconfig. Errors name it.
func load(path string) (*api.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("kubeconfig: %s: is empty", path)
	}
	if field := undecodable(text); field != "" {
		return nil, fmt.Errorf("kubeconfig: %s: %s: is not base64", path, field)
	}
	file, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %s: %w", path, err)
	}
	return file, nil
}

// undecodable finds a field that should be base64 and is not: the error of its decoder says a byte of it, and not
// which field.
func undecodable(text []byte) string {
	var file struct {
		Clusters, Users []struct {
			Name          string
			Cluster, User map[string]any
		}
	}
	if yaml.Unmarshal(text, &file) != nil {
		return "" // its own error says where
	}
	bad := func(entry map[string]any, field string) bool {
		s, _ := entry[field].(string)
		_, err := base64.StdEncoding.DecodeString(s)
		return err != nil
	}
	for _, c := range file.Clusters {
		if bad(c.Cluster, "certificate-authority-data") {
			return fmt.Sprintf("clusters[%s].certificate-authority-data", c.Name)
		}
	}
	for _, u := range file.Users {
		for _, field := range []string{"client-certificate-data", "client-key-data"} {
			if bad(u.User, field) {
				return fmt.Sprintf("users[%s].%s", u.Name, field)
			}
		}
	}
	return ""
}

// config makes of the file what its context says, and notes where that is written.
func (k *kubeconfig) config(o *origin) (*rest.Config, error) {
	if err := k.follow(); err != nil {
		return nil, err
	}
	if err := clientcmd.ResolveLocalPaths(k.file); err != nil {
		return nil, err
	}
	at := func(entry, name, field string) string {
		return fmt.Sprintf("kubeconfig: %s: %s[%s]%s", k.path, entry, name, field)
	}
	o.server = at("clusters", k.cluster, ".server")
	o.authority = at("clusters", k.cluster, ".certificate-authority"+data(k.server.CertificateAuthorityData))
	o.user = at("users", k.user, k.proof())
	if err := k.checkAuthority(); err != nil {
		return nil, err
	}
	if err := k.checkUser(o); err != nil {
		return nil, err
	}
	cfg, err := clientcmd.NewNonInteractiveClientConfig(*k.file, k.context, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	if _, err := rest.TLSConfigFor(cfg); err != nil {
		return nil, fmt.Errorf("contexts[%s]: its certificates: %w", k.context, err)
	}
	return cfg, nil
}

// follow finds the entries from the context on, for errors that name the field: those of clientcmd for an
// incomplete file are about environment variables.
func (k *kubeconfig) follow() error {
	if k.context == "" {
		if k.context = k.file.CurrentContext; k.context == "" {
			return errors.New("current-context: is not set")
		}
	}
	c, ok := k.file.Contexts[k.context]
	if !ok {
		return fmt.Errorf("contexts: there is none named %q", k.context)
	}
	k.cluster, k.user = c.Cluster, c.AuthInfo
	if k.server, ok = k.file.Clusters[k.cluster]; !ok {
		return fmt.Errorf("contexts[%s].cluster: there is no cluster named %q", k.context, k.cluster)
	}
	if u, err := url.Parse(k.server.Server); err != nil || u.Host == "" {
		return fmt.Errorf("clusters[%s].server: %q is not like https://host:port", k.cluster, k.server.Server)
	}
	if k.credentials, ok = k.file.AuthInfos[k.user]; !ok {
		return fmt.Errorf("contexts[%s].user: there is no user named %q", k.context, k.user)
	}
	return nil
}

// data is the end of a field's name that has its content instead of a file's name.
func data(content []byte) string {
	if len(content) > 0 {
		return "-data"
	}
	return ""
}

// proof is the field by which the user is known to the server: the one that client-go prefers.
func (k *kubeconfig) proof() string {
	u := k.credentials
	switch {
	case u.Exec != nil:
		return ".exec"
	case u.TokenFile != "":
		return ".tokenFile"
	case u.Token != "":
		return ".token"
	case u.ClientCertificate != "" || len(u.ClientCertificateData) > 0:
		return ".client-certificate" + data(u.ClientCertificateData)
	case u.Username != "":
		return ".username"
	}
	return ""
}

func (k *kubeconfig) checkAuthority() error {
	field := fmt.Sprintf("clusters[%s].certificate-authority%s", k.cluster, data(k.server.CertificateAuthorityData))
	pem, err := content(k.server.CertificateAuthority, k.server.CertificateAuthorityData)
	if err != nil || len(pem) == 0 {
		return prefixed(field, err)
	}
	_, err = cert.ParseCertsPEM(pem)
	return prefixed(field, err)
}

// checkUser looks at what there is of a user that can be wrong before anybody is asked.
func (k *kubeconfig) checkUser(o *origin) error {
	u, user := k.credentials, fmt.Sprintf("users[%s]", k.user)
	if u.Exec != nil {
		if _, err := exec.LookPath(u.Exec.Command); err != nil {
			return prefixed(user+".exec.command", err)
		}
	}
	if u.TokenFile != "" {
		token, err := os.ReadFile(u.TokenFile)
		if err == nil {
			err = checkToken(token)
		}
		if err != nil {
			return prefixed(user+".tokenFile", err)
		}
	}
	pem, err := content(u.ClientCertificate, u.ClientCertificateData)
	if err != nil {
		return prefixed(user+".client-certificate", err)
	}
	key, err := content(u.ClientKey, u.ClientKeyData)
	if err != nil {
		return prefixed(user+".client-key", err)
	}
	if len(pem) == 0 && len(key) == 0 {
		return nil
	}
	pair, err := tls.X509KeyPair(pem, key)
	if err != nil {
		return fmt.Errorf("%s.client-certificate%s and client-key%s: %w", user, data(u.ClientCertificateData), data(u.ClientKeyData), err)
	}
	o.expires = pair.Leaf.NotAfter
	return nil
}

// content is what a field has, or else the file that another names; nothing if there is neither.
func content(path string, inline []byte) ([]byte, error) {
	if len(inline) > 0 || path == "" {
		return inline, nil
	}
	return os.ReadFile(path)
}

// checkToken says what no HTTP header can have.
func checkToken(token []byte) error {
	token = bytes.TrimSpace(token)
	switch {
	case len(token) == 0:
		return errors.New("is empty")
	case bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return errors.New("is no token: it has spaces, lines or other bytes that none has")
	}
	return nil
}

// prefixed puts a field before an error, if there is one.
func prefixed(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}
