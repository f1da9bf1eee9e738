package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// httpServer serves the daemon's own health: /metrics for Prometheus, and /healthz, which is
// 200 while history and flow records are written and 503 with the reason otherwise.
type httpServer struct {
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
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", h.health)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	h.log.Info("http is served", "address", listener.Addr().String())
	err = server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("http: %w", err)
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
