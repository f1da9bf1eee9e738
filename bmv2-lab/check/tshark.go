package check

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Tunnels are the UDP destination ports of tunnels, as the switches' table has them.
type Tunnels struct {
	VXLAN, Geneve []uint16
}

// dissectors are the protocols that tshark takes apart. All others are off: what is behind a
// transport header is payload, and no dissector may claim a tunnel's datagram for its port's
// or its payload's sake.
func dissectors() []string {
	return []string{"frame", "eth", "ethertype", "vlan", "ieee8021ad", "arp", "ip",
		"ipv6", "ipv6.hopopts", "ipv6.routing", "ipv6.dstopts", "ipv6.fraghdr", "ah",
		"tcp", "udp", "sctp", "icmp", "icmpv6", "gre", "vxlan", "geneve", "data", "_ws.malformed"}
}

// fields are what tshark prints of each frame, all occurrences in the order of the headers. Of
// each header the last field is there too, which tells that the header is whole.
func fields() []string {
	return []string{"frame.len", "frame.cap_len", "frame.protocols", "eth.type", "eth.len", "vlan.etype",
		"arp.hw.type", "arp.proto.type", "arp.hw.size", "arp.proto.size", "arp.src.proto_ipv4", "arp.dst.proto_ipv4",
		"ip.hdr_len", "ip.len", "ip.src", "ip.dst", "ip.cur_rt", "ip.proto", "ip.flags.mf", "ip.frag_offset", "ip.checksum.status",
		"ipv6.plen", "ipv6.src", "ipv6.dst", "ipv6.nxt",
		"ipv6.hopopts.len", "ipv6.routing.len", "ipv6.dstopts.len", "ah.length", "ipv6.hopopts.nxt", "ipv6.routing.nxt", "ipv6.dstopts.nxt", "ah.next_header",
		"ipv6.fraghdr.nxt", "ipv6.fraghdr.offset", "ipv6.fraghdr.more",
		"tcp.srcport", "tcp.dstport", "tcp.hdr_len", "tcp.urgent_pointer",
		"udp.srcport", "udp.dstport", "udp.length", "udp.checksum",
		"sctp.srcport", "sctp.dstport", "sctp.checksum",
		"icmp.type", "icmp.code", "icmp.checksum", "icmp.ident", "icmp.seq",
		"icmpv6.type", "icmpv6.code", "icmpv6.checksum", "icmpv6.echo.identifier", "icmpv6.echo.sequence_number",
		"vxlan.flag_i", "vxlan.vni", "vxlan.reserved8",
		"geneve.version", "geneve.proto_type", "geneve.vni", "geneve.reserved", "geneve.options",
		"gre.flags_and_version", "gre.proto", "gre.key", "_ws.malformed"}
}

// Tshark dissects capture files with the dissectors above and no others.
type Tshark struct {
	tunnels Tunnels
	profile string // its configuration directory
}

// NewTshark prepares a tshark that takes UDP ports for those of tunnels. Close has to be called.
func NewTshark(ctx context.Context, tunnels Tunnels) (*Tshark, error) {
	profile, err := os.MkdirTemp("", "fabriclab-tshark-")
	if err != nil {
		return nil, err
	}
	t := &Tshark{tunnels, profile}
	if err := writeProfile(ctx, profile); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Close removes the configuration.
func (t *Tshark) Close() error { return os.RemoveAll(t.profile) }

// each dissects a capture file and calls yield with the columns of each frame, one a field.
func (t *Tshark) each(ctx context.Context, path string, yield func(columns []string) error) error {
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,",
		"-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "ip.check_checksum:TRUE", "-o", "tcp.desegment_tcp_streams:FALSE"}
	for kind, ports := range map[string][]uint16{"vxlan": t.tunnels.VXLAN, "geneve": t.tunnels.Geneve} {
		for _, p := range ports {
			args = append(args, "-d", fmt.Sprintf("udp.port==%d,%s", p, kind))
		}
	}
	for _, f := range fields() {
		args = append(args, "-e", f)
	}
	return runTshark(ctx, t.profile, args, path, yield)
}

func runTshark(ctx context.Context, profile string, args []string, path string, yield func([]string) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, "tshark", args...)
	command.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+profile)
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
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) != len(fields()) {
			err = fmt.Errorf("tshark printed %d columns, want %d: %q", len(columns), len(fields()), lines.Text())
			break
		}
		if err = yield(columns); err != nil {
			err = fmt.Errorf("tshark of %s: %w: %q", path, err, lines.Text())
		}
	}
	if err = errors.Join(err, lines.Err()); err != nil {
		cancel() // it would wait for a reader
		return errors.Join(err, command.Wait())
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("tshark of %s: %w: %s", path, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// writeProfile writes a configuration directory of tshark's with the dissectors that are off.
func writeProfile(ctx context.Context, directory string) error {
	for report, file := range map[string]string{"protocols": "disabled_protos", "heuristic-decodes": "heuristic_protos"} {
		out, err := exec.CommandContext(ctx, "tshark", "-G", report).Output()
		if err != nil {
			return fmt.Errorf("tshark -G %s: %w", report, err)
		}
		var text strings.Builder
		for line := range strings.Lines(string(out)) {
			columns := strings.Split(strings.TrimSpace(line), "\t")
			switch {
			case report == "protocols" && len(columns) >= 3 && !slices.Contains(dissectors(), columns[2]):
				fmt.Fprintln(&text, columns[2])
			case report == "heuristic-decodes" && len(columns) >= 4:
				fmt.Fprintf(&text, "%s,0\n", columns[3])
			}
		}
		if err := os.WriteFile(filepath.Join(directory, file), []byte(text.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
