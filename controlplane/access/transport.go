package access

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// TLS is the server's side of TLS 1.2 and later, for HTTP/2 or other protocols on top. Each handshake goes by the newest
// files.
func (g *Guard) TLS(protocols ...string) *tls.Config {
	if len(protocols) == 0 {
		protocols = []string{"h2"}
	}
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols}
	base.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c := g.identity.get()
		return &c, nil
	}
	if g.clients == nil {
		return base
	}
	// A ticket would outlive a change of the authorities.
	base.SessionTicketsDisabled = true
	base.ClientAuth = tls.VerifyClientCertIfGiven
	if g.cfg.ClientCertificates == Required {
		base.ClientAuth = tls.RequireAndVerifyClientCert
	}
	base.ClientCAs = g.clients.get()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := base.Clone()
		c.GetConfigForClient = nil
		c.ClientCAs = g.clients.get()
		return c, nil
	}
	return base
}

func (g *Guard) parseIdentity(contents [][]byte) (tls.Certificate, error) {
	c, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return c, fmt.Errorf("%s with the key %s: %w", g.cfg.Certificate, g.cfg.Key, err)
	}
	return c, nil
}

func (g *Guard) parseClients(contents [][]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[0]) {
		return nil, fmt.Errorf("%s: no certificate in PEM", g.cfg.ClientCA)
	}
	return pool, nil
}
