package node

import (
	"errors"
	"net/netip"
	"testing"
)

func TestAddressPoolGoesRound(t *testing.T) {
	pool, err := newAddressPool(netip.MustParsePrefix("10.244.3.0/29"))
	if err != nil {
		t.Fatal(err)
	}
	if want := netip.MustParseAddr("10.244.3.1"); pool.gateway != want {
		t.Errorf("gateway %v, want %v", pool.gateway, want)
	}
	take := func(want string) netip.Addr {
		t.Helper()
		address, err := pool.take()
		if err != nil || address.String() != want {
			t.Fatalf("got %v and %v, want %s", address, err, want)
		}
		return address
	}
	first := take("10.244.3.2")
	take("10.244.3.3")
	pool.release(first)
	// The one that was let go comes last, not next.
	take("10.244.3.4")
	take("10.244.3.5")
	take("10.244.3.6")
	take("10.244.3.2")
	if address, err := pool.take(); !errors.Is(err, ErrNoAddress) {
		t.Errorf("got %v and %v from a pool in use, want ErrNoAddress", address, err)
	}
	pool.release(netip.MustParseAddr("10.244.3.2"))
	take("10.244.3.2")
}

func TestAddressPoolRefuses(t *testing.T) {
	for _, prefix := range []netip.Prefix{{}, netip.MustParsePrefix("fd00::/64"), netip.MustParsePrefix("10.0.0.0/30")} {
		if _, err := newAddressPool(prefix); err == nil {
			t.Errorf("%v: no error", prefix)
		}
	}
}
