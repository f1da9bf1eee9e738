package access

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// Whole puts the guard before a handler that shows what is of all clusters: who may read everything may. Users log in
// by HTTP's basic authentication (RFC 7617).
func (g *Guard) Whole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := net.TCPAddrFromAddrPort(remote(r))
		ctx, line := newRecord(peer.NewContext(r.Context(), &peer.Peer{Addr: from}), r.URL.Path,
			[]slog.Attr{slog.String("request", bounded(r.Method+" "+r.URL.RequestURI()))})
		var names, passwords []string
		if name, password, ok := r.BasicAuth(); ok {
			names, passwords = []string{name}, []string{password}
		}
		c, err := g.identify(ctx, r.TLS, names, passwords, from)
		ctx = context.WithValue(ctx, callerKey{}, c)
		if err != nil {
			ctx = g.withClaim(ctx, r.TLS, names, passwords)
		} else {
			err = g.readsAll(c)
		}
		defer func() { g.write(ctx, &line, err) }()
		if err != nil {
			refuse(w, err)
			return
		}
		line.sent = 1
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// readsAll says whether a caller reads everything; the error says why not.
func (g *Guard) readsAll(c caller) error {
	r, err := g.readerOf(c)
	if r != nil && (!r.all() || len(r.Paths)+len(r.Hidden) > 0) {
		return status.Error(codes.PermissionDenied, "this is for readers of everything")
	}
	return err
}

func remote(r *http.Request) netip.AddrPort {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	return from
}

// refuse answers with the status of HTTP that says the same.
func refuse(w http.ResponseWriter, err error) {
	code := http.StatusServiceUnavailable
	switch status.Code(err) {
	case codes.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Basic realm="fabricscope", charset="UTF-8"`)
		code = http.StatusUnauthorized
	case codes.PermissionDenied:
		code = http.StatusForbidden
	}
	http.Error(w, status.Convert(err).Message(), code)
}
