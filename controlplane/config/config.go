// Package config is the daemon's configuration file: YAML, strict, with every error naming
// the file, the line or the field. docs/CONFIGURATION.md describes the keys.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Config is a whole configuration file.
type Config struct {
	StateDir string    `yaml:"state-dir"` // history and generated certificates
	LogLevel string    `yaml:"log-level"` // debug, info, warn or error
	GNMI     GNMI      `yaml:"gnmi"`
	Access   Access    `yaml:"access"`
	HTTP     HTTP      `yaml:"http"`
	Clusters []Cluster `yaml:"clusters"`
	Switches []Switch  `yaml:"switches"`

	HeapTarget int64   `yaml:"heap-target"` // bytes up to which the heap grows before it is collected; 0 leaves it to Go
	ElectionID uint64  `yaml:"election-id"` // of the controllers of a fabric the one with the highest is primary
	Fabric     Fabric  `yaml:"fabric"`
	Flows      Flows   `yaml:"flows"`
	History    History `yaml:"history"`
}

// GNMI is the northbound server. Without certificate files a self-signed certificate is
// made in the state directory.
type GNMI struct {
	Listen   string `yaml:"listen"`
	CertFile string `yaml:"cert-file"`
	KeyFile  string `yaml:"key-file"`

	SampleDefault         time.Duration `yaml:"sample-default"`           // of counters whose subscription leaves it to the server
	SampleMinimum         time.Duration `yaml:"sample-minimum"`           // the shortest interval that may be asked for
	SendTimeout           time.Duration `yaml:"send-timeout"`             // a subscriber that takes nothing, or a call that does not say what it wants, so long is cut off
	Keepalive             time.Duration `yaml:"keepalive"`                // a connection that is silent so long is asked whether it is there
	HandshakeTimeout      time.Duration `yaml:"handshake-timeout"`        // a connection has to be ready for calls within it
	MaxConnections        int           `yaml:"max-connections"`          // at once
	MaxAddressConnections int           `yaml:"max-address-connections"`  // likewise from one address
	MaxCalls              int           `yaml:"max-calls"`                // of any kind at once
	MaxAddressCalls       int           `yaml:"max-address-calls"`        // likewise from one address
	MaxStreams            int           `yaml:"max-streams"`              // calls of one connection at once
	MaxSubscribers        int           `yaml:"max-subscribers"`          // Subscribe calls at once
	MaxCallerSubscribers  int           `yaml:"max-caller-subscribers"`   // likewise of one user, certificate, or else address
	MaxPast               int           `yaml:"max-past"`                 // calls about the past at once
	MaxCallerPast         int           `yaml:"max-caller-past"`          // likewise of one user, certificate, or else address
	PastTimeout           time.Duration `yaml:"past-timeout"`             // a call about the past may take no longer
	MaxPaths              int           `yaml:"max-paths"`                // of one request
	MaxRequestBytes       int           `yaml:"max-request-bytes"`        // of a message of a client
	MaxGetBytes           int           `yaml:"max-get-bytes"`            // of an answer to Get
	MaxAnswersBytes       int           `yaml:"max-answers-bytes"`        // of all answers to Get that are made or wait to be taken
	MaxCallerAnswersBytes int           `yaml:"max-caller-answers-bytes"` // likewise of one user, certificate, or else address
	MaxBehind             int           `yaml:"max-behind"`               // objects whose changes a subscriber may not have taken yet
	MaxBehindBytes        int           `yaml:"max-behind-bytes"`         // of memory that these may take; of all together four times as many
}

// Access says who may call the northbound server. Files are read again when they change.
type Access struct {
	ClientCertificates string        `yaml:"client-certificates"` // off, optional or required
	ClientCAFile       string        `yaml:"client-ca-file"`
	UsersFile          string        `yaml:"users-file"`      // users with hashes of their passwords, as htpasswd -B writes it
	PolicyFile         string        `yaml:"policy-file"`     // of RPCs, in the JSON form of gRPC A43
	AuditFile          string        `yaml:"audit-file"`      // who read what, a JSON object a line; - for standard error
	AuditMaxBytes      int64         `yaml:"audit-max-bytes"` // how large the file becomes before it is moved to NAME.1; 0 never moves it
	AuditKeep          int           `yaml:"audit-keep"`      // how many that were full are kept
	Readers            []Reader      `yaml:"readers"`         // who sees what; none: everybody sees everything
	Refresh            time.Duration `yaml:"refresh"`         // how often files are looked at, the server's certificate among them
}

// Reader is what some callers see. Of several the first that names the caller counts.
type Reader struct {
	Name       string   `yaml:"name"`
	Users      []string `yaml:"users"`
	Principals []string `yaml:"principals"` // of client certificates
	Clusters   []string `yaml:"clusters"`   // empty: all
	Namespaces []string `yaml:"namespaces"` // empty: all
	Paths      []string `yaml:"paths"`      // of the models; empty: all
	Hidden     []string `yaml:"hidden"`     // paths without which
	Shared     []string `yaml:"shared"`     // paths with what is of no cluster, or no namespace
}

// HTTP serves /metrics and /healthz; an empty address serves nothing.
type HTTP struct {
	Listen string `yaml:"listen"`
}

// Cluster is one Kubernetes API: by a kubeconfig, or by its server, a file with a token and one with its CA.
type Cluster struct {
	Name       string   `yaml:"name"`
	Kubeconfig string   `yaml:"kubeconfig"`
	Context    string   `yaml:"context"` // in the kubeconfig; its current one if empty
	Server     string   `yaml:"server"`  // https://host:port
	TokenFile  string   `yaml:"token-file"`
	CAFile     string   `yaml:"ca-file"` // the system's CAs if empty
	VNIs       []uint32 `yaml:"vnis"`    // overlay identifiers that are this cluster's alone
}

// Switch is one P4Runtime target.
type Switch struct {
	Name     string `yaml:"name"`
	Address  string `yaml:"address"` // host:port of its P4Runtime server
	DeviceID uint64 `yaml:"device-id"`
	Role     string `yaml:"role"` // leaf, spine or border
	Ports    []Port `yaml:"ports"`

	GNMIAddress string `yaml:"gnmi-address"` // host:port where it tells of its ports, if not at Address

	Loopback Address `yaml:"loopback"` // from where it tells senders that their packets expired
}

// Port names a port of the data plane.
type Port struct {
	Number uint32 `yaml:"number"`
	Name   string `yaml:"name"`
	Peer   string `yaml:"peer"` // what is behind it, for people
}

// Fabric says whether the daemon routes, and which subnets are behind which switch.
type Fabric struct {
	Routing      bool          `yaml:"routing"` // false where another system forwards
	LLDPInterval time.Duration `yaml:"lldp-interval"`
	Gateways     []Gateway     `yaml:"gateways"`
	VXLANPorts   []uint16      `yaml:"vxlan-ports"`  // UDP ports that carry VXLAN
	GenevePorts  []uint16      `yaml:"geneve-ports"` // and those that carry Geneve
}

// Gateway is an address of a switch in a subnet of hosts.
type Gateway struct {
	Switch  string   `yaml:"switch"`
	Address Prefix   `yaml:"address"` // the switch's own address and the subnet's length
	Ports   []string `yaml:"ports"`
}

// Prefix is an address with a prefix length, like 10.1.1.1/24.
type Prefix struct{ netip.Prefix }

// UnmarshalYAML implements yaml.Unmarshaler, for an error that names the line.
func (p *Prefix) UnmarshalYAML(n *yaml.Node) (err error) {
	if p.Prefix, err = netip.ParsePrefix(n.Value); err != nil {
		return fmt.Errorf("line %d: %q is not an address with a prefix length, like 10.1.1.1/24", n.Line, n.Value)
	}
	return nil
}

// Address is an IP address, like 10.1.1.1.
type Address struct{ netip.Addr }

// UnmarshalYAML implements yaml.Unmarshaler, for an error that names the line.
func (a *Address) UnmarshalYAML(n *yaml.Node) (err error) {
	if a.Addr, err = netip.ParseAddr(n.Value); err != nil {
		return fmt.Errorf("line %d: %q is not an address, like 10.1.1.1", n.Line, n.Value)
	}
	return nil
}

// Flows are the times, the room and the bounds of flow accounting.
type Flows struct {
	IdleTimeout time.Duration `yaml:"idle-timeout"` // a silent flow leaves the switch's cache
	Linger      time.Duration `yaml:"linger"`       // a silent conversation stays on the screen

	ExportInterval time.Duration `yaml:"export-interval"` // what one flow record counts
	CacheSlots     int           `yaml:"cache-slots"`     // of a switch: flows that it has room for

	WireGuardPorts []uint16 `yaml:"wireguard-ports"` // UDP ports whose flows are named WireGuard

	MaxFlows   int `yaml:"max-flows"`   // directions of conversations, by ingress port, in memory; others are refused and counted
	MaxHops    int `yaml:"max-hops"`    // likewise of one conversation
	MaxPublish int `yaml:"max-publish"` // conversations that are published in a second; others wait for the next
	MaxReads   int `yaml:"max-reads"`   // read-outs of slots that one switch is asked for at once
	MaxUnnamed int `yaml:"max-unnamed"` // reports of one switch that wait until it is known what its registers are called
	MaxLegs    int `yaml:"max-legs"`    // conversations that are held to be joined across address translation
	MaxEdges   int `yaml:"max-edges"`   // pairs of a client and a service's port that are counted
	MaxQueue   int `yaml:"max-queue"`   // messages with reports that wait for the tracker; behind them sessions drop and count
}

// History is how long things are kept.
type History struct {
	Retention     time.Duration `yaml:"retention"`
	FlowRetention time.Duration `yaml:"flow-retention"`
	MaxBytes      int64         `yaml:"max-bytes"`      // of the history's file; 0 is no bound
	FlowMaxBytes  int64         `yaml:"flow-max-bytes"` // of flow records on disk; 0 is no bound
}

// Default is what a file that sets nothing else means.
func Default() Config {
	return Config{
		StateDir: "/var/lib/fabricscope", LogLevel: "info", ElectionID: 1, HeapTarget: 1 << 30,
		GNMI: GNMI{Listen: ":9339", SampleDefault: 10 * time.Second, SampleMinimum: time.Second, SendTimeout: 30 * time.Second,
			Keepalive: time.Minute, HandshakeTimeout: 10 * time.Second, MaxConnections: 4096, MaxAddressConnections: 2048,
			MaxCalls: 8192, MaxAddressCalls: 4096, MaxStreams: 1024, MaxSubscribers: 4096, MaxCallerSubscribers: 2048,
			MaxPast: 8, MaxCallerPast: 4, PastTimeout: time.Hour, MaxPaths: 256,
			MaxRequestBytes: 1 << 20, MaxGetBytes: 64 << 20, MaxAnswersBytes: 256 << 20, MaxCallerAnswersBytes: 128 << 20,
			MaxBehind: 1 << 18, MaxBehindBytes: 64 << 20},
		Access: Access{ClientCertificates: "off", AuditMaxBytes: 64 << 20, AuditKeep: 4, Refresh: 5 * time.Second},
		HTTP:   HTTP{Listen: "127.0.0.1:9464"},
		Fabric: Fabric{Routing: true, LLDPInterval: 2 * time.Second,
			VXLANPorts: []uint16{4789, 8472}, GenevePorts: []uint16{6081}},
		Flows: Flows{IdleTimeout: 5 * time.Second, Linger: 5 * time.Minute, ExportInterval: 10 * time.Second, CacheSlots: maxCacheSlots, WireGuardPorts: []uint16{51820},
			MaxFlows: 1 << 21, MaxHops: 128, MaxPublish: 20_000, MaxReads: 32, MaxUnnamed: 1 << 14, MaxLegs: 1 << 16, MaxEdges: 1 << 16, MaxQueue: 128},
		History: History{Retention: 30 * 24 * time.Hour, FlowRetention: 7 * 24 * time.Hour},
	}
}

// Load reads and validates a file.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads and validates a configuration; keys that do not exist are errors.
func Parse(text []byte) (Config, error) {
	c := Default()
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, plain(err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("more than one YAML document")
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

var unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type config\.(\w+)$`)

// plain says what the decoder found without the names of Go types.
func plain(err error) error {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return err
	}
	var errs []error
	for _, e := range te.Errors {
		if m := unknownField.FindStringSubmatch(e); m != nil {
			e = fmt.Sprintf("line %s: unknown key %q%s", m[1], m[2], hint(m[3], m[2]))
		}
		e = strings.ReplaceAll(e, "into time.Duration", "as a duration, like 5s")
		errs = append(errs, errors.New(e))
	}
	return errors.Join(errs...)
}
