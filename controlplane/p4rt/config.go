package p4rt

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Config is what one session needs to know.
type Config struct {
	Name       string // of the switch, unique
	Address    string // host:port of its P4Runtime server
	DeviceID   uint64
	ElectionID uint64 // high half of P4Runtime's: the highest of all controllers is primary
	Role       string // P4Runtime role; empty is the full-access default role
	FabricRole string // leaf, spine or border, for the switch's fact; this package ignores it

	DialTimeout   time.Duration // to get a connection and the answer to the arbitration
	RPCTimeout    time.Duration // for one request; a pipeline push may take as long
	ProbeInterval time.Duration // a connection without an answer for this long is asked for one
	ProbeTimeout  time.Duration // and given up without one in this time
	BackoffMin    time.Duration // pause before connecting again, doubled every time
	BackoffMax    time.Duration

	DigestMaxList  int           // digests a list, at most
	DigestMaxDelay time.Duration // longest time that the switch may keep a digest back
	QueueDigests   int           // digests that wait for one subscriber; more are dropped and counted
	QueuePackets   int           // packet-ins likewise
	QueueOut       int           // packet-outs that wait for the switch
	WriteBatch     int           // updates in one Write request
}

// DefaultConfig has everything but the name and the address.
func DefaultConfig() Config {
	return Config{
		ElectionID:     1,
		DialTimeout:    3 * time.Second,
		RPCTimeout:     10 * time.Second,
		ProbeInterval:  time.Second,
		ProbeTimeout:   3 * time.Second,
		BackoffMin:     200 * time.Millisecond,
		BackoffMax:     3 * time.Second,
		DigestMaxList:  128,
		DigestMaxDelay: 100 * time.Millisecond,
		QueueDigests:   1 << 16,
		QueuePackets:   1 << 14,
		QueueOut:       1 << 10,
		WriteBatch:     512,
	}
}

// Validate names every field that is wrong.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("switch %q: %s: %s", c.Name, field, fmt.Sprintf(format, args...)))
	}
	if c.Name == "" {
		bad("name", "must not be empty")
	}
	if host, port, err := net.SplitHostPort(c.Address); err != nil || host == "" || port == "" {
		bad("address", "%q is not host:port", c.Address)
	}
	if c.ElectionID == 0 {
		bad("election-id", "must be positive: P4Runtime reserves 0 for readers")
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"dial-timeout", c.DialTimeout}, {"rpc-timeout", c.RPCTimeout},
		{"probe-interval", c.ProbeInterval}, {"probe-timeout", c.ProbeTimeout},
		{"backoff-min", c.BackoffMin}, {"digest-max-delay", c.DigestMaxDelay},
	} {
		if d.value <= 0 {
			bad(d.field, "%s must be positive", d.value)
		}
	}
	if c.BackoffMax < c.BackoffMin {
		bad("backoff-max", "%s is less than backoff-min %s", c.BackoffMax, c.BackoffMin)
	}
	for _, n := range []struct {
		field string
		value int
	}{
		{"digest-max-list", c.DigestMaxList}, {"queue-digests", c.QueueDigests},
		{"queue-packets", c.QueuePackets}, {"queue-out", c.QueueOut}, {"write-batch", c.WriteBatch},
	} {
		if n.value <= 0 {
			bad(n.field, "%d must be positive", n.value)
		}
	}
	return errors.Join(errs...)
}
