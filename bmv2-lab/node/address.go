package node

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// ErrNoAddress is the answer when every address of the pod CIDR is in use.
var ErrNoAddress = errors.New("no free pod address")

// addressPool hands out the addresses of a node's pod CIDR. It goes round: an
// address that was let go comes back as late as possible, as with the
// host-local plugin, so that an address names one pod for a while.
type addressPool struct {
	prefix  netip.Prefix
	gateway netip.Addr // the bridge's: the first after the network's

	mu   sync.Mutex // guards last and used
	last netip.Addr
	used map[netip.Addr]bool
}

func newAddressPool(prefix netip.Prefix) (*addressPool, error) {
	if !prefix.IsValid() || !prefix.Addr().Is4() || prefix.Bits() > 29 {
		return nil, fmt.Errorf("pod CIDR %v: not an IPv4 prefix of at most 29 bits", prefix)
	}
	gateway := prefix.Masked().Addr().Next()
	return &addressPool{prefix: prefix.Masked(), gateway: gateway, last: gateway, used: map[netip.Addr]bool{}}, nil
}

// take gives a free address. The network's, the gateway's and the broadcast
// address are never given.
func (p *addressPool) take() (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for address := p.next(p.last); ; address = p.next(address) {
		if !p.used[address] {
			p.used[address], p.last = true, address
			return address, nil
		}
		if address == p.last {
			return netip.Addr{}, fmt.Errorf("%w in %v: %d are in use", ErrNoAddress, p.prefix, len(p.used))
		}
	}
}

// release lets an address go.
func (p *addressPool) release(address netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.used, address)
}

// next is the address after one, from the first after the gateway again behind
// the last.
func (p *addressPool) next(address netip.Addr) netip.Addr {
	next := address.Next()
	if !p.prefix.Contains(next) || !p.prefix.Contains(next.Next()) { // the last one is for broadcast
		return p.gateway.Next()
	}
	return next
}
