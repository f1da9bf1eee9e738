package gnmi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Config says where the server listens and what it grants its clients.
type Config struct {
	// Address is host:port to listen on.
	Address string
	// Certificate and Key are PEM files. When both are empty a certificate for the lab is
	// made in LabDir and used again by later starts.
	Certificate string
	Key         string
	// LabDir is where the lab certificate is kept, as gnmi.crt and gnmi.key.
	LabDir string
	// LabNames are DNS names and addresses in the lab certificate, besides the loopback's
	// and the host's.
	LabNames []string
	// SampleDefault is the interval of counters whose subscription leaves it to the server.
	SampleDefault time.Duration
	// SampleMinimum is the shortest interval that may be asked for.
	SampleMinimum time.Duration
	// SendTimeout is how long a subscriber may take nothing, and a call not say what it wants, before it is cut off.
	SendTimeout time.Duration
	// Keepalive is how long a connection may be silent before the server asks whether the
	// client is still there.
	Keepalive time.Duration
	// MaxConnections bounds the connections, and MaxAddressConnections those from one address, which is of IPv6 a
	// whole /64. A connection has to be ready for calls within HandshakeTimeout.
	MaxConnections        int
	MaxAddressConnections int
	HandshakeTimeout      time.Duration
	// MaxCalls bounds the calls of any kind going on at once, MaxAddressCalls those from one address, and MaxStreams
	// those of one connection.
	MaxCalls        int
	MaxAddressCalls int
	MaxStreams      int
	// MaxSubscribers bounds the Subscribe calls going on at once, and MaxCallerSubscribers those of one caller: a user,
	// a certificate, or else an address.
	MaxSubscribers       int
	MaxCallerSubscribers int
	// MaxPast bounds the calls about the past going on at once, and MaxCallerPast those of one caller. Each may hold a
	// transaction of the history open, which the source has to be ready for, no longer than PastTimeout.
	MaxPast       int
	MaxCallerPast int
	PastTimeout   time.Duration
	// MaxPaths bounds the paths of one request.
	MaxPaths int
	// MaxRequestBytes bounds a message of a client, and MaxGetBytes an answer to Get.
	MaxRequestBytes int
	MaxGetBytes     int
	// MaxAnswersBytes bounds the answers to Get that are made or wait for their clients to take them, and
	// MaxCallerAnswersBytes those of one caller, in bytes. Neither is less than MaxGetBytes.
	MaxAnswersBytes       int
	MaxCallerAnswersBytes int
	// MaxBehind is how many objects there may be whose changes a subscriber has not taken yet, before it is cut off.
	// What a subscriber is not stuck with is kept once for all who asked for the same, and is no more changes than this.
	MaxBehind int
	// MaxBehindBytes is how much memory these may take, as if no other subscriber needed them too, and a quarter of
	// how much those of all subscribers together may.
	MaxBehindBytes int
}

// DefaultConfig listens on all addresses at gNMI's registered port; LabDir is left to be set.
func DefaultConfig() Config {
	return Config{
		Address:               ":9339",
		SampleDefault:         10 * time.Second,
		SampleMinimum:         time.Second,
		SendTimeout:           30 * time.Second,
		Keepalive:             time.Minute,
		MaxConnections:        4096,
		MaxAddressConnections: 2048,
		HandshakeTimeout:      10 * time.Second,
		MaxCalls:              8192,
		MaxAddressCalls:       4096,
		MaxStreams:            1024,
		MaxSubscribers:        4096,
		MaxCallerSubscribers:  2048,
		MaxPast:               8,
		MaxCallerPast:         4,
		PastTimeout:           time.Hour,
		MaxPaths:              256,
		MaxRequestBytes:       1 << 20,
		MaxGetBytes:           64 << 20,
		MaxAnswersBytes:       256 << 20,
		MaxCallerAnswersBytes: 128 << 20,
		MaxBehind:             1 << 18,
		MaxBehindBytes:        64 << 20,
	}
}

// Validate reports every field that cannot be used.
func (c Config) Validate() error {
	var errs []error
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		errs = append(errs, fmt.Errorf("address: %q is not host:port", c.Address))
	}
	if (c.Certificate == "") != (c.Key == "") {
		errs = append(errs, errors.New("certificate, key: one is set without the other"))
	}
	if c.Certificate == "" && c.LabDir == "" {
		errs = append(errs, errors.New("lab-dir: must name a directory when there is no certificate"))
	}
	positive := func(field string, d time.Duration) {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s: %v is not positive", field, d))
		}
	}
	positive("sample-minimum", c.SampleMinimum)
	positive("send-timeout", c.SendTimeout)
	if c.SampleDefault < c.SampleMinimum {
		errs = append(errs, fmt.Errorf("sample-default: %v is less than sample-minimum, %v", c.SampleDefault, c.SampleMinimum))
	}
	positive("keepalive", c.Keepalive)
	positive("handshake-timeout", c.HandshakeTimeout)
	positive("past-timeout", c.PastTimeout)
	atLeast := func(field string, n, least int) {
		if n < least {
			errs = append(errs, fmt.Errorf("%s: %d is less than %d", field, n, least))
		}
	}
	atLeast("max-connections", c.MaxConnections, 1)
	atLeast("max-address-connections", c.MaxAddressConnections, 1)
	atLeast("max-calls", c.MaxCalls, 1)
	atLeast("max-address-calls", c.MaxAddressCalls, 1)
	atLeast("max-streams", c.MaxStreams, 1)
	atLeast("max-subscribers", c.MaxSubscribers, 1)
	atLeast("max-caller-subscribers", c.MaxCallerSubscribers, 1)
	atLeast("max-past", c.MaxPast, 1)
	atLeast("max-caller-past", c.MaxCallerPast, 1)
	atLeast("max-paths", c.MaxPaths, 1)
	atLeast("max-request-bytes", c.MaxRequestBytes, 1024)
	atLeast("max-get-bytes", c.MaxGetBytes, 1024)
	atLeast("max-answers-bytes", c.MaxAnswersBytes, c.MaxGetBytes)
	atLeast("max-caller-answers-bytes", c.MaxCallerAnswersBytes, c.MaxGetBytes)
	atLeast("max-behind", c.MaxBehind, 1024)
	atLeast("max-behind-bytes", c.MaxBehindBytes, 1<<16)
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("gnmi: %w", errors.Join(errs...))
}

// Source is where the server reads. *history.Store is one.
type Source interface {
	// Now gives the current state.
	Now() inventory.View
	// At gives the state of a past moment, as far as it is wanted.
	At(ctx context.Context, t time.Time, axis history.Axis, wants ...history.Want) (inventory.View, error)
	// Follow gives the current state and every update after it, each by itself.
	Follow() (inventory.View, *history.Feed)
	// Replay gives what became known of what is wanted from one time until just before another.
	Replay(ctx context.Context, from, until time.Time, wants ...history.Want) (*history.Replay, error)
}

// Deps is what the server uses of its surroundings. Only Source is required.
type Deps struct {
	Source     Source
	Log        *slog.Logger          // nil discards
	Now        func() time.Time      // nil is time.Now
	Registerer prometheus.Registerer // nil registers nowhere
	Listener   net.Listener          // nil listens on Config.Address; Run closes it
	TLS        *tls.Config           // nil serves Config.Certificate, or the lab's
	Access     Access                // nil lets everybody see everything
	Options    []grpc.ServerOption   // of the gRPC server, besides its own
	Services   []Service             // served beside gNMI
	// Counter gives what counts the leaves that a call is answered with; nil counts none.
	Counter func(context.Context) func(leaves int)
}

// Service is a gRPC service on the same port, under the same certificate.
type Service interface {
	Register(to grpc.ServiceRegistrar)
}
