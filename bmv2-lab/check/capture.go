package check

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
)

// Frame is what identifies a flow at one switch port: the interface, the overlay and the
// innermost headers. With ICMP, SrcPort is type<<8|code and DstPort the identifier of echo
// messages. With ARP both are 0.
type Frame struct {
	Interface string
	Outer     string // native, or vxlan and the VNI
	Protocol  uint16 // of IP, or protocolARP
	Src, Dst  netip.Addr
	SrcPort   uint16
	DstPort   uint16
}

// Kinds of Frame.Outer.
const (
	outerNative = "native"
	outerVXLAN  = "vxlan "
)

// String gives the flow on one line.
func (f Frame) String() string {
	return fmt.Sprintf("%s: %s protocol %d %s:%d > %s:%d", f.Interface, f.Outer, f.Protocol, f.Src, f.SrcPort, f.Dst, f.DstPort)
}

// Count is packets and bytes.
type Count struct{ Packets, Bytes uint64 }

// Captured are the frames of a capture as tshark dissects them.
type Captured struct {
	Flows map[Frame]Count
	Other map[string]Count // frames that are no flows, by interface: LLDP, fragments, other EtherTypes
	Total Count
}

// protocolARP is flow.ARP: ARP has no IP protocol number.
const protocolARP = 256

// fields are what tshark prints of each frame, all occurrences in the order of the headers.
func fields() []string {
	return []string{"frame.len", "frame.protocols",
		"ip.src", "ip.dst", "ip.proto", "ip.flags.mf", "ip.frag_offset",
		"ipv6.src", "ipv6.dst", "ipv6.nxt",
		"tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport",
		"icmp.type", "icmp.code", "icmp.ident", "icmpv6.type", "icmpv6.code", "icmpv6.echo.identifier",
		"arp.src.proto_ipv4", "arp.dst.proto_ipv4", "vxlan.vni"}
}

// NewCaptured is without any frames.
func NewCaptured() *Captured {
	return &Captured{Flows: map[Frame]Count{}, Other: map[string]Count{}}
}

// Read counts the capture file of one interface with tshark. VXLAN ports besides the registered
// one are decoded as VXLAN too.
func (c *Captured) Read(ctx context.Context, port, path string, vxlanPorts ...uint16) error {
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,",
		"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"}
	for _, p := range vxlanPorts {
		args = append(args, "-d", fmt.Sprintf("udp.port==%d,vxlan", p))
	}
	for _, f := range fields() {
		args = append(args, "-e", f)
	}
	command := exec.CommandContext(ctx, "tshark", args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start tshark: %w", err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && err == nil {
		err = c.add(port, lines.Text())
	}
	return errors.Join(err, lines.Err(), waitError(command.Wait(), path, &stderr))
}

func waitError(err error, path string, stderr *bytes.Buffer) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tshark of %s: %w: %s", path, err, strings.TrimSpace(stderr.String()))
}

// add counts one line of tshark's.
func (c *Captured) add(port, line string) error {
	columns := strings.Split(line, "\t")
	if len(columns) != len(fields()) {
		return fmt.Errorf("tshark printed %d columns, want %d: %q", len(columns), len(fields()), line)
	}
	row := map[string][]string{}
	for i, f := range fields() {
		if columns[i] != "" {
			row[f] = strings.Split(columns[i], ",")
		}
	}
	length, err := strconv.ParseUint(columns[0], 10, 64)
	if err != nil {
		return fmt.Errorf("tshark: frame.len: %w", err)
	}
	c.Total.Packets++
	c.Total.Bytes += length
	frame, isFlow, err := innermost(row, strings.Split(columns[1], ":"))
	if err != nil {
		return fmt.Errorf("tshark: %w: %q", err, line)
	}
	if !isFlow {
		n := c.Other[port]
		c.Other[port] = Count{n.Packets + 1, n.Bytes + length}
		return nil
	}
	frame.Interface = port
	n := c.Flows[frame]
	c.Flows[frame] = Count{n.Packets + 1, n.Bytes + length}
	return nil
}

// headers reads the values of a field one header after the other.
type headers struct {
	row  map[string][]string
	seen map[string]int
	err  error
}

func (l *headers) next(field string) string {
	values := l.row[field]
	i := l.seen[field]
	l.seen[field]++
	if i >= len(values) {
		return ""
	}
	return values[i]
}

func (l *headers) number(field string) uint16 {
	s := l.next(field)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 0, 16)
	switch {
	case s == "True":
		return 1
	case s == "False":
		return 0
	case err != nil:
		l.err = errors.Join(l.err, fmt.Errorf("%s: %w", field, err))
	}
	return uint16(n)
}

func (l *headers) address(field string) netip.Addr {
	a, err := netip.ParseAddr(l.next(field))
	if err != nil {
		l.err = errors.Join(l.err, fmt.Errorf("%s: %w", field, err))
	}
	return a
}

// innermost follows tshark's stack of protocols to the header that identifies the flow. What
// is quoted behind it (in an ICMP error, say) belongs to the payload.
func innermost(row map[string][]string, stack []string) (f Frame, isFlow bool, err error) {
	l := &headers{row: row, seen: map[string]int{}}
	outer := outerNative
	defer func() { f.Outer = outer }()
	for i, protocol := range stack {
		switch protocol {
		case "vxlan":
			f, isFlow, outer = Frame{}, false, outerVXLAN+l.next("vxlan.vni")
		case "ip":
			f = Frame{Src: l.address("ip.src"), Dst: l.address("ip.dst"), Protocol: l.number("ip.proto")}
			isFlow = l.number("ip.flags.mf") == 0
			isFlow = l.number("ip.frag_offset") == 0 && isFlow
		case "ipv6":
			f = Frame{Src: l.address("ipv6.src"), Dst: l.address("ipv6.dst"), Protocol: l.number("ipv6.nxt")}
			isFlow = true
		case "arp":
			f = Frame{Protocol: protocolARP, Src: l.address("arp.src.proto_ipv4"), Dst: l.address("arp.dst.proto_ipv4")}
			return f, true, l.err
		case "tcp":
			f.SrcPort, f.DstPort = l.number("tcp.srcport"), l.number("tcp.dstport")
			return f, isFlow, l.err
		case "udp":
			f.SrcPort, f.DstPort = l.number("udp.srcport"), l.number("udp.dstport")
			if i+1 == len(stack) || stack[i+1] != "vxlan" {
				return f, isFlow, l.err
			}
		case "icmp":
			f.SrcPort = l.number("icmp.type")<<8 | l.number("icmp.code")
			if f.SrcPort>>8 == 8 || f.SrcPort>>8 == 0 {
				f.DstPort = l.number("icmp.ident")
			}
			return f, isFlow, l.err
		case "icmpv6":
			// Behind an extension header the switch sees that header's number, and no more.
			if f.Protocol != 58 {
				return f, isFlow, l.err
			}
			f.SrcPort = l.number("icmpv6.type")<<8 | l.number("icmpv6.code")
			if f.SrcPort>>8 == 128 || f.SrcPort>>8 == 129 {
				f.DstPort = l.number("icmpv6.echo.identifier")
			}
			return f, isFlow, l.err
		}
	}
	return f, isFlow, l.err
}
