package workload

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// reply is what a service answers: who it is, and what the services that it
// called answered.
type reply struct {
	Service string  `json:"service"`
	Host    string  `json:"host"`
	Version string  `json:"version,omitempty"`
	Calls   []reply `json:"calls,omitempty"`
	Padding string  `json:"padding,omitempty"`
}

// caller makes HTTP requests, every other on a connection of its own.
type caller struct {
	requests atomic.Uint64
	reusing  *http.Client
	fresh    *http.Client
}

// Linger is the longest time that a connection of the shop stays open without a
// request: so long after the last request, no packet of the shop moves.
const Linger = 5 * time.Second

func newCaller(timeout time.Duration) *caller {
	dialer := &net.Dialer{KeepAlive: noKeepAlive}
	return &caller{
		reusing: &http.Client{Timeout: timeout, Transport: &http.Transport{
			DialContext: dialer.DialContext, MaxIdleConnsPerHost: 2, IdleConnTimeout: Linger,
		}},
		fresh: &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}},
	}
}

// noKeepAlive turns TCP keep-alive probes off: packets that no request asked for.
const noKeepAlive = -1

func (c *caller) get(ctx context.Context, url string) (reply, error) {
	var answer reply
	client := c.reusing
	if c.requests.Add(1)%2 == 0 {
		client = c.fresh
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer, err
	}
	response, err := client.Do(request)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("parse the answer of %s: %w", url, err)
	}
	return answer, nil
}

// close ends the connections that wait for reuse.
func (c *caller) close() { c.reusing.CloseIdleConnections() }

// service is a role that answers HTTP requests, calling others for each:
//
//	GET /         the reply, or 502 when a called service fails
//	GET /healthz  200
//
// When the context ends it goes on answering for the drain time, since others
// learn only then that it is going, and then finishes what it has begun.
func service(name string) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, args []string, logger *slog.Logger) error {
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		listen := flags.String("listen", ":8080", "address to listen on")
		version := flags.String("version", "", "version to report")
		padding := flags.Int("padding", 0, "bytes to pad each answer with")
		drain := flags.Duration("drain", 2*time.Second, "time to go on answering after SIGTERM")
		var calls addresses
		flags.Var(&calls, "call", "URL to call for each request (repeatable)")
		if err := parse(flags, args); err != nil {
			return err
		}
		caller := newCaller(3 * time.Second)
		defer caller.close()
		own := reply{Service: name, Host: hostname(), Version: *version, Padding: strings.Repeat("x", *padding)}
		routes := http.NewServeMux()
		routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
		routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { answer(w, r, own, calls, caller, logger) })
		return serveHTTP(ctx, *listen, routes, *drain, logger)
	}
}

func answer(w http.ResponseWriter, r *http.Request, own reply, calls []string, caller *caller, logger *slog.Logger) {
	for _, url := range calls {
		called, err := caller.get(r.Context(), url)
		if err != nil {
			logger.Warn("a call failed", "url", url, "error", err)
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		called.Padding = ""
		own.Calls = append(own.Calls, called)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(own) // the client may be gone
}

// serveHTTP serves until the context ends and the drain time is over.
func serveHTTP(ctx context.Context, address string, handler http.Handler, drain time.Duration, logger *slog.Logger) error {
	listener, err := (&net.ListenConfig{KeepAlive: noKeepAlive}).Listen(ctx, "tcp4", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logger.Info("listening", "address", listener.Addr())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-timer.C:
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		_ = server.Close() // what did not finish in time is cut
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
