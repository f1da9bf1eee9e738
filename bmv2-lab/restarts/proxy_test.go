package restarts

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is the way from one daemon to the switch.
type proxy struct {
	listener net.Listener
	target   func() string
	done     sync.WaitGroup

	mu        sync.Mutex // guards the fields below
	pairs     map[*pair]struct{}
	swallowed chan struct{} // not nil while bytes get lost; closed at its end
	closed    bool
}

// pair is one connection through the proxy.
type pair struct{ near, far net.Conn }

func (p *pair) close() {
	p.near.Close()
	p.far.Close()
}

func newProxy(t *testing.T, target func() string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, pairs: map[*pair]struct{}{}}
	p.done.Go(p.accept)
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		listener.Close()
		p.restore()
		p.cut()
		p.done.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.target())
		if err != nil {
			near.Close()
			continue
		}
		one := &pair{near, far}
		p.mu.Lock()
		if p.closed {
			one.close()
		}
		p.pairs[one] = struct{}{}
		p.mu.Unlock()
		p.done.Go(func() { p.pump(one, far, near) })
		p.done.Go(func() { p.pump(one, near, far) })
	}
}

// pump takes bytes from one end to the other. What comes while bytes are swallowed stays where
// it is, and so does the end of a connection: neither side hears of the other.
func (p *proxy) pump(one *pair, to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		wait := p.swallowed
		p.mu.Unlock()
		if wait != nil {
			<-wait
		}
		if err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			one.close()
			p.mu.Lock()
			delete(p.pairs, one)
			p.mu.Unlock()
			return
		}
	}
}

// swallow lets nothing through any more, and tells nobody.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallowed = make(chan struct{})
}

// restore lets everything through again. Connections of before are gone.
func (p *proxy) restore() {
	p.cut()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.swallowed != nil {
		close(p.swallowed)
		p.swallowed = nil
	}
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for one := range p.pairs {
		one.close()
	}
}
