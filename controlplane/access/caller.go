package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// UserHeader is the request header in which a policy finds the user who logged in. What a client sends under the name is dropped.
const UserHeader = "fabricscope-user"

// Metadata with which clients log in (gNMI authentication, section "Credentialed RPCs").
const (
	userMetadata     = "username"
	passwordMetadata = "password"
)

// caller is who makes a call.
type caller struct {
	user       string   // who logged in; "" for nobody
	hash       []byte   // of the password that was right
	principals []string // of the certificate, as gRPC A43 has them: URI SANs, DNS SANs, else the subject
	connection *tls.ConnectionState
}

type callerKey struct{}

// authenticate finds out who calls, and gives what the call goes on with: without the password, and with UserHeader.
func (g *Guard) authenticate(ctx context.Context) (context.Context, error) {
	var from net.Addr = &net.TCPAddr{}
	var connection *tls.ConnectionState
	if p, ok := peer.FromContext(ctx); ok {
		from = p.Addr
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			connection = &info.State
		}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	md = md.Copy()
	names, passwords := md.Get(userMetadata), md.Get(passwordMetadata)
	for _, key := range []string{userMetadata, passwordMetadata, UserHeader} {
		md.Delete(key)
	}
	c, err := g.identify(ctx, connection, names, passwords, from)
	if err != nil {
		return g.withClaim(ctx, connection, names, passwords), err
	}
	if c.user != "" {
		md.Set(UserHeader, c.user)
	}
	return context.WithValue(metadata.NewIncomingContext(ctx, md), callerKey{}, c), nil
}

// identify finds out who calls on a connection, which may be nil, with names and passwords.
func (g *Guard) identify(ctx context.Context, connection *tls.ConnectionState, names, passwords []string, from net.Addr) (c caller, err error) {
	if connection != nil && len(connection.VerifiedChains) > 0 {
		c.principals, c.connection = principalsOf(connection.VerifiedChains[0][0]), connection
	}
	if err := g.certified(c.connection); err != nil {
		return caller{}, err
	}
	switch {
	case g.users == nil: // nobody can log in
	case len(names) == 1 && len(passwords) == 1:
		if c.hash, err = g.login(ctx, names[0], passwords[0], from); err != nil {
			return caller{}, err
		}
		c.user = names[0]
	case len(names) > 0 || len(passwords) > 0:
		return caller{}, status.Error(codes.Unauthenticated, "metadata: username and password have to be there once each")
	}
	if c.user == "" && c.principals == nil && (g.users != nil || len(g.cfg.Readers) > 0) {
		return caller{}, status.Error(codes.Unauthenticated, "neither a username with a password in the metadata nor a client certificate")
	}
	return c, nil
}

// claim is what somebody said who was refused, for the audit log. Nothing of it is known to be true.
type claim struct {
	by    string // password, certificate or nothing
	names string
}

type claimKey struct{}

// withClaim notes who somebody claimed to be.
func (g *Guard) withClaim(ctx context.Context, connection *tls.ConnectionState, names, passwords []string) context.Context {
	c := claim{by: "nothing"}
	switch {
	case g.users != nil && len(names)+len(passwords) > 0:
		c = claim{"password", strings.Join(names, ", ")}
	case connection != nil && len(connection.PeerCertificates) > 0:
		c = claim{"certificate", strings.Join(principalsOf(connection.PeerCertificates[0]), ", ")}
	}
	return context.WithValue(ctx, claimKey{}, c)
}

// Caller implements the gNMI server's Access: the user who logged in, or else the first name of the certificate.
func (g *Guard) Caller(ctx context.Context) string {
	c := callerOf(ctx)
	switch {
	case c.user != "":
		return "user " + c.user
	case len(c.principals) > 0:
		return "certificate " + c.principals[0]
	}
	return ""
}

// principalsOf gives the names of a certificate (gRPC A43, "Mapping to RBAC").
func principalsOf(cert *x509.Certificate) []string {
	var names []string
	for _, u := range cert.URIs {
		names = append(names, u.String())
	}
	names = append(names, cert.DNSNames...)
	if names == nil {
		names = []string{cert.Subject.String()}
	}
	return names
}
