package verify

import (
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

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// port is a port of the switch and the file that is replayed into it.
type port struct {
	source string // what the user named
	file   string // the frames of it that can be sent, as a pcap file
	number int
	name   string // of the switch's interface
	short  int    // frames that are left out: too short to be sent or received
	vague  int    // and those of which tshark cannot say what they are
}

// mtu is the largest that a veth has.
const mtu = 65535

// prepare makes a pcap file of a capture of any format, of all frames that a port can be given.
func prepare(ctx context.Context, source, directory string, number int) (*port, error) {
	p := &port{source: source, number: number, name: fmt.Sprintf("sw%d", number), file: filepath.Join(directory, fmt.Sprintf("%d.pcap", number))}
	plain := p.file + ".plain"
	if out, err := exec.CommandContext(ctx, "tshark", "-r", source, "-F", "pcap", "-w", plain).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: tshark cannot read it: %w: %s", source, err, strings.TrimSpace(string(out)))
	}
	defer os.Remove(plain)
	if err := p.filter(ctx, plain); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return p, nil
}

// filter takes over the frames of a pcap file that can be sent, and of which tshark can say
// what they are.
func (p *port) filter(ctx context.Context, plain string) error {
	captured := check.NewCaptured()
	if err := captured.ReadCut(ctx, p.name, plain, tunnels()); err != nil {
		return err
	}
	vague := captured.Undecided
	to, err := os.Create(p.file)
	if err != nil {
		return err
	}
	defer to.Close()
	w := pcapgo.NewWriter(to)
	if err := w.WriteFileHeader(1<<18, layers.LinkTypeEthernet); err != nil {
		return err
	}
	number := -1
	err = eachFrame(plain, func(info gopacket.CaptureInfo, data []byte) error {
		number++
		switch {
		case len(vague) > 0 && vague[0] == number:
			vague = vague[1:]
			p.vague++
			return nil
		case !sendable(data):
			p.short++
			return nil
		case len(data) > mtu+14:
			return fmt.Errorf("frame %d has %d bytes: an interface takes %d", number+1, len(data), mtu+14)
		}
		return w.WritePacket(info, data)
	})
	return errors.Join(err, to.Close())
}

// sendable says that the kernel lets a frame through. It sends none that is shorter than an
// Ethernet header, and drops on receipt what ends in its first tag or right behind it.
func sendable(data []byte) bool {
	if len(data) < 14 {
		return false
	}
	tpid := binary.BigEndian.Uint16(data[12:])
	return tpid != 0x8100 && tpid != 0x88a8 || len(data) >= 14+4+2
}

// eachFrame reads a pcap file of Ethernet frames.
func eachFrame(path string, yield func(info gopacket.CaptureInfo, data []byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := pcapgo.NewReader(file)
	if err != nil {
		return err
	}
	if r.LinkType() != layers.LinkTypeEthernet {
		return fmt.Errorf("link type %s: only captures of Ethernet can be replayed", r.LinkType())
	}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(info, data); err != nil {
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

// burst is how many frames are sent in a row between two looks at the clock.
const burst = 25

// replay sends all frames into the port, no faster than rate frames/s.
func (p *port) replay(ctx context.Context, rate int) error {
	fd, err := packetSocket(p.peer())
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	begin, sent := time.Now(), 0
	return eachFrame(p.file, func(_ gopacket.CaptureInfo, data []byte) error {
		if sent++; sent%burst == 0 {
			due := begin.Add(time.Duration(sent) * time.Second / time.Duration(rate))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := unix.Send(fd, data, 0); err != nil {
			return fmt.Errorf("send frame %d of %s, %d bytes: %w", sent, p.source, len(data), err)
		}
		return nil
	})
}

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
