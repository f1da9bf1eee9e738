package kube

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// origin says where each part of how to reach a cluster is written: the file and its field, as an error names them.
type origin struct {
	server    string
	authority string // that signs the server's certificate
	user      string // who proves to be somebody
	expires   time.Time
}

// blame puts before an error of a request the entry that it is about. It is a guess only where the error can mean
// several things: then it is the address.
func (o origin) blame(err error) string {
	var status *statusError
	errors.As(err, &status)
	var alert tls.AlertError
	switch {
	case unsigned(err):
		return o.authority + ": " + plain(err)
	case status != nil && status.code == http.StatusUnauthorized, errors.As(err, &alert):
		return o.user + ": " + plain(err) + o.expired()
	case status != nil && status.code == http.StatusForbidden:
		return o.user + ": " + plain(err) + ": docs/kubernetes-rbac.yaml has what is needed"
	case strings.HasPrefix(plain(err), "getting credentials: "): // client-go has no type for it
		return o.user + ": " + plain(err)
	case status != nil && status.code == http.StatusNotFound:
		return o.server + ": " + plain(err) + ": is it the address of a Kubernetes API?"
	}
	return o.server + ": " + plain(err)
}

// unsigned says whether nobody that is trusted signed the server's certificate.
func unsigned(err error) bool {
	var authority x509.UnknownAuthorityError
	return errors.As(err, &authority)
}

// expired tells of a client certificate that is too old: the server does not say why it refuses one.
func (o origin) expired() string {
	if o.expires.IsZero() || time.Now().Before(o.expires) {
		return ""
	}
	return ": its client certificate expired at " + o.expires.UTC().Format(time.RFC3339)
}

// plain is the text of an error in one line, without what differs from try to try, as local ports and the time: a history
// would have an entry of each.
func plain(err error) string {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return fmt.Sprintf("the server's certificate is good from %s to %s alone",
			invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		switch {
		case name.IsNotFound:
			return "lookup " + name.Name + ": no such host"
		case name.IsTimeout:
			return "lookup " + name.Name + ": no name server answers"
		}
		return "lookup " + name.Name + ": the name server cannot tell"
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Addr != nil {
		return network.Addr.String() + ": " + network.Err.Error()
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return cut(strings.Join(strings.Fields(err.Error()), " "))
}

// statusError is the HTTP status that a request was refused with.
type statusError struct {
	resource string
	code     int
	words    string // of the API server, if it has any
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.resource, e.code, http.StatusText(e.code))
	if e.words == "" || e.words == http.StatusText(e.code) {
		return text
	}
	return text + ": " + e.words
}

// strangerError is an answer that no Kubernetes API gives.
type strangerError struct{ kind string }

func (e *strangerError) Error() string {
	return fmt.Sprintf("it answers with %q, as no Kubernetes API does", e.kind)
}
