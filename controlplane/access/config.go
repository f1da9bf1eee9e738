package access

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Modes of client certificates.
const (
	Off      = "off"      // none is asked for
	Optional = "optional" // one that is given has to be good
	Required = "required" // without a good one there is no connection
)

// Config says by what callers are known.
type Config struct {
	// Certificate and Key are the server's PEM files.
	Certificate string
	Key         string
	// ClientCertificates is Off, Optional or Required; ClientCA is the PEM file of their authorities.
	ClientCertificates string
	ClientCA           string
	// Users is a file of users with hashes of their passwords, as htpasswd -B writes it; empty: nobody logs in.
	Users string
	// Policy is a file with a policy of RPCs in the JSON form of gRPC A43; empty: all are allowed.
	Policy string
	// Readers say who sees what; empty: everybody sees everything.
	Readers []Reader
	// Audit is the file of the audit log, or AuditToStderr; empty for none.
	Audit string
	// AuditBytes is how large the file becomes before it is moved to NAME.1, of which AuditKeep are kept; 0 never moves it.
	AuditBytes int64
	AuditKeep  int
	// NamesKey is the secret of the IDs that stand for those that tell hidden names; with the same secret they are the
	// same. Empty: one that is made at each start.
	NamesKey []byte
	// Refresh is how often the files are looked at.
	Refresh time.Duration
}

// DefaultConfig lets everybody in; the server's certificate is left to be set.
func DefaultConfig() Config {
	return Config{ClientCertificates: Off, AuditBytes: 64 << 20, AuditKeep: 4, Refresh: 5 * time.Second}
}

// Validate reports every field that cannot be used.
func (c Config) Validate() error {
	var errs []error
	add := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("access.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	modes := []string{Off, Optional, Required}
	switch {
	case !slices.Contains(modes, c.ClientCertificates):
		add("client-certificates", "%q is none of %s", c.ClientCertificates, strings.Join(modes, ", "))
	case c.ClientCertificates != Off && c.ClientCA == "":
		add("client-ca-file", "must not be empty with client-certificates: %s", c.ClientCertificates)
	case c.ClientCertificates == Off && c.ClientCA != "":
		add("client-certificates", "must be optional or required with a client-ca-file")
	}
	if c.Refresh <= 0 {
		add("refresh", "%v is not positive", c.Refresh)
	}
	if c.AuditBytes < 0 {
		add("audit-max-bytes", "%d is negative", c.AuditBytes)
	}
	if c.AuditKeep < 0 {
		add("audit-keep", "%d is negative", c.AuditKeep)
	}
	if len(c.Readers) > 0 && c.Users == "" && c.ClientCertificates == Off {
		add("readers", "nobody can be known without a users-file or client-certificates")
	}
	return errors.Join(append(errs, c.validateReaders())...)
}

// Deps is what a guard uses of its surroundings. All may be left out.
type Deps struct {
	Log        *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nowhere
	Stderr     io.Writer             // for AuditToStderr; nil is the process's
	Now        func() time.Time      // nil is the system's clock; handshakes go by that in any case
}
