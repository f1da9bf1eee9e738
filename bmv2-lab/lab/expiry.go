package lab

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// probeWait is how long the answers to probes may take.
const probeWait = 5 * time.Second

// checkExpiry sends echo requests from the client to a worker whose TTL ends at each switch on the
// way, 0 included, and one that arrives: who answers, and what the ports say they dropped.
func (c *checked) checkExpiry() {
	c.report.Check("a packet whose TTL ends is dropped, counted, and its sender told", func() (string, []string, error) {
		client, err := c.host("client")
		if err != nil {
			return "", nil, err
		}
		worker := c.Topology.Workers(c.blue.name())[0]
		before, err := c.expired()
		if err != nil {
			return "", nil, err
		}
		wanted := c.expectExpiry(client, worker)
		answers, err := c.probe(client, worker.Address.Addr(), slices.Sorted(maps.Keys(wanted)))
		if err != nil {
			return "", nil, err
		}
		var differences []string
		c.expiredAt = map[string]uint64{}
		for ttl, from := range wanted {
			answer := answers[ttl]
			if !slices.Contains(from, answer) {
				differences = append(differences, fmt.Sprintf("TTL %d: %v answers, want one of %v", ttl, answer, from))
			}
			if name := c.switchOf(answer); name != "" {
				c.expiredAt[name]++
			}
		}
		detail := fmt.Sprintf("%d probes, %d switches", len(wanted), len(c.expiredAt))
		return detail, differences, c.poll("the counters of expired packets", func() error {
			now, err := c.expired()
			for name, n := range now {
				if n-before[name] != c.expiredAt[name] {
					err = errors.Join(err, fmt.Errorf("%s counted %d packets, want %d", name, n-before[name], c.expiredAt[name]))
				}
			}
			return err
		})
	})
}

// expectExpiry says by TTL who may answer: a switch on the way, or who is at its end.
func (c *checked) expectExpiry(client, worker topology.Host) map[int][]netip.Addr {
	var spines []netip.Addr
	for i, s := range c.Topology.Switches {
		if s.Role == "spine" {
			spines = append(spines, loopback(i))
		}
	}
	first, last := c.loopbackOf(client.Port.Switch), c.loopbackOf(worker.Port.Switch)
	return map[int][]netip.Addr{0: {first}, 1: {first}, 2: spines, 3: {last}, 4: {worker.Address.Addr()}}
}

func (c *checked) loopbackOf(name string) netip.Addr {
	return loopback(slices.IndexFunc(c.Topology.Switches, func(s topology.Switch) bool { return s.Name == name }))
}

// switchOf is the switch with an address; empty if none has it.
func (c *checked) switchOf(a netip.Addr) string {
	for i, s := range c.Topology.Switches {
		if loopback(i) == a {
			return s.Name
		}
	}
	return ""
}

// expired is how many packets each switch has dropped because their TTL ended.
func (c *checked) expired() (map[string]uint64, error) {
	switches, err := ask[check.Switch](c.Lab, "switches")
	if err != nil {
		return nil, err
	}
	counts := map[string]uint64{}
	for _, s := range switches {
		for _, p := range s.Ports {
			counts[s.Name] += p.Accounting.Expired.Packets
		}
	}
	return counts, nil
}

// probe sends an echo request with each TTL from a host, and gives who answered it.
func (l *Lab) probe(host topology.Host, to netip.Addr, ttls []int) (map[int]netip.Addr, error) {
	ns, err := netns.Open(netns.PathOfPID(l.network.hosts[host.Name]))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	var socket net.PacketConn
	if err := ns.Do(func() error {
		socket, err = net.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	}); err != nil {
		return nil, err
	}
	defer socket.Close()
	raw, err := ipv4.NewRawConn(socket) // no other sends a TTL of 0
	if err != nil {
		return nil, err
	}
	for _, ttl := range ttls {
		body, err := (&icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: probeID(ttl), Data: make([]byte, 56)}}).Marshal(nil)
		if err != nil {
			return nil, err
		}
		header := &ipv4.Header{Version: ipv4.Version, Len: ipv4.HeaderLen, TotalLen: ipv4.HeaderLen + len(body), TTL: ttl, Protocol: 1, Dst: to.AsSlice()}
		if err := raw.WriteTo(header, body, nil); err != nil {
			return nil, fmt.Errorf("a probe of TTL %d: %w", ttl, err)
		}
	}
	return collect(raw, ttls)
}

// probeID tells the probes from other echo requests of the host.
func probeID(ttl int) int { return (os.Getpid() + ttl) & 0xffff }

// collect reads until every probe is answered, or nothing more is to be expected.
func collect(raw *ipv4.RawConn, ttls []int) (map[int]netip.Addr, error) {
	answers := map[int]netip.Addr{}
	if err := raw.SetReadDeadline(time.Now().Add(probeWait)); err != nil {
		return nil, err
	}
	for buffer := make([]byte, 1500); len(answers) < len(ttls); {
		header, payload, _, err := raw.ReadFrom(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return answers, nil // what is missing is a difference
		}
		if err != nil {
			return nil, err
		}
		from, _ := netip.AddrFromSlice(header.Src)
		for _, ttl := range ttls {
			if id, ok := answered(payload); ok && id == probeID(ttl) {
				answers[ttl] = from.Unmap()
			}
		}
	}
	return answers, nil
}

// answered gives the identifier of the echo request that a message answers, if it answers one.
func answered(payload []byte) (id int, ok bool) {
	message, err := icmp.ParseMessage(1, payload)
	if err != nil {
		return 0, false
	}
	switch body := message.Body.(type) {
	case *icmp.Echo:
		return body.ID, message.Type == ipv4.ICMPTypeEchoReply
	case *icmp.TimeExceeded:
		quoted, err := ipv4.ParseHeader(body.Data)
		if err != nil || len(body.Data) < quoted.Len {
			return 0, false
		}
		if message, err = icmp.ParseMessage(quoted.Protocol, body.Data[quoted.Len:]); err != nil {
			return 0, false
		}
		echo, ok := message.Body.(*icmp.Echo)
		if !ok {
			return 0, false
		}
		return echo.ID, true
	}
	return 0, false
}
