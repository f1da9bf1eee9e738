package rig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wire is our end of one port's veth: a packet socket. It does without the switch's own package
// ports, which it helps to test.
type wire struct {
	port uint32
	name string // the interface
	fd   int
}

const (
	mtu = 9500 // bytes; programs may make frames longer
	// queue is the receive buffer of a wire, in bytes of the kernel's accounting.
	queue = 16 << 20
	// MinFrame is the shortest frame that a veth takes, in bytes: an Ethernet header.
	MinFrame = 14
)

// cable makes the veths of a switch, whose names begin with prefix, and opens our ends.
func cable(prefix string, ports []uint32) ([]wire, error) {
	var out []wire
	for _, p := range ports {
		ours, theirs := fmt.Sprintf("%sw%d", prefix, p), interfaceName(prefix, p)
		commands := []string{"link add " + ours + " type veth peer name " + theirs}
		for _, end := range []string{ours, theirs} {
			for _, setting := range []string{"addrgenmode none", fmt.Sprintf("mtu %d", mtu), "up"} {
				commands = append(commands, "link set "+end+" "+setting)
			}
		}
		for _, c := range commands {
			if err := ip(c); err != nil {
				return out, err
			}
		}
		w, err := openWire(p, ours)
		if err != nil {
			return out, err
		}
		out = append(out, w)
	}
	return out, nil
}

// interfaceName is the switch's end of a port's veth.
func interfaceName(prefix string, port uint32) string { return fmt.Sprintf("%ss%d", prefix, port) }

func openWire(port uint32, name string) (wire, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return wire{}, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return wire{}, fmt.Errorf("packet socket: %w", err)
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, queue),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}))
	if err != nil {
		unix.Close(fd)
		return wire{}, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return wire{port, name, fd}, nil
}

// send lets a frame arrive at the switch.
func (w wire) send(frame []byte) error {
	if len(frame) < MinFrame {
		return fmt.Errorf("port %d: a frame of %d bytes; a veth takes no less than %d", w.port, len(frame), MinFrame)
	}
	if _, err := unix.Write(w.fd, frame); err != nil {
		return fmt.Errorf("port %d: send of %d bytes: %w", w.port, len(frame), os.NewSyscallError("write", err))
	}
	return nil
}

// receive takes the frames that the switch has sent; buf has room for one.
func (w wire) receive(buf []byte) ([]Frame, error) {
	var out []Frame
	aux := make([]byte, unix.CmsgSpace(int(unsafe.Sizeof(unix.TpacketAuxdata{}))))
	for {
		n, oobn, _, from, err := unix.Recvmsg(w.fd, buf, aux, 0)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return out, nil
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return out, fmt.Errorf("port %d: %w", w.port, os.NewSyscallError("recvmsg", err))
		}
		if a, ok := from.(*unix.SockaddrLinklayer); ok && a.Pkttype == unix.PACKET_OUTGOING {
			continue // our own
		}
		frame := slices.Clone(buf[:n])
		if tag := outerTag(aux[:oobn]); tag != nil && n >= macs {
			frame = slices.Insert(frame, macs, tag...)
		}
		out = append(out, Frame{w.port, frame})
	}
}

// macs is the length of both addresses, behind which the outer tag stands.
const macs = 12

// outerTag is the 802.1Q or 802.1ad tag that the kernel took out of a frame.
func outerTag(control []byte) []byte {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA {
			continue
		}
		a := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		if a.Status&unix.TP_STATUS_VLAN_VALID != 0 {
			return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, a.Vlan_tpid), a.Vlan_tci)
		}
	}
	return nil
}

// close takes both ends away.
func (w wire) close() {
	unix.Close(w.fd)
	_ = ip("link delete " + w.name) // the namespace may be ending
}
