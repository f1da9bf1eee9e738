package access

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// Failed logins of one address: so many at once, and then one every so many seconds.
const (
	failuresAtOnce = 10
	failuresEvery  = 1 // a second
	maxAddresses   = 4096
)

// limiter counts failed logins, or handshakes, by the address that they come from.
type limiter struct {
	mu   sync.Mutex
	from map[netip.Addr]*rate.Limiter // guarded by mu
}

func newLimiter() limiter { return limiter{from: map[netip.Addr]*rate.Limiter{}} }

// origin is what counts as one address: of IPv6 a whole /64.
func origin(addr net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	from := ap.Addr().Unmap().WithZone("")
	if from.Is6() {
		from = netip.PrefixFrom(from, 64).Masked().Addr()
	}
	return from
}

// allow says whether an address may try now, which costs it a try.
func (l *limiter) allow(addr net.Addr) bool {
	from := origin(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.from[from]
	if r == nil {
		if len(l.from) >= maxAddresses {
			l.forget()
		}
		if len(l.from) >= maxAddresses {
			return false // more attackers than there is memory for
		}
		r = rate.NewLimiter(failuresEvery, failuresAtOnce)
		l.from[from] = r
	}
	return r.Allow()
}

// refund gives an address its tries back after a good login.
func (l *limiter) refund(addr net.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.from, origin(addr))
}

// forget drops the addresses that have all their tries again. l.mu is held.
func (l *limiter) forget() {
	for a, r := range l.from {
		if r.Tokens() >= failuresAtOnce {
			delete(l.from, a)
		}
	}
}
