package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// httpServer serves the daemon's own health: /metrics for Prometheus, and /healthz, which is
// 200 while history and flow records are written and 503 with the reason otherwise. On the loopback it is plain HTTP;
// elsewhere TLS, and /metrics, which names switches and clusters, is for those who may read everything.
type httpServer struct {
	guard    *access.Guard
	address  string
	registry *prometheus.Registry
	store    *history.Store
	records  *records.Store
	log      *slog.Logger
}

// Run serves until ctx ends.
func (h *httpServer) Run(ctx context.Context) error {
	if h.address == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := net.Listen("tcp", h.address)
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	open := isLoopback(listener.Addr())
	if !open {
		listener = tls.NewListener(listener, h.guard.TLS("h2", "http/1.1"))
	}
	server := &http.Server{Handler: h.handler(open), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug)} // handshakes that fail
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	h.log.Info("http is served", "address", listener.Addr().String(), "tls", !open)
	err = server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("http: %w", err)
}

func (h *httpServer) handler(open bool) http.Handler {
	var metrics http.Handler = promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{})
	if !open {
		metrics = h.guard.Whole(metrics)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", h.health)
	return mux
}

// isLoopback says whether only processes of this machine reach an address.
func isLoopback(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}

func (h *httpServer) health(w http.ResponseWriter, _ *http.Request) {
	s := h.store.Status()
	if s.Err != nil {
		http.Error(w, fmt.Sprintf("history is %s: %v", s.Phase, s.Err), http.StatusServiceUnavailable)
		return
	}
	if r := h.records.Status(); r.Err != nil {
		http.Error(w, fmt.Sprintf("flow records are %s: %v", r.Phase, r.Err), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
