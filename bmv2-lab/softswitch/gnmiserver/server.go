package gnmiserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Config are the server's bounds.
type Config struct {
	MaxSubscribers int // at once
	Queue          int // changes of ports that may wait for one subscriber
	MaxPaths       int // of one request
}

// DefaultConfig has room for some controllers and collectors.
func DefaultConfig() Config { return Config{MaxSubscribers: 64, Queue: 1024, MaxPaths: 4096} }

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	if c.MaxSubscribers <= 0 || c.Queue <= 0 || c.MaxPaths <= 0 {
		return errors.New("gNMI: subscribers, their queues and paths must be positive")
	}
	return nil
}

// Deps are what a Server needs.
type Deps struct {
	// Interfaces gives all ports as they are, in a stable order. It may be called at any time.
	Interfaces func() []Interface
	Registry   prometheus.Registerer
}

// Server serves gNMI for the ports of one switch.
type Server struct {
	gpb.UnimplementedGNMIServer
	cfg      Config
	deps     Deps
	stopping chan struct{} // closed by Stop
	cut      prometheus.Counter

	mu          sync.Mutex // guards what follows
	last        []Interface
	subscribers map[*subscriber]bool
}

// subscriber takes changes of ports.
type subscriber struct {
	changes chan Interface
	cut     chan struct{} // closed when there was no room for one
}

// New prepares a server.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Interfaces == nil || deps.Registry == nil {
		return nil, errors.New("gNMI: interfaces and registry are needed")
	}
	s := &Server{cfg: cfg, deps: deps, stopping: make(chan struct{}), subscribers: map[*subscriber]bool{},
		cut: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_gnmiserver_cut_off_total",
			Help: "Subscribers that did not take what was sent."})}
	count := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fabricscope_gnmiserver_subscribers", Help: "Subscribers of port states."},
		func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(len(s.subscribers))
		})
	for _, c := range []prometheus.Collector{s.cut, count} {
		if err := deps.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("gNMI metrics: %w", err)
		}
	}
	return s, nil
}

// Register adds the service to a server.
func (s *Server) Register(r grpc.ServiceRegistrar) { gpb.RegisterGNMIServer(r, s) }

// Stop ends all subscriptions, now and later. It may be called once.
func (s *Server) Stop() { close(s.stopping) }

// Changed looks which ports are otherwise than when it looked last, and tells the subscribers. It never blocks for
// them.
func (s *Server) Changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
}

// look does what Changed says.
func (s *Server) look() {
	now := s.deps.Interfaces()
	for _, i := range now {
		if slices.ContainsFunc(s.last, func(o Interface) bool { return o.Name == i.Name && o.LastChange.Equal(i.LastChange) }) {
			continue
		}
		for sub := range s.subscribers {
			select {
			case sub.changes <- i:
			default:
				delete(s.subscribers, sub)
				close(sub.cut)
				s.cut.Inc()
			}
		}
	}
	s.last = now
}

// join adds a subscriber, and gives the ports as they were when it was.
func (s *Server) join() (*subscriber, []Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.subscribers) >= s.cfg.MaxSubscribers {
		return nil, nil, status.Errorf(codes.ResourceExhausted, "there are %d subscribers already", len(s.subscribers))
	}
	sub := &subscriber{changes: make(chan Interface, s.cfg.Queue), cut: make(chan struct{})}
	s.look() // what the others have not been told yet would not be news any more
	s.subscribers[sub] = true
	return sub, s.last, nil
}

func (s *Server) leave(sub *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.subscribers, sub)
}

// Capabilities says what is served.
func (s *Server) Capabilities(context.Context, *gpb.CapabilityRequest) (*gpb.CapabilityResponse, error) {
	return &gpb.CapabilityResponse{
		SupportedModels: []*gpb.ModelData{
			{Name: "openconfig-interfaces", Organization: "OpenConfig working group", Version: "3.0.0"},
			{Name: "openconfig-p4rt", Organization: "OpenConfig working group", Version: "0.4.0"},
		},
		SupportedEncodings: []gpb.Encoding{gpb.Encoding_JSON, gpb.Encoding_PROTO, gpb.Encoding_JSON_IETF},
		GNMIVersion:        "0.10.0",
	}, nil
}

// Set is not possible: ports are the business of the switch's host.
func (s *Server) Set(context.Context, *gpb.SetRequest) (*gpb.SetResponse, error) {
	return nil, status.Error(codes.Unimplemented, "the state of ports is read only")
}

// Get reads leaves: a notification a path.
func (s *Server) Get(_ context.Context, req *gpb.GetRequest) (*gpb.GetResponse, error) {
	if err := errors.Join(checkEncoding(req.GetEncoding()), checkExtensions(req.GetExtension())); err != nil {
		return nil, err
	}
	if req.GetType() == gpb.GetRequest_CONFIG {
		return nil, status.Error(codes.NotFound, "there is state only, no configuration")
	}
	if err := s.checkPaths(len(req.GetPath())); err != nil {
		return nil, err
	}
	all, now := s.deps.Interfaces(), time.Now()
	resp := &gpb.GetResponse{}
	for _, path := range req.GetPath() {
		r, err := parse(req.GetPrefix(), path)
		if err != nil {
			return nil, err
		}
		n := &gpb.Notification{Timestamp: now.UnixNano(), Prefix: answerPrefix(req.GetPrefix())}
		for _, i := range all {
			n.Update = append(n.Update, updates(i, []request{r}, req.GetEncoding(), nil)...)
		}
		if len(n.Update) == 0 {
			return nil, status.Errorf(codes.NotFound, "path %s: there is no such interface", r)
		}
		resp.Notification = append(resp.Notification, n)
	}
	return resp, nil
}

// updates are the leaves of an interface that are asked for and, with keep, that it wants.
func updates(i Interface, asked []request, e gpb.Encoding, keep func(l leaf, id string, v any) bool) []*gpb.Update {
	var out []*gpb.Update
	for _, l := range leaves() {
		if !slices.ContainsFunc(asked, func(r request) bool { return r.matches(l, i.Name, false) }) {
			continue
		}
		if v := l.value(i); keep == nil || keep(l, l.id(i.Name), v) {
			out = append(out, &gpb.Update{Path: l.of(i.Name), Val: encode(v, e)})
		}
	}
	return out
}

// answerPrefix is the prefix of an answer: the target that was asked for, if any (specification, section 2.2.2.1).
func answerPrefix(prefix *gpb.Path) *gpb.Path {
	if prefix.GetTarget() == "" {
		return nil
	}
	return &gpb.Path{Target: prefix.GetTarget()}
}

// checkPaths refuses a request with too many paths.
func (s *Server) checkPaths(n int) error {
	if n > s.cfg.MaxPaths {
		return status.Errorf(codes.ResourceExhausted, "%d paths: there may be %d in a request", n, s.cfg.MaxPaths)
	}
	return nil
}

func checkExtensions(list []*gnmi_ext.Extension) error {
	if len(list) > 0 {
		return status.Error(codes.Unimplemented, "extensions are not known here")
	}
	return nil
}
