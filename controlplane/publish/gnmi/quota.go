package gnmi

import (
	"net"
	"net/netip"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// quota bounds how many of something there are at once, and how many of them are of one owner.
type quota struct {
	what       string // in the plural, for errors and the metric
	key, owned string // of the configuration
	most, each int
	metrics    *metrics

	mu sync.Mutex
	n  int            // guarded by mu
	of map[string]int // guarded by mu; by owner
}

func newQuota(what, key string, most int, owned string, each int, m *metrics) *quota {
	return &quota{what: what, key: key, most: most, owned: owned, each: min(each, most), metrics: m, of: map[string]int{}}
}

// enter counts one more of an owner; leave, which may be called more than once, takes it back. The error is
// RESOURCE_EXHAUSTED and names the limit.
func (q *quota) enter(owner string) (leave func(), err error) {
	if err := q.add(owner, 1); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { q.drop(owner, 1) }), nil
}

// add counts n more of an owner. The error is that of enter.
func (q *quota) add(owner string, n int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.n+n > q.most:
		q.metrics.refused.WithLabelValues(q.what).Inc()
		return status.Errorf(codes.ResourceExhausted, "%d %s already (gnmi.%s)", q.n, q.what, q.key)
	case q.of[owner]+n > q.each:
		q.metrics.refused.WithLabelValues(q.what).Inc()
		return status.Errorf(codes.ResourceExhausted, "%d %s of %s already (gnmi.%s)", q.of[owner], q.what, owner, q.owned)
	}
	q.n += n
	q.of[owner] += n
	return nil
}

// drop takes back what add counted.
func (q *quota) drop(owner string, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n -= n
	if q.of[owner] -= n; q.of[owner] == 0 {
		delete(q.of, owner)
	}
}

// count is how many there are.
func (q *quota) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// addressOf is whose a connection is: its address, of IPv6 the /64 that it is in.
func addressOf(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	from := ap.Addr().Unmap().WithZone("")
	if from.Is6() {
		return netip.PrefixFrom(from, 64).Masked().String()
	}
	return from.String()
}
