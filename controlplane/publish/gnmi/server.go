package gnmi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// FabricTarget is the name of the target with the models of Fabricscope.
const FabricTarget = "fabric"

// maxRequest is the size of the largest message that a client may send, in bytes.
const maxRequest = 1 << 20

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
	schema      schema
	fabricKinds []*kind
	deviceKinds []*kind
	metrics     *metrics
	subscribers atomic.Int64
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
	sch, err := newSchema()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, source: deps.Source, log: deps.Log, now: deps.Now, listener: deps.Listener,
		schema: sch, fabricKinds: sch.kinds(false), deviceKinds: sch.kinds(true),
	}
	if s.metrics, err = newMetrics(s, deps.Registerer); err != nil {
		return nil, fmt.Errorf("gnmi: metrics: %w", err)
	}
	return s, nil
}

// Run listens and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	cert, err := s.cfg.certificate(s.now())
	if err != nil {
		return fmt.Errorf("gnmi: %w", err)
	}
	listener := s.listener
	if listener == nil {
		if listener, err = net.Listen("tcp", s.cfg.Address); err != nil {
			return fmt.Errorf("gnmi: listen on %s: %w", s.cfg.Address, err)
		}
	}
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	gpb.RegisterGNMIServer(server, s)
	reflection.Register(server)
	s.log.Info("gNMI listens", "address", listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("gnmi: serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	// Subscriptions end by themselves only when their clients want it.
	kill := time.AfterFunc(stopGrace, server.Stop)
	defer kill.Stop()
	server.GracefulStop()
	<-served
	return nil
}

// table gives the kinds of a request's target.
func (s *Server) table(to scope) []*kind {
	if to.device != "" {
		return s.deviceKinds
	}
	return s.fabricKinds
}

// answer resolves the target, the origin and the encoding of a request.
func (s *Server) answer(view inventory.View, prefix *gpb.Path, enc gpb.Encoding, useModels bool) (answer, error) {
	to := answer{encoding: enc, scope: scope{target: prefix.GetTarget(), root: s.schema.fabric}}
	switch enc {
	case gpb.Encoding_JSON, gpb.Encoding_JSON_IETF, gpb.Encoding_PROTO:
	default:
		return to, status.Errorf(codes.Unimplemented, "encoding %v is not supported; JSON, JSON_IETF and PROTO are", enc)
	}
	if useModels {
		return to, status.Error(codes.Unimplemented, "use_models is not supported")
	}
	if err := to.scope.originOf(prefix); err != nil {
		return to, err
	}
	if t := to.scope.target; t != "" && t != FabricTarget {
		if _, ok := view.Get(inventory.Switch{Name: t}.Ref()); !ok {
			return to, status.Errorf(codes.NotFound, "target %q: neither %s nor a switch", t, FabricTarget)
		}
		to.scope.device, to.scope.root = t, s.schema.device
	}
	return to, nil
}

// parseAll parses the paths of a request.
func (s *Server) parseAll(to *scope, prefix *gpb.Path, paths []*gpb.Path) ([]request, error) {
	if len(paths) > s.cfg.MaxPaths {
		return nil, status.Errorf(codes.ResourceExhausted, "%d paths in a request, more than %d", len(paths), s.cfg.MaxPaths)
	}
	requests := make([]request, len(paths))
	for i, p := range paths {
		if t := p.GetTarget(); t != "" && t != to.target {
			return nil, status.Errorf(codes.InvalidArgument, "path %s: target %q belongs into the prefix", pathText(p), t)
		}
		if err := to.originOf(p); err != nil {
			return nil, err
		}
		r, err := parse(to.root, prefix, p)
		if err != nil {
			return nil, err
		}
		requests[i] = r
	}
	return requests, nil
}

// Subscribers gives how many Subscribe calls are going on.
func (s *Server) Subscribers() int { return int(s.subscribers.Load()) }
