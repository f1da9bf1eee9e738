package check

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// EtherTypes and protocol numbers that need telling apart.
const (
	etherTypeARP  = 0x0806
	etherTypeLLDP = 0x88cc
	protocolUDP   = 17
	protocolAH    = 51
)

// dissection follows tshark's stack of protocols of one frame, and reads the values of a field
// one header after the other. What is quoted behind a transport header (in an ICMP error, say)
// belongs to the payload, and a tunnel inside of a tunnel is a flow of its protocol.
type dissection struct {
	row     map[string][]string
	seen    map[string]int
	stack   []string // what was not read yet
	last    string   // the last protocol of the whole stack
	left    int      // bytes behind what was read, as far as the packet or the capture goes
	cut     bool     // options or an extension header do not fit that
	vague   bool     // whose destination a source route gives cannot be said
	tunnels Tunnels
	frame   Frame
	inside  bool // of a tunnel
	err     error
}

// dissect says which flow a frame belongs to, or which class when it is none.
func dissect(columns []string, t Tunnels) (Frame, Class, error) {
	d := &dissection{row: map[string][]string{}, seen: map[string]int{}, tunnels: t, frame: Frame{Outer: Outer{Kind: outerNative}}}
	for i, f := range fields() {
		if columns[i] != "" {
			d.row[f] = strings.Split(columns[i], ",")
		}
	}
	d.stack = strings.Split(columns[slices.Index(fields(), "frame.protocols")], ":")
	d.last = d.stack[len(d.stack)-1]
	d.left, _ = strconv.Atoi(columns[slices.Index(fields(), "frame.cap_len")])
	class := classMalformed
	if d.take("eth") {
		class = d.ethernet()
	}
	// Only the outer header's checksum matters: the switch changes that header.
	if status := d.row["ip.checksum.status"]; len(status) > 0 && status[0] == "0" && d.outerIPv4() {
		class = classMalformed
	}
	if d.vague || !d.cut && d.gaveUp() {
		class = classUndecided
	}
	return d.frame, class, d.err
}

// gaveUp says that tshark stopped in the options of IPv4 or in an extension header of IPv6.
// When the header is whole, some option makes no sense: a switch, which reads no options, goes
// on, and tshark cannot say with what.
func (d *dissection) gaveUp() bool {
	if len(d.stack) > 0 || !strings.Contains(strings.Join(d.row["_ws.malformed"], ","), "[Malformed Packet: IP") {
		return false
	}
	switch d.last {
	case "ipv6.hopopts", "ipv6.routing", "ipv6.dstopts":
		return true
	case "ip":
		lengths := d.row["ip.hdr_len"]
		return len(lengths) > 0 && lengths[len(lengths)-1] != "20" && len(lengths) == len(d.row["ip.dst"])
	}
	return false
}

// outerIPv4 says that the first IP header of the frame is IPv4, and not inside of IPv6.
func (d *dissection) outerIPv4() bool {
	return d.frame.Outer.Kind == outerNative && d.frame.Src.Is4() || d.frame.Outer.Src.Is4()
}

// take steps over the next protocol of the stack if it is this one.
func (d *dissection) take(protocol string) bool {
	if len(d.stack) == 0 || d.stack[0] != protocol {
		return false
	}
	d.stack = d.stack[1:]
	return true
}

// next is the value of a field in the header that is read; empty if the header ends before it.
func (d *dissection) next(field string) string {
	values, i := d.row[field], d.seen[field]
	d.seen[field]++
	if i >= len(values) {
		return ""
	}
	return values[i]
}

// number is the value of a field that has to be there.
func (d *dissection) number(field string) uint32 {
	s := d.next(field)
	switch s {
	case "True":
		return 1
	case "False":
		return 0
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		d.err = errors.Join(d.err, fmt.Errorf("%s: %w", field, err))
	}
	return uint32(n)
}

func (d *dissection) address(field string) netip.Addr {
	a, err := netip.ParseAddr(d.next(field))
	if err != nil {
		d.err = errors.Join(d.err, fmt.Errorf("%s: %w", field, err))
	}
	return a
}

// has says that the header that is read has a field, without reading it.
func (d *dissection) has(field string) bool { return d.seen[field] < len(d.row[field]) }

// ethernet follows an Ethernet header and up to two tags.
func (d *dissection) ethernet() Class {
	d.left -= 14
	var etherType uint32
	switch {
	case d.has("eth.type"):
		etherType = d.number("eth.type")
	case d.has("eth.len"): // of LLC
		return classOther
	}
	for tags := 0; ; tags++ {
		if !d.take("ethertype") {
			if etherType == etherTypeLLDP && !d.inside && tags == 0 {
				return classLLDP
			}
			return d.notEtherType(etherType)
		}
		switch {
		case len(d.stack) > 0 && (d.stack[0] == "vlan" || d.stack[0] == "ieee8021ad"):
			if tags == 2 {
				return classOther
			}
			d.left -= 4
			etherType = 0 // tshark does not print that of 802.1ad
			if d.take("vlan") && d.has("vlan.etype") {
				etherType = d.number("vlan.etype")
			} else if d.take("ieee8021ad") {
				d.vague = len(d.stack) == 0 && d.left >= 0 // it may be any
			}
		case d.take("ip"):
			return d.ipv4()
		case d.take("ipv6"):
			return d.ipv6()
		case d.take("arp"):
			if etherType != 0 && etherType != etherTypeARP {
				return classOther // reverse ARP
			}
			return d.arp()
		case etherType == etherTypeLLDP && !d.inside && tags == 0:
			return classLLDP
		case etherType == etherTypeIPv6: // tshark does not take another version for IPv6
			return classMalformed
		default:
			return classOther
		}
	}
}

// notEtherType is the class of a frame whose EtherType leads nowhere: with a length in its place
// the payload follows, and nothing does when the header is cut, or ends with the frame.
func (d *dissection) notEtherType(etherType uint32) Class {
	parsed := []uint32{0, etherTypeIPv4, etherTypeARP, 0x8100, etherTypeIPv6, 0x88a8, 0x9100}
	if len(d.stack) > 0 || !slices.Contains(parsed, etherType) {
		return classOther
	}
	return classMalformed
}

func (d *dissection) arp() Class {
	if !d.has("arp.proto.size") {
		if d.take("data") && d.left >= 6 { // ATM's has another form (RFC 2225), and a dissector of its own
			return classOther
		}
		return classMalformed
	}
	if d.number("arp.hw.type") != 1 || d.number("arp.proto.type") != 0x0800 || d.number("arp.hw.size") != 6 || d.number("arp.proto.size") != 4 {
		return classOther
	}
	if !d.has("arp.dst.proto_ipv4") {
		return classMalformed
	}
	d.frame.Protocol, d.frame.Src, d.frame.Dst = protocolARP, d.address("arp.src.proto_ipv4"), d.address("arp.dst.proto_ipv4")
	return classFlow
}

// header takes the bytes of a header from those that are left, and says whether they were.
func (d *dissection) header(size int) bool {
	d.left -= size
	d.cut = d.cut || d.left < 0
	return d.left >= 0
}

// bound takes the length field of a packet into account.
func (d *dissection) bound(length uint32) { d.left = min(d.left, int(length)) }

func (d *dissection) ipv4() Class {
	if !d.has("ip.dst") {
		return classMalformed
	}
	d.frame.Src, d.frame.Dst = d.address("ip.src"), d.address("ip.dst")
	d.frame.Protocol = uint16(d.number("ip.proto"))
	d.bound(d.number("ip.len"))
	size := d.number("ip.hdr_len")
	if !d.header(int(size)) {
		return classMalformed
	}
	if size > 20 {
		d.sourceRoute()
	}
	more, offset := d.number("ip.flags.mf"), d.number("ip.frag_offset")
	if more != 0 || offset != 0 {
		return classFragment
	}
	return d.payload()
}

// sourceRoute takes the destination that stands in the header where a source route has not come
// to its end: tshark's is the one at the end.
func (d *dissection) sourceRoute() {
	if !d.has("ip.cur_rt") {
		return
	}
	options := 0
	for _, size := range d.row["ip.hdr_len"] {
		if n, _ := strconv.Atoi(size); n > 20 {
			options++
		}
	}
	d.vague = options != len(d.row["ip.cur_rt"])
	d.frame.Dst = d.address("ip.cur_rt")
}

// Places for extension headers that the switch has.
const (
	extensions       = 4
	extensionsInside = 2
)

func (d *dissection) ipv6() Class {
	if !d.has("ipv6.dst") {
		return classMalformed
	}
	d.frame.Src, d.frame.Dst = d.address("ipv6.src"), d.address("ipv6.dst")
	d.frame.Protocol = uint16(d.number("ipv6.nxt"))
	d.left -= 40
	d.bound(d.number("ipv6.plen"))
	places := extensions
	if d.inside {
		places = extensionsInside
	}
	for range places {
		e, ok := extensionOf(d.frame.Protocol)
		if !ok {
			break
		}
		if class := d.extension(e); class != classFlow {
			return class
		}
	}
	if _, ok := extensionOf(d.frame.Protocol); ok {
		return classFlow // no place was left for this one
	}
	return d.payload()
}

// extension is a kind of IPv6 extension header: its name, its fields, and its size, which is
// unit times the length plus add.
type extension struct {
	protocol, next, length string
	unit, add              int
}

func extensionOf(protocol uint16) (extension, bool) {
	switch protocol {
	case 0:
		return extension{"ipv6.hopopts", "ipv6.hopopts.nxt", "ipv6.hopopts.len", 8, 8}, true
	case 43:
		return extension{"ipv6.routing", "ipv6.routing.nxt", "ipv6.routing.len", 8, 8}, true
	case 44:
		return extension{"ipv6.fraghdr", "ipv6.fraghdr.nxt", "", 0, 8}, true
	case protocolAH:
		return extension{"ah", "ah.next_header", "ah.length", 4, 8}, true
	case 60:
		return extension{"ipv6.dstopts", "ipv6.dstopts.nxt", "ipv6.dstopts.len", 8, 8}, true
	}
	return extension{}, false
}

// extension reads an extension header; the next header is the frame's protocol then.
func (d *dissection) extension(e extension) Class {
	if !d.take(e.protocol) || !d.has(e.next) || (e.length != "" && !d.has(e.length)) {
		d.header(e.add)
		return classMalformed
	}
	size := e.add
	if e.length != "" {
		size += e.unit * int(d.number(e.length))
	}
	if !d.header(size) {
		return classMalformed
	}
	d.frame.Protocol = uint16(d.number(e.next))
	if e.length == "" && (d.number("ipv6.fraghdr.more") != 0 || d.number("ipv6.fraghdr.offset") != 0) {
		return classFragment
	}
	return classFlow
}

// payload reads what IP carries.
func (d *dissection) payload() Class {
	ports := func(src, dst string) Class {
		d.frame.SrcPort, d.frame.DstPort = uint16(d.number(src)), uint16(d.number(dst))
		return classFlow
	}
	switch d.frame.Protocol {
	case 1:
		return d.icmp("icmp", "icmp.type", "icmp.code", "icmp.checksum", "icmp.ident", "icmp.seq", 0, 8)
	case 4, 41:
		return d.ipip()
	case 6:
		// A header whose own length is impossible is not read to its end.
		if !d.take("tcp") || !(d.has("tcp.urgent_pointer") || d.has("tcp.hdr_len") && d.number("tcp.hdr_len") < 20) {
			return classMalformed
		}
		return ports("tcp.srcport", "tcp.dstport")
	case protocolUDP:
		return d.udp(ports)
	case 47:
		return d.gre()
	case 58:
		return d.icmp("icmpv6", "icmpv6.type", "icmpv6.code", "icmpv6.checksum", "icmpv6.echo.identifier", "icmpv6.echo.sequence_number", 128, 129)
	case 132:
		if !d.take("sctp") || !d.has("sctp.checksum") {
			return classMalformed
		}
		return ports("sctp.srcport", "sctp.dstport")
	}
	return classFlow
}

// icmp reads a message of ICMP or ICMPv6: the fields, and the types that have an identifier.
func (d *dissection) icmp(protocol, kind, code, checksum, id, seq string, reply, request uint32) Class {
	if !d.take(protocol) || !d.has(checksum) || d.left < 8 { // no message is shorter
		return classMalformed
	}
	n := d.number(kind)
	d.frame.SrcPort = uint16(n<<8 | d.number(code))
	if n != reply && n != request {
		return classFlow
	}
	if !d.has(seq) {
		return classMalformed
	}
	d.frame.DstPort = uint16(d.number(id))
	return classFlow
}
