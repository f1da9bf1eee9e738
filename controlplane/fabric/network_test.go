package fabric

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

// network is a fabric of switches in virtual time: each forwards by the entries it was given
// as the P4 program would, over cables that can be cut. The P4 program itself runs under
// softswitch in integration_test.go; here time has to be the test's own.
type network struct {
	t       *testing.T
	fabric  *Fabric
	layout  *p4rt.Layout
	frames  chan func() // frames under way, delivered in order
	mu      sync.Mutex  // guards the fields below and those of the switches
	sw      map[string]*testSwitch
	cables  map[inventory.PortRef]inventory.PortRef // from, to; one direction each
	hosts   map[inventory.PortRef]*testHost
	facts   map[inventory.Ref]inventory.Fact
	history []string

	portHistory []string // with event times since start
	start       time.Time
}

type testSwitch struct {
	net     *network
	name    string
	entries map[string]p4rt.Entry
	cancel  context.CancelFunc // of the connection, nil without one
	writes  int
	fail    error // what writes return
}

// testHost answers ARP for its address and keeps the IPv4 frames it gets.
type testHost struct {
	addr   netip.Addr
	mac    mac
	silent bool
	got    []string
	arps   []arp
}

var errTestDown = errors.New("down")

func (s *testSwitch) Name() string { return s.name }

func (s *testSwitch) Entries(_ context.Context, tables ...string) (out []p4rt.Entry, err error) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	for _, e := range s.entries {
		if slices.Contains(tables, e.Table) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *testSwitch) Apply(_ context.Context, updates []p4rt.Update) error {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	for _, u := range updates {
		if s.fail != nil {
			return s.fail
		}
		s.writes++
		_, have := s.entries[u.Entry.Key()]
		if have == (u.Op == p4rt.Insert) {
			return fmt.Errorf("%s: operation %d on %s", s.name, u.Op, u.Entry)
		}
		if u.Op == p4rt.Delete {
			delete(s.entries, u.Entry.Key())
			continue
		}
		s.entries[u.Entry.Key()] = u.Entry
	}
	return nil
}

func (s *testSwitch) Counters(_ context.Context, _ string, indices ...int64) (out []p4rt.Counter, err error) {
	for _, i := range indices {
		out = append(out, p4rt.Counter{Index: i, Packets: uint64(i), Bytes: 60 * uint64(i)})
	}
	return out, nil
}

func (s *testSwitch) SendPacket(p p4rt.PacketOut) error {
	s.net.mu.Lock()
	up := s.cancel != nil
	s.net.mu.Unlock()
	if !up {
		return errTestDown
	}
	s.net.transmit(inventory.PortRef{Switch: s.name, Number: uint32(p.Fields[1].Value.Uint64())}, slices.Clone(p.Payload))
	return nil
}

// newNetwork has leaves leaf1… with gateway 10.1.N.1/24 on ports 3 and 4, and spines; port s
// of a leaf goes to port l of a spine.
func newNetwork(t *testing.T, cfg Config, leaves, spines int) *network {
	t.Helper()
	n := &network{t: t, sw: map[string]*testSwitch{}, frames: make(chan func(), 1<<16),
		cables: map[inventory.PortRef]inventory.PortRef{}, hosts: map[inventory.PortRef]*testHost{}, facts: map[inventory.Ref]inventory.Fact{}, start: time.Now()}
	add := func(name, role string, device uint64, ports int, gateways ...Gateway) {
		s := Switch{Name: name, DeviceID: device, Role: role, Gateways: gateways}
		for p := 1; p <= ports; p++ {
			s.Ports = append(s.Ports, Port{Number: uint32(p), Name: fmt.Sprintf("eth%d", p)})
		}
		cfg.Switches = append(cfg.Switches, s)
		n.sw[name] = &testSwitch{net: n, name: name, entries: map[string]p4rt.Entry{}}
	}
	for l := 1; l <= leaves; l++ {
		gw := Gateway{netip.MustParsePrefix(fmt.Sprintf("10.1.%d.1/24", l)), []uint32{3, 4}}
		add(fmt.Sprintf("leaf%d", l), "leaf", uint64(l), 4, gw)
	}
	for s := 1; s <= spines; s++ {
		add(fmt.Sprintf("spine%d", s), "spine", uint64(100+s), leaves)
		for l := 1; l <= leaves; l++ {
			a := inventory.PortRef{Switch: fmt.Sprintf("leaf%d", l), Number: uint32(s)}
			b := inventory.PortRef{Switch: fmt.Sprintf("spine%d", s), Number: uint32(l)}
			n.cables[a], n.cables[b] = b, a
		}
	}
	n.restart(cfg, nil)
	return n
}

// restart makes a new daemon for the same switches.
func (n *network) restart(cfg Config, before inventory.Lister) {
	n.t.Helper()
	f, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Sink: n, Registerer: prometheus.NewRegistry(), Before: before})
	if err != nil {
		n.t.Fatal(err)
	}
	info, err := p4src.P4Info()
	if err != nil {
		n.t.Fatal(err)
	}
	program, err := p4rt.NewProgram(info, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.fabric, n.layout = f, program.PacketIn()
}

// run starts the daemon; the function that it gives stops it.
func (n *network) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = n.fabric.Run(ctx); close(done) }()
	go func() {
		for {
			select {
			case deliver := <-n.frames:
				deliver()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		for name := range n.sw {
			n.disconnect(name)
		}
		cancel()
		<-done
	}
}

func (n *network) connect(names ...string) {
	for _, name := range names {
		ctx, cancel := context.WithCancel(context.Background())
		n.mu.Lock()
		n.sw[name].cancel = cancel
		n.mu.Unlock()
		n.fabric.connected(ctx, n.sw[name])
	}
}

func (n *network) connectAll() {
	for name := range n.sw {
		n.connect(name)
	}
}

func (n *network) disconnect(name string) {
	n.mu.Lock()
	cancel := n.sw[name].cancel
	n.sw[name].cancel = nil
	n.mu.Unlock()
	if cancel != nil {
		cancel()
		n.fabric.disconnected(name)
	}
}

// cut ends both directions of the cable at a port.
func (n *network) cut(sw string, port uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := inventory.PortRef{Switch: sw, Number: port}
	delete(n.cables, n.cables[at])
	delete(n.cables, at)
}

// host puts a host behind a port.
func (n *network) host(sw string, port uint32, a string, m mac) *testHost {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &testHost{addr: addr(a), mac: m}
	n.hosts[inventory.PortRef{Switch: sw, Number: port}] = h
	return h
}

// Record implements Sink.
func (n *network) Record(changes ...inventory.Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range changes {
		if c.Fact == nil {
			delete(n.facts, c.Ref)
		} else {
			n.facts[c.Ref] = c.Fact
		}
		if c.Ref.Kind != inventory.KindPort {
			n.history = append(n.history, fmt.Sprintf("%t %s", c.Fact != nil, c.Ref))
		} else if p, ok := c.Fact.(inventory.Port); ok {
			n.portHistory = append(n.portHistory, fmt.Sprintf("%s %s %v", c.Ref.ID, p.Oper+p.Unknown, c.Event.Sub(n.start)))
		}
	}
}

// refs gives the facts of a kind that hold.
func (n *network) refs(k inventory.Kind) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for r := range n.facts {
		if r.Kind == k {
			out = append(out, r.ID)
		}
	}
	slices.Sort(out)
	return out
}

// transmit puts a frame on what is plugged into a port.
func (n *network) transmit(from inventory.PortRef, frame []byte) {
	n.frames <- func() {
		n.mu.Lock()
		to, ok := n.cables[from]
		h := n.hosts[from]
		n.mu.Unlock()
		switch {
		case ok:
			n.receive(to, frame)
		case h != nil:
			n.hostReceives(from, h, frame)
		}
	}
}

func (n *network) hostReceives(at inventory.PortRef, h *testHost, frame []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, err := decodeARP(frame); err == nil {
		h.arps = append(h.arps, a)
		if !a.reply && a.target == h.addr && !h.silent {
			reply, _ := arp{reply: true, sender: h.addr, senderMAC: h.mac, target: a.sender, targetMAC: a.senderMAC}.encode(h.mac, a.senderMAC)
			n.frames <- func() { n.receive(at, reply) }
		}
	} else if dst, ok := destination(frame); ok && mac(frame[:6]) == h.mac {
		h.got = append(h.got, dst.String())
	}
}

// receive is the P4 program's forwarding.
func (n *network) receive(at inventory.PortRef, frame []byte) {
	dst, isIP := destination(frame)
	if !isIP {
		reason := p4src.PuntARP
		if mac(frame[:6]) == lldpMAC {
			reason = p4src.PuntLLDP
		}
		n.punt(at, reason, frame)
		return
	}
	n.mu.Lock()
	s := n.sw[at.Switch]
	lookup := func(table string, match ...p4rt.Match) p4rt.Entry {
		return s.entries[p4rt.Entry{Table: table, Match: match}.Key()]
	}
	route := p4rt.Entry{}
	if lookup(p4src.TableMyMAC, p4rt.Exact(p4src.FieldEthernetDst, mac(frame[:6]).value())).Action != "" {
		for bits := 32; bits > 0 && route.Action == ""; bits-- {
			route = lookup(p4src.TableIPv4Route, p4rt.Prefix(p4src.FieldIPv4Dst, netip.PrefixFrom(dst, bits)))
		}
	}
	if route.Action == p4src.ActionSetGroup {
		index := uint64(frame[ethernetLen+15]+frame[ethernetLen+19]) % route.Param(p4src.ParamSize).Uint64()
		route = lookup(p4src.TableECMPMember, p4rt.Exact(p4src.FieldGroup, route.Param(p4src.ParamGroup)), p4rt.Exact(p4src.FieldIndex, p4rt.Uint(index)))
	}
	hop := p4rt.Entry{}
	if route.Action == p4src.ActionSetNexthop {
		hop = lookup(p4src.TableNexthop, p4rt.Exact(p4src.FieldNexthop, route.Param(p4src.ParamNexthop)))
	}
	n.mu.Unlock()
	switch {
	case route.Action == p4src.ActionPunt:
		n.punt(at, p4src.PuntReason(route.Param(p4src.ParamReason).Uint64()), frame)
	case hop.Action == p4src.ActionForward:
		out := slices.Clone(frame)
		copy(out[0:6], hop.Param(p4src.ParamDstMAC).Padded(6))
		copy(out[6:12], hop.Param(p4src.ParamSrcMAC).Padded(6))
		n.transmit(inventory.PortRef{Switch: at.Switch, Number: uint32(hop.Param(p4src.ParamPort).Uint64())}, out)
	}
}

func (n *network) punt(at inventory.PortRef, reason p4src.PuntReason, frame []byte) {
	n.mu.Lock()
	up := n.sw[at.Switch].cancel != nil
	n.mu.Unlock()
	if !up {
		return
	}
	p := p4rt.PacketIn{Layout: n.layout, Payload: frame, Received: time.Now()}
	for _, f := range n.layout.Fields() {
		p.Fields = append(p.Fields, map[string]p4rt.Value{
			p4src.PacketInReason: p4rt.Uint(uint64(reason)), p4src.PacketInIngressPort: p4rt.Uint(uint64(at.Number))}[f.Name])
	}
	n.fabric.packetIn(at.Switch, p)
}
