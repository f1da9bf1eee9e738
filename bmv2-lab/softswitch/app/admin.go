package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 4096

// adminStop is how long requests may take to end when the switch stops.
const adminStop = time.Second

// adminHandler serves the administration:
//
//	GET    /ports                    all ports with their counts and impairments, as JSON
//	GET    /ports/{port}             one port
//	PUT    /ports/{port}/link        {"up": false} shuts the port, {"up": true} opens it again
//	PUT    /ports/{port}/impairment  {"loss": 0.02, "delay": "10ms", "duplicate": 0, "reorder": 0, "seed": 7}
//	DELETE /ports/{port}/impairment  makes the wire good again
//	GET    /metrics                  for Prometheus
//
// There is no authentication: the address is to be a private one.
func (s *Switch) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ports", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, s.set.Stats()) })
	mux.HandleFunc("GET /ports/{port}", s.adminPort)
	mux.HandleFunc("PUT /ports/{port}/link", s.adminLink)
	mux.HandleFunc("PUT /ports/{port}/impairment", func(w http.ResponseWriter, r *http.Request) {
		var imp ports.Impairment
		if readJSON(w, r, "impairment", &imp) {
			s.adminImpair(w, r, imp)
		}
	})
	mux.HandleFunc("DELETE /ports/{port}/impairment", func(w http.ResponseWriter, r *http.Request) {
		s.adminImpair(w, r, ports.Impairment{})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.deps.Registry, promhttp.HandlerOpts{}))
	return mux
}

// readJSON reads a request's body, all of whose members v must have; what is wrong with it is
// answered, and false returned.
func readJSON(w http.ResponseWriter, r *http.Request, what string, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, fmt.Sprintf("%s: %v", what, err), http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // an error here is the client's having gone
}

func portNumber(r *http.Request) (uint32, error) {
	n, err := strconv.ParseUint(r.PathValue("port"), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("port %q: not a port number", r.PathValue("port"))
	}
	return uint32(n), nil
}

func (s *Switch) adminPort(w http.ResponseWriter, r *http.Request) {
	n, err := portNumber(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, st := range s.set.Stats() {
		if st.Number == n {
			writeJSON(w, st)
			return
		}
	}
	http.Error(w, fmt.Sprintf("port %d: %v", n, ports.ErrNoPort), http.StatusNotFound)
}

func (s *Switch) adminLink(w http.ResponseWriter, r *http.Request) {
	var link struct {
		Up *bool `json:"up"`
	}
	if !readJSON(w, r, "link", &link) {
		return
	}
	if link.Up == nil {
		http.Error(w, `link: "up" is missing`, http.StatusBadRequest)
		return
	}
	s.adminChange(w, r, func(port uint32) error { return s.set.Shut(port, !*link.Up) }, "link", "up", *link.Up)
}

func (s *Switch) adminImpair(w http.ResponseWriter, r *http.Request, imp ports.Impairment) {
	s.adminChange(w, r, func(port uint32) error { return s.set.Impair(port, imp) }, "impairment", "loss", imp.Loss,
		"delay", time.Duration(imp.Delay), "duplicate", imp.Duplicate, "reorder", imp.Reorder, "seed", imp.Seed)
}

// adminChange changes the port that the request names, and logs what it is now.
func (s *Switch) adminChange(w http.ResponseWriter, r *http.Request, change func(port uint32) error, what string, attrs ...any) {
	n, err := portNumber(r)
	if err == nil {
		err = change(n)
	}
	switch {
	case errors.Is(err, ports.ErrNoPort):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		s.deps.Log.With("port", n).Info(what, attrs...)
		w.WriteHeader(http.StatusNoContent)
	}
}

// serveAdmin serves the administration until ctx ends.
func (s *Switch) serveAdmin(ctx context.Context) error {
	server := &http.Server{Handler: s.adminHandler(), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminStop)
		defer cancel()
		if server.Shutdown(stop) != nil {
			server.Close()
		}
	})()
	err := server.Serve(s.deps.Admin)
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return fmt.Errorf("administration: %w", err)
}
