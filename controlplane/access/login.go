package access

import (
	"context"
	"net"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// login checks a password, and gives the hash that it is the right one of. Those who try the same at the same time, as the subscribers of an NMS that starts, wait for
// one check together.
func (g *Guard) login(ctx context.Context, name, password string, from net.Addr) ([]byte, error) {
	u := g.users.get()
	sum := u.hashing.sum(password)
	if u.remembered(name, sum) {
		return u.hashes[name], nil
	}
	checked := g.logins.DoChan(origin(from).String()+" "+name+" "+string(sum), func() (any, error) {
		return g.check(name, password, from)
	})
	select {
	case r := <-checked:
		hash, _ := r.Val.([]byte)
		return hash, r.Err
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// check hashes a password, as far as the address may try.
func (g *Guard) check(name, password string, from net.Addr) ([]byte, error) {
	u := g.users.get()
	if u.remembered(name, u.hashing.sum(password)) {
		return u.hashes[name], nil // since the call began
	}
	if !g.failures.allow(from) {
		g.metrics.logins.WithLabelValues("limited").Inc()
		return nil, status.Error(codes.Unauthenticated, "too many failed logins from this address: try again later")
	}
	done, err := u.hashing.begin()
	if err != nil {
		g.metrics.logins.WithLabelValues("busy").Inc()
		return nil, status.Error(codes.Unavailable, err.Error()+": try again")
	}
	defer done()
	g.metrics.hashes.Inc()
	if !u.check(name, password) {
		g.metrics.logins.WithLabelValues("failed").Inc()
		g.log.Warn("login failed", "user", bounded(name), "peer", from.String())
		return nil, status.Error(codes.Unauthenticated, "the username or the password is wrong")
	}
	g.failures.refund(from)
	return u.hashes[name], nil
}
