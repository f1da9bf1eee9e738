package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// validity is that of every certificate: longer than a lab runs, no longer
// than a careless copy should be good for.
const validity = 7 * 24 * time.Hour

// authority is the cluster's certificate authority, which signs the serving
// certificate and every client's.
type authority struct {
	directory   string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
	pem         []byte // the certificate
}

// pair is a certificate and its key, PEM encoded.
type pair struct {
	certificate, key []byte
}

// newAuthority makes a CA and writes its certificate, and keys for the signing
// of service account tokens, to directory.
func newAuthority(directory, name string) (*authority, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("make the PKI directory: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the CA key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "cluster " + name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the CA certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the CA certificate: %w", err)
	}
	ca := &authority{directory: directory, key: key, certificate: certificate, pem: encode("CERTIFICATE", der)}
	if err := os.WriteFile(ca.path("ca.crt"), ca.pem, 0o644); err != nil {
		return nil, fmt.Errorf("write the CA certificate: %w", err)
	}
	return ca, ca.writeServiceAccountKeys()
}

func (a *authority) path(name string) string { return filepath.Join(a.directory, name) }

func (a *authority) writeServiceAccountKeys() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate the service account key: %w", err)
	}
	private, err := encodeKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode the service account key: %w", err)
	}
	if err := os.WriteFile(a.path("sa.key"), private, 0o600); err != nil {
		return fmt.Errorf("write the service account key: %w", err)
	}
	return os.WriteFile(a.path("sa.pub"), encode("PUBLIC KEY", public), 0o644)
}

// serving signs a server certificate for the names and addresses and writes it
// as serving.crt and serving.key.
func (a *authority) serving(names []string, addresses []netip.Addr) error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names,
	}
	for _, address := range addresses {
		template.IPAddresses = append(template.IPAddresses, net.IP(address.AsSlice()))
	}
	signed, err := a.sign(template)
	if err != nil {
		return err
	}
	if err := os.WriteFile(a.path("serving.crt"), signed.certificate, 0o644); err != nil {
		return fmt.Errorf("write the serving certificate: %w", err)
	}
	return os.WriteFile(a.path("serving.key"), signed.key, 0o600)
}

// client signs a client certificate: the common name is the Kubernetes user,
// the organisation its group (empty for none).
func (a *authority) client(user, group string) (pair, error) {
	subject := pkix.Name{CommonName: user}
	if group != "" {
		subject.Organization = []string{group}
	}
	return a.sign(&x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (a *authority) sign(template *x509.Certificate) (pair, error) {
	what := template.Subject.CommonName
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("generate a key for %s: %w", what, err)
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return pair{}, fmt.Errorf("choose a serial number for %s: %w", what, err)
	}
	template.NotBefore, template.NotAfter = a.certificate.NotBefore, a.certificate.NotAfter
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("sign a certificate for %s: %w", what, err)
	}
	encodedKey, err := encodeKey(key)
	return pair{certificate: encode("CERTIFICATE", der), key: encodedKey}, err
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return encode("EC PRIVATE KEY", der), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
