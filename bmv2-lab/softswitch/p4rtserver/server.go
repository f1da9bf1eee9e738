package p4rtserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// apiVersion is the version of P4Runtime that is implemented.
const apiVersion = "1.5.0"

// Config is the server's configuration.
type Config struct {
	DeviceID uint64
	// Engine are the options of the switches that the server makes.
	Engine engine.Options
	// DigestQueue bounds the digest messages that wait to be gathered into lists.
	DigestQueue int
	// ClientQueue bounds the messages that wait for one client.
	ClientQueue int
	// MaxMessage bounds a request, in bytes; pipelines are large.
	MaxMessage int
	// MaxStreams bounds the sessions of all roles together.
	MaxStreams int
	// ReadMemory bounds the answers of all Reads that wait for their clients, in bytes.
	ReadMemory int
	// Patience is how long a client may take for a part of an answer, and for its first
	// arbitration message.
	Patience time.Duration
}

// DefaultConfig is device 0 with queues for some thousand messages.
func DefaultConfig() Config {
	return Config{DigestQueue: 1 << 16, ClientQueue: 4096, MaxMessage: 128 << 20, MaxStreams: 1024, ReadMemory: 256 << 20,
		Patience: 30 * time.Second}
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	if c.DigestQueue <= 0 || c.ClientQueue <= 0 || c.MaxMessage < 4<<20 {
		return errors.New("P4Runtime: queues must be positive, and messages of 4 MiB possible")
	}
	if c.MaxStreams <= 0 || c.ReadMemory <= 0 || c.Patience <= 0 {
		return errors.New("P4Runtime: streams, memory for reads and patience must be positive")
	}
	return nil
}

// Dataplane runs packets through one engine.Switch at a time.
type Dataplane interface {
	// Install replaces the running switch between two packets. Between the two, build is
	// called with the running one, nil if there is none; an error of build leaves it running.
	Install(ctx context.Context, build func(old *engine.Switch) (*engine.Switch, error), events Events) error
	// Between calls do between two packets.
	Between(ctx context.Context, do func() error) error
	// HasPort says whether the switch has a port of this number.
	HasPort(number uint32) bool
	// PacketOut sends a frame in at the CPU port. It never blocks.
	PacketOut(frame []byte) error
	// Micros is the switch's time, as Process sees it.
	Micros() uint64
}

// Events receives what a running switch has for the controller. The calls come from the
// packets' goroutine, must not block, and must not keep the memory.
type Events interface {
	PacketIn(frame []byte)
	Digest(d engine.Digest)
}

// Deps are what a Server needs.
type Deps struct {
	Log       *slog.Logger
	Dataplane Dataplane
	Registry  prometheus.Registerer
	// Listener is served by Run, which closes it.
	Listener net.Listener
	// TLS, if not nil, is required of clients.
	TLS credentials.TransportCredentials
	// Beside, if not nil, is served at the same port.
	Beside Service
}

// Service is another service of the switch.
type Service interface {
	Register(r grpc.ServiceRegistrar)
	// Stop ends its calls, now and later. It is called once.
	Stop()
}

// Server serves P4Runtime for one device.
type Server struct {
	p4.UnimplementedP4RuntimeServer
	cfg      Config
	deps     Deps
	metrics  *metrics
	arbiter  *arbiter
	digester *digester

	// running is the pipeline whose packets run; nil before the first.
	running atomic.Pointer[pipeline]

	building chan struct{} // holds one while a pipeline is being built

	stopping   chan struct{} // closed when Run ends
	ending     sync.Mutex    // orders the closing of stopping and background.Add
	background sync.WaitGroup
	sessions   room // streams
	answers    room // bytes

	state sync.RWMutex // held to write, or read, any state of the switch; guards the field below
	// current is the pipeline that Read and Write mean: the running one, or one that was saved
	// and not committed.
	current *pipeline
}

// New prepares a server.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil || deps.Dataplane == nil || deps.Listener == nil || deps.Registry == nil {
		return nil, errors.New("P4Runtime: log, data plane, listener and registry are needed")
	}
	s := &Server{cfg: cfg, deps: deps, building: make(chan struct{}, 1), stopping: make(chan struct{})}
	var err error
	if s.metrics, err = newMetrics(deps.Registry); err != nil {
		return nil, err
	}
	s.sessions = room{limit: cfg.MaxStreams, gauge: func(n int) { s.metrics.sessions.Set(float64(n)) }}
	s.answers = room{limit: cfg.ReadMemory, gauge: func(n int) { s.metrics.readBytes.Set(float64(n)) }}
	s.digester = newDigester(cfg.DigestQueue, s.sendDigests, s.metrics)
	s.arbiter = newArbiter(cfg.DeviceID, func() {
		s.state.Lock()
		defer s.state.Unlock()
	}, s.digester.forget)
	return s, nil
}

// maxStreams bounds the requests and streams of one connection at a time.
const maxStreams = 1024

// stopTimeout is how long clients' requests may take to end when the server stops.
const stopTimeout = 2 * time.Second

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(s.cfg.MaxMessage), grpc.WaitForHandlers(true), grpc.MaxConcurrentStreams(maxStreams),
		// A primary whose machine died without a word is to be missed in time.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
	if s.deps.TLS != nil {
		opts = append(opts, grpc.Creds(s.deps.TLS))
	}
	server := grpc.NewServer(opts...)
	p4.RegisterP4RuntimeServer(server, s)
	if s.deps.Beside != nil {
		s.deps.Beside.Register(server)
	}

	var wg sync.WaitGroup
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.digester.run(inner) })
	wg.Go(func() { s.watchIdle(inner) })
	wg.Go(func() {
		<-inner.Done()
		s.stop()
		force := time.AfterFunc(stopTimeout, server.Stop)
		defer force.Stop()
		server.GracefulStop()
	})
	err := server.Serve(s.deps.Listener)
	cancel()
	wg.Wait()
	s.background.Wait()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("P4Runtime server: %w", err)
	}
	return nil
}

// stop ends all streams.
func (s *Server) stop() {
	s.ending.Lock()
	defer s.ending.Unlock()
	close(s.stopping)
	if s.deps.Beside != nil {
		s.deps.Beside.Stop()
	}
}

// Capabilities says which version of P4Runtime this is.
func (s *Server) Capabilities(_ context.Context, req *p4.CapabilitiesRequest) (*p4.CapabilitiesResponse, error) {
	if id := req.GetDeviceId(); id != 0 && id != s.cfg.DeviceID {
		return nil, status.Errorf(codes.NotFound, "no device %d; this is device %d", id, s.cfg.DeviceID)
	}
	return &p4.CapabilitiesResponse{P4RuntimeApiVersion: apiVersion}, nil
}

// sendDigests offers a list to the primaries and says whether one took it.
func (s *Server) sendDigests(l *p4.DigestList) bool {
	taken, _ := s.arbiter.broadcast(&p4.StreamMessageResponse{Update: &p4.StreamMessageResponse_Digest{Digest: l}},
		func(c *roleConfig) bool { return c.owns(l.GetDigestId()) })
	return taken > 0
}

// pipelineEvents are the Events of one pipeline.
type pipelineEvents struct {
	server   *Server
	pipeline *pipeline
}

// PacketIn sends a frame that left at the CPU port to the primaries.
func (e pipelineEvents) PacketIn(frame []byte) {
	m := e.server.metrics
	in, ok := e.pipeline.schema.packetIn.unpack(frame)
	if !ok {
		m.packetInDrops.WithLabelValues("short").Inc()
		return
	}
	taken, any := e.server.arbiter.broadcast(&p4.StreamMessageResponse{Update: &p4.StreamMessageResponse_Packet{Packet: in}},
		func(c *roleConfig) bool { return c.takes(in) })
	switch {
	case taken > 0:
		m.packetIns.Inc()
	case any:
		m.packetInDrops.WithLabelValues("queue_full").Inc()
	default:
		m.packetInDrops.WithLabelValues("no_primary").Inc()
	}
}

// Digest gathers a digest message.
func (e pipelineEvents) Digest(d engine.Digest) { e.server.digester.offer(e.pipeline, d) }
