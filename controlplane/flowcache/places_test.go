package flowcache

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// what there is, for a correlator: it never changes.
type what []inventory.Fact

func (w what) Subscribe() (inventory.Lister, correlate.Feed) { return w, w }
func (w what) Close()                                        {}

func (w what) Next(ctx context.Context) ([]inventory.Update, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (w what) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for _, f := range w {
			if f.Ref().Kind == k && !yield(inventory.Entry{Fact: f, Event: time.Now().Add(-time.Minute)}) {
				return
			}
		}
	}
}

// tunnelled is a datagram of a pod inside of its node's VXLAN.
func tunnelled(t *testing.T, node, pod string) []byte {
	t.Helper()
	ip := func(a string) net.IP { return net.ParseIP(a).To4() }
	udp := func(dst layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: 40000, DstPort: dst} }
	ethernet := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true},
		ethernet, &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: ip(node), DstIP: ip("10.1.9.9")}, udp(4789),
		&layers.VXLAN{ValidIDFlag: true, VNI: 1},
		ethernet, &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: ip(pod), DstIP: ip("192.0.2.1")}, udp(53),
		gopacket.Payload("a question")); err != nil {
		t.Fatal(err)
	}
	// The checksums of both headers, which routers and hosts look at.
	frame := buf.Bytes()
	for _, at := range []int{14, 14 + 20 + 8 + 8 + 14} {
		var sum uint32
		for i := 0; i < 20; i += 2 {
			sum += uint32(binary.BigEndian.Uint16(frame[at+i:]))
		}
		binary.BigEndian.PutUint16(frame[at+10:], ^uint16(sum+sum>>16))
	}
	return frame
}

// TestWherePodsSitByTheirFrames takes frames of pods through the switch, and from there to places: of a node behind a LAG, of one
// with two addresses at two ports, and of one whose pods' frames enter where it is not.
func TestWherePodsSitByTheirFrames(t *testing.T) {
	facts := what{inventory.Cluster{Name: "blue"}}
	learned := func(port uint32, address string) {
		facts = append(facts, inventory.Endpoint{Switch: "leaf1", Port: inventory.PortName(port), Number: port, Address: netip.MustParseAddr(address), MAC: address})
	}
	for n, addresses := range []string{"10.1.1.11", "10.1.2.11,10.2.2.11", "10.1.3.11"} {
		node := inventory.Node{Cluster: "blue", Name: fmt.Sprintf("worker%d", n+1)}
		for a := range strings.SplitSeq(addresses, ",") {
			node.Addresses = append(node.Addresses, netip.MustParseAddr(a))
		}
		facts = append(facts, node, inventory.Pod{Cluster: "blue", Namespace: "shop", Name: "p", UID: fmt.Sprintf("pod%d", n+1), Node: node.Name,
			IPs: []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.244.%d.5", n+1))}, Created: time.Now().Add(-time.Minute)})
	}
	for _, port := range []uint32{1, 2} {
		facts = append(facts, inventory.Port{Switch: "leaf1", Number: port, Name: inventory.PortName(port), Peer: "worker1"})
	}
	learned(1, "10.1.1.11")
	learned(3, "10.1.2.11")
	learned(4, "10.2.2.11")
	learned(5, "10.1.3.11")

	r := newRigThrough(t, 1024, func(b *books) track.Sink {
		c, err := correlate.New(correlate.DefaultConfig(), correlate.Deps{Sink: b, Source: facts})
		if err != nil {
			t.Fatal(err)
		}
		background(t, c.Run)
		return c
	}, 1, 2, 3, 4, 5, 6)
	err := r.session.Apply(t.Context(), []p4rt.Update{{Op: p4rt.Insert, Entry: p4rt.Entry{Table: p4src.TableTunnelPort, Action: p4src.ActionVXLAN,
		Match: []p4rt.Match{p4rt.Exact(p4src.FieldUDPDstPort, p4rt.Uint(4789))}}}})
	if err != nil {
		t.Fatal(err)
	}
	r.receive(1, tunnelled(t, "10.1.1.11", "10.244.1.5"))
	r.receive(2, tunnelled(t, "10.1.1.11", "10.244.1.5"))
	r.receive(4, tunnelled(t, "10.2.2.11", "10.244.2.5"))
	r.receive(6, tunnelled(t, "10.1.3.11", "10.244.3.5"))
	want := []string{
		"pod1 at 1 both 100", "pod1 at 2 inner-address 80",
		"pod2 at 3 node-address 90", "pod2 at 4 both 100",
		"pod3 at 5 node-address 50: packets of the pod enter at leaf1/6", "pod3 at 6 inner-address 50: the node's address is at leaf1/5",
	}
	r.wait(t, "the places of the pods", func() error {
		if diff := cmp.Diff(want, r.places()); diff != "" {
			return fmt.Errorf("places: %s", diff)
		}
		return nil
	})
}

// places are the attachments that were recorded and have not ended.
func (b *books) places() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.facts {
		if a, ok := f.(inventory.Attachment); ok {
			text := fmt.Sprintf("%s at %s %s %d", a.PodUID, a.PortName, a.How, a.Confidence)
			if a.Conflict != "" {
				text += ": " + a.Conflict
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}
