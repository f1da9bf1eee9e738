package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/traffic"
)

// portsInTurn is how many ports the frames of TestOurProgramAccountsForEveryKind come by: the
// port is in the key, so each frame is a flow of its own.
const portsInTurn = 500

// TestOurProgramAccountsForEveryKind sends a frame of every kind and finds it where it belongs:
// in one flow with the right key, or in the bucket of the right class.
func TestOurProgramAccountsForEveryKind(t *testing.T) {
	var sw *Switch
	for i, f := range traffic.All() {
		port := uint32(i%portsInTurn + 1)
		if port == 1 {
			sw = tunnelSwitch(t)
		}
		var out recorder
		sw.Process(uint64(1000+i), port, f.Data, &out)
		routed(t, f, out.frames)
		if got := classOf(t, sw, port, len(f.Data)); got != f.Class {
			t.Errorf("%s (%x): class %q, want %q", f.Name, f.Data[:min(len(f.Data), 150)], got, f.Class)
			continue
		}
		switch {
		case f.Class != "" && len(out.digests) > 0:
			t.Errorf("%s: a digest of a frame that is no flow", f.Name)
		case f.Class == "" && len(out.digests) != 1:
			t.Errorf("%s: %d digests, want 1", f.Name, len(out.digests))
		case f.Class == "":
			if got := digestedKey(t, out.digests[0], port); got != f.Key {
				t.Errorf("%s (%x):\n got %+v\nwant %+v", f.Name, f.Data[:min(len(f.Data), 150)], got, f.Key)
			}
		}
	}
}

// routed compares what was sent with what came: but for MAC addresses, TTL and the checksum of
// the outer header nothing may change, whatever the parser took the frame for.
func routed(t *testing.T, f traffic.Frame, sent []sent) {
	t.Helper()
	at := bytes.Index(f.Data, []byte{172, 16, 0, 1, 172, 16, 0, 2}) - 12
	if at < 0 || f.Class == traffic.Malformed {
		return
	}
	if len(sent) != 1 || len(sent[0].frame) != len(f.Data) {
		t.Errorf("%s: %d frames were sent, want 1 of %d bytes", f.Name, len(sent), len(f.Data))
		return
	}
	want, got := bytes.Clone(f.Data), sent[0].frame
	for _, frame := range [][]byte{want, got} {
		clear(frame[:12])
		frame[at+8], frame[at+10], frame[at+11] = 0, 0, 0
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: sent\n     %x\nwant %x", f.Name, got, want)
	}
}

// tunnelSwitch has all ports of tunnels in its table, and the routes of ourSwitch.
func tunnelSwitch(t *testing.T) *Switch {
	t.Helper()
	sw := ourSwitch(t)
	table, ok := sw.Table("FabricscopeIngress.classify.tunnel_port")
	if !ok {
		t.Fatal("no table of tunnel ports")
	}
	for kind, ports := range map[string][]uint16{"vxlan": traffic.VXLANPorts(), "geneve": traffic.GenevePorts()} {
		for _, p := range ports {
			e := Entry{Match: []Match{exact(byte(p>>8), byte(p))}, Action: "FabricscopeIngress.classify." + kind}
			if err := table.Insert(e); err != nil && !errors.Is(err, ErrExists) {
				t.Fatal(err)
			}
		}
	}
	return sw
}

// classOf is the class whose bucket counts the one frame of a port, empty for a flow.
func classOf(t *testing.T, sw *Switch, port uint32, length int) (class string) {
	t.Helper()
	counter, _ := sw.Counter("FabricscopeIngress.accounting.class_rx")
	classes := []string{"flow", traffic.Fragment, traffic.Malformed, traffic.LLDP, traffic.Other, "5", "6", "7"}
	for n, name := range classes {
		c, err := counter.Read(int(port)*len(classes) + n)
		switch {
		case err != nil:
			t.Fatal(err)
		case c == (CounterData{1, uint64(length)}) && class == "":
			class = name
		case c != (CounterData{}):
			t.Errorf("port %d: %d packets and %d bytes in bucket %s", port, c.Packets, c.Bytes, name)
		}
	}
	return class
}

// digestedKey reads the key of the flow that a digest begins.
func digestedKey(t *testing.T, d Digest, port uint32) traffic.Key {
	t.Helper()
	// The members of flow_digest_t have no names in the JSON document; the new half begins here.
	const keymeta, outerSrc, outerDst, src, dst, keyPorts = 20, 21, 22, 23, 24, 25
	member := func(i int) (b [16]byte) {
		copy(b[16-len(d.Values[i]):], d.Values[i])
		return b
	}
	word := func(i int) uint64 { b := member(i); return binary.BigEndian.Uint64(b[8:]) }
	meta, ports := word(keymeta), word(keyPorts)
	addr := func(i int, six uint64) netip.Addr {
		if meta&six != 0 {
			return netip.AddrFrom16(member(i))
		}
		return netip.AddrFrom16(member(i)).Unmap()
	}
	const inner, outer = 0x8000, 0x4000
	if meta>>52 != uint64(port) {
		t.Errorf("port %d in the key, want %d", meta>>52, port)
	}
	kinds := []string{traffic.Native, traffic.VXLAN, traffic.Geneve, traffic.IPIP, traffic.GRE}
	k := traffic.Key{Kind: "?", ID: uint32(meta >> 16), Protocol: uint16(meta) &^ (inner | outer), Src: addr(src, inner), Dst: addr(dst, inner),
		SrcPort: uint16(ports >> 16), DstPort: uint16(ports)}
	if n := int(meta >> 48 & 15); n < len(kinds) {
		k.Kind = kinds[n]
	}
	if k.Kind != traffic.Native {
		k.OuterSrc, k.OuterDst = addr(outerSrc, outer), addr(outerDst, outer)
	}
	return k
}
