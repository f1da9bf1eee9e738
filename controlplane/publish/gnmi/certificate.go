package gnmi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Files of the lab certificate in Config.LabDir.
const (
	labCertificate = "gnmi.crt"
	labKey         = "gnmi.key"
)

// labLifetime is how long a lab certificate holds; a new one is made in its last labRenewal.
const (
	labLifetime = 365 * 24 * time.Hour
	labRenewal  = 30 * 24 * time.Hour
)

// certificate loads the configured certificate, or the lab's, which it makes when there is
// none that serves.
func (c Config) certificate(now time.Time) (tls.Certificate, error) {
	if c.Certificate != "" {
		cert, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return cert, fmt.Errorf("load the certificate %s with the key %s: %w", c.Certificate, c.Key, err)
		}
		return cert, nil
	}
	crt, key, err := LabCertificate(c.LabDir, c.LabNames, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := tls.LoadX509KeyPair(crt, key)
	if err != nil {
		return cert, fmt.Errorf("load the lab certificate: %w", err)
	}
	return cert, nil
}

// LabCertificate makes a certificate for the loopback, this host and other names in a directory, unless there is one
// that serves, and gives its files.
func LabCertificate(dir string, extra []string, now time.Time) (crt, key string, err error) {
	names, addresses := labNames(extra)
	crt, key = filepath.Join(dir, labCertificate), filepath.Join(dir, labKey)
	if cert, err := tls.LoadX509KeyPair(crt, key); err == nil && serves(cert.Leaf, now, names, addresses) {
		return crt, key, nil
	}
	if err := makeLabCertificate(crt, key, now, names, addresses); err != nil {
		return "", "", fmt.Errorf("make a lab certificate in %s: %w", dir, err)
	}
	return crt, key, nil
}

// labNames gives what the lab certificate is for: the loopback, this host, and extra.
func labNames(extra []string) (names []string, addresses []net.IP) {
	names, addresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if host, err := os.Hostname(); err == nil {
		extra = append([]string{host}, extra...)
	}
	for _, n := range extra {
		if ip := net.ParseIP(n); ip != nil {
			addresses = append(addresses, ip)
		} else if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names, addresses
}

func serves(cert *x509.Certificate, now time.Time, names []string, addresses []net.IP) bool {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter.Add(-labRenewal)) {
		return false
	}
	for _, n := range names {
		if cert.VerifyHostname(n) != nil {
			return false
		}
	}
	for _, a := range addresses {
		if cert.VerifyHostname(a.String()) != nil {
			return false
		}
	}
	return true
}

// makeLabCertificate writes a self-signed certificate, which clients can also take as the
// authority that signed it, and its key, which only the owner may read.
func makeLabCertificate(crt, key string, now time.Time, names []string, addresses []net.IP) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Fabricscope lab"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(labLifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true,
		DNSNames: names, IPAddresses: addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(crt), 0o755); err != nil {
		return err
	}
	return errors.Join(
		replaceFile(key, "PRIVATE KEY", secret, 0o600),
		replaceFile(crt, "CERTIFICATE", der, 0o644),
	)
}

// replaceFile writes a PEM file so that it is there whole or not at all.
func replaceFile(name, block string, der []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(f.Chmod(mode), pem.Encode(f, &pem.Block{Type: block, Bytes: der}), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
