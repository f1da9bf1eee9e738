package gnmi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress, and get what they use
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
)

// FabricTarget is the name of the target with the models of Fabricscope.
const FabricTarget = "fabric"

// keepaliveTimeout is how long a client may take to answer a ping, at most.
const keepaliveTimeout = 20 * time.Second

// maxHeaderBytes is what the metadata of a call may take.
const maxHeaderBytes = 64 << 10

// stopGrace is how long calls may go on after Run was told to end.
const stopGrace = 2 * time.Second

// Server answers gNMI. Its RPC methods may also be called without Run, by tests.
type Server struct {
	gpb.UnimplementedGNMIServer
	cfg         Config
	source      Source
	log         *slog.Logger
	now         func() time.Time
	listener    net.Listener
	services    []Service
	schema      schema
	fabricKinds []*kind
	deviceKinds []*kind
	metrics     *metrics
	connections *quota
	calls       *quota
	subscribers *quota
	past        *quota
	answers     *quota   // bytes of those to Get that are made or wait to be taken
	open        sync.Map // connections: see boundedListener
	access      Access
	counter     func(context.Context) func(leaves int)
	tls         *tls.Config
	more        []grpc.ServerOption
	hub         *hub
}

// New makes a server that Run starts.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Source == nil {
		return nil, errors.New("gnmi: no source")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Counter == nil {
		deps.Counter = func(context.Context) func(int) { return func(int) {} }
	}
	sch, err := newSchema()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, source: deps.Source, log: deps.Log, now: deps.Now, listener: deps.Listener, services: deps.Services,
		access: deps.Access, counter: deps.Counter, tls: deps.TLS, more: deps.Options, schema: sch, fabricKinds: sch.kinds(false), deviceKinds: sch.kinds(true),
	}
	s.metrics = newMetrics()
	s.hub = newHub(s.source, s.metrics, cfg.MaxBehind, cfg.MaxBehindBytes)
	s.limit()
	if err := s.metrics.register(s, deps.Registerer); err != nil {
		return nil, fmt.Errorf("gnmi: metrics: %w", err)
	}
	return s, nil
}

// limit makes the quotas.
func (s *Server) limit() {
	c, m := s.cfg, s.metrics
	s.connections = newQuota("connections", "max-connections", c.MaxConnections, "max-address-connections", c.MaxAddressConnections, m)
	s.calls = newQuota("calls", "max-calls", c.MaxCalls, "max-address-calls", c.MaxAddressCalls, m)
	s.subscribers = newQuota("subscribers", "max-subscribers", c.MaxSubscribers, "max-caller-subscribers", c.MaxCallerSubscribers, m)
	s.past = newQuota("calls about the past", "max-past", c.MaxPast, "max-caller-past", c.MaxCallerPast, m)
	s.answers = newQuota("bytes of answers to Get", "max-answers-bytes", c.MaxAnswersBytes, "max-caller-answers-bytes", c.MaxCallerAnswersBytes, m)
}

// Run listens and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	transport, err := s.transport()
	if err != nil {
		return fmt.Errorf("gnmi: %w", err)
	}
	listener := s.listener
	if listener == nil {
		if listener, err = net.Listen("tcp", s.cfg.Address); err != nil {
			return fmt.Errorf("gnmi: listen on %s: %w", s.cfg.Address, err)
		}
	}
	server := grpc.NewServer(s.options(transport)...)
	gpb.RegisterGNMIServer(server, s)
	for _, service := range s.services {
		service.Register(server)
	}
	reflection.Register(server)
	s.log.Info("gNMI listens", "address", listener.Addr().String())
	running, stop := context.WithCancel(ctx)
	defer stop()
	followed := make(chan error, 1)
	go func() { followed <- s.hub.run(running) }()
	served := make(chan error, 1)
	bounded := boundedListener{Listener: listener, connections: s.connections, open: &s.open,
		refusals: make(chan struct{}, excused), patience: s.cfg.HandshakeTimeout, log: s.log}
	go func() { served <- server.Serve(bounded) }()
	select {
	case err := <-served:
		stop()
		<-followed
		return fmt.Errorf("gnmi: serve on %s: %w", listener.Addr(), err)
	case err = <-followed:
		followed <- nil
	case <-ctx.Done():
	}
	// The hub ends the subscriptions that wait for changes; the others end by themselves only
	// when their clients want it.
	kill := time.AfterFunc(stopGrace, server.Stop)
	defer kill.Stop()
	server.GracefulStop()
	<-served
	return errors.Join(err, <-followed)
}

// transport is how connections are secured.
func (s *Server) transport() (*tls.Config, error) {
	if s.tls != nil {
		return s.tls, nil
	}
	cert, err := s.cfg.certificate(s.now())
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// What a connection may hold of a client's requests that nobody has read yet, in bytes. A bound of the headers is there
// because they are kept before it is known who sent them.
const (
	windowBytes = 64 << 10
	headerBytes = 64 << 10
)

// readBytes is how much of what a client says is read at once: requests are small, and each connection has the room.
const readBytes = 4 << 10

// options are those of the gRPC server.
func (s *Server) options(transport *tls.Config) []grpc.ServerOption {
	return append([]grpc.ServerOption{
		grpc.Creds(credentials.NewTLS(transport)),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(s.cfg.MaxRequestBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes), // anybody may send them
		grpc.MaxConcurrentStreams(uint32(s.cfg.MaxStreams)),
		// The largest answer is one of Get, which has a limit of its own with a better error.
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.ConnectionTimeout(s.cfg.HandshakeTimeout),
		grpc.InTapHandle(s.admit),
		grpc.MaxHeaderListSize(headerBytes),
		grpc.ReadBufferSize(readBytes),
		grpc.SharedWriteBuffer(true), // most connections have nothing to write at a time
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(windowBytes),
		grpc.ChainUnaryInterceptor(s.hearUnary),
		grpc.ChainStreamInterceptor(s.hearStream),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: s.cfg.Keepalive, Timeout: min(s.cfg.Keepalive, keepaliveTimeout)}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	}, s.more...)
}

// Subscribers gives how many Subscribe calls are going on.
func (s *Server) Subscribers() int { return s.subscribers.count() }
