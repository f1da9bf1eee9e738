package verify

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// port is a port of the switch and the file that is replayed into it.
type port struct {
	source  string // what the user named
	file    string // the frames of it that are sent, as a pcap file
	number  int
	name    string // of the switch's interface
	left    map[string]int
	damage  *damage // the rest of the file cannot be read
	skipped []int   // frames of file that are not sent, by their number from 0
	frames  int     // of file
	tshark  *check.Captured
}

// mtu is the largest that a veth has.
const mtu = 65535

// ethernetSize is that of a header without tags.
const ethernetSize = 14

// Reasons for leaving a frame out.
const (
	tooShort = "too short for the kernel"
	tooLong  = "longer than an interface takes"
	vague    = "tshark gives up in their options"
)

// prepare makes a pcap file of a capture of any format, of all frames that a port can be given,
// and has tshark count them.
func prepare(ctx context.Context, source, directory string, number int, tshark *check.Tshark) (*port, error) {
	p := &port{source: source, number: number, name: fmt.Sprintf("sw%d", number), left: map[string]int{},
		file: filepath.Join(directory, fmt.Sprintf("%d.pcap", number)), tshark: check.NewCaptured()}
	if err := p.convert(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if err := p.tshark.ReadCut(ctx, p.name, p.file, tshark); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	p.skipped = p.tshark.Undecided
	if len(p.skipped) > 0 {
		p.left[vague] = len(p.skipped)
	}
	return p, nil
}

// convert writes the frames that can be sent.
func (p *port) convert(ctx context.Context) error {
	to, err := os.Create(p.file)
	if err != nil {
		return err
	}
	defer to.Close()
	buffer := bufio.NewWriter(to)
	w := pcapgo.NewWriter(buffer)
	if err := w.WriteFileHeader(1<<18, layers.LinkTypeEthernet); err != nil {
		return err
	}
	err = eachCaptured(ctx, p.source, func(c captured) error {
		frame := ethernet(c.link, c.data)
		switch {
		case frame == nil:
			p.left[fmt.Sprintf("neither Ethernet nor IP behind a header of link type %d", c.link)]++
			return nil
		case len(frame) > mtu+ethernetSize:
			p.left[tooLong]++
			return nil
		case !sendable(frame):
			p.left[tooShort]++
			return nil
		}
		p.frames++
		c.info.Length = max(c.info.Length+len(frame)-len(c.data), len(frame))
		c.info.CaptureLength = len(frame)
		return w.WritePacket(c.info, frame)
	})
	if errors.As(err, &p.damage) {
		err = nil
	}
	switch err = errors.Join(err, buffer.Flush(), to.Close()); {
	case err != nil:
		return err
	case p.damage != nil && p.damage.packets == 0:
		return fmt.Errorf("tshark cannot read it: %s", p.damage.why)
	}
	return nil
}

// sendable says that the kernel lets a frame through. It sends none that is shorter than an
// Ethernet header, and drops on receipt what ends in its first tag or right behind it.
func sendable(data []byte) bool {
	if len(data) < ethernetSize {
		return false
	}
	tpid := binary.BigEndian.Uint16(data[12:])
	return tpid != 0x8100 && tpid != 0x88a8 || len(data) >= ethernetSize+4+2
}

// eachFrame reads the frames of a pcap file.
func eachFrame(path string, yield func(data []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := pcapgo.NewReader(bufio.NewReader(file))
	if err != nil {
		return err
	}
	for {
		data, _, err := r.ZeroCopyReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(data); err != nil {
			return err
		}
	}
}

// plug makes the port's cable. Nothing but the replay may send on it, nor change a frame.
func (p *port) plug(ctx context.Context) error {
	peer := p.peer()
	commands := [][]string{
		{"ip", "link", "add", peer, "mtu", fmt.Sprint(mtu), "type", "veth", "peer", "name", p.name, "mtu", fmt.Sprint(mtu)},
	}
	for _, end := range []string{peer, p.name} {
		commands = append(commands,
			[]string{"ip", "link", "set", end, "addrgenmode", "none", "arp", "off"},
			[]string{"ethtool", "-K", end, "rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off", "rxvlan", "off", "txvlan", "off"},
			[]string{"ip", "link", "set", end, "up"})
	}
	for _, c := range commands {
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// peer is the interface at the other end of the cable.
func (p *port) peer() string { return fmt.Sprintf("in%d", p.number) }

// burst is how many frames are sent in a row, before a look at the clock and at the switch: fewer
// than any queue before it holds. That of simple_switch_grpc in the kernel has 32 places of the
// longest frame.
const burst = 25

// replay sends all frames into the port, no faster than rate frames/s, and tells now and then
// how far it has come. It calls breathe behind every burst.
func (p *port) replay(ctx context.Context, rate int, breathe func(context.Context) error, progress io.Writer) error {
	fd, err := packetSocket(p.peer())
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	begin, told, number, sent, skipped := time.Now(), time.Now(), -1, 0, p.skipped
	return eachFrame(p.file, func(data []byte) error {
		number++
		if len(skipped) > 0 && skipped[0] == number {
			skipped = skipped[1:]
			return nil
		}
		if sent++; sent%burst == 0 {
			due := begin.Add(time.Duration(sent) * time.Second / time.Duration(rate))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := breathe(ctx); err != nil {
				return err
			}
			if time.Since(told) > progressInterval {
				told = time.Now()
				fmt.Fprintf(progress, "%s: %d of %d frames\n", p.source, number+1, p.frames)
			}
		}
		if err := unix.Send(fd, data, 0); err != nil {
			return fmt.Errorf("send frame %d of %s, %d bytes: %w", number+1, p.source, len(data), err)
		}
		return nil
	})
}

// progressInterval is how often a long replay tells how far it is.
const progressInterval = 5 * time.Second

// packetSocket sends frames as they are (packet(7)); with protocol 0 it receives nothing.
func packetSocket(name string) (int, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return fd, nil
}
