package ports

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a packet socket that is bound to one interface (packet(7)).
type socket struct {
	fd    int
	index int // of the interface that it is bound to
	ring  *ring
}

// sendBuffer is the kernel's queue of frames that a socket sends, in bytes.
const sendBuffer = 4 << 20

// networkOrder is the value whose bytes in memory are v's in network byte order.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// openSocket binds a socket to the interface with this index. The protocol is set by bind
// only, so that no frame of another interface is ever queued.
func openSocket(name string, index, receiveBuffer, slots int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("interface %s: packet socket: %w (needs root or CAP_NET_RAW)", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("interface %s: packet socket: %w", name, err)
	}
	s := &socket{fd: fd, index: index}
	if err := s.configure(receiveBuffer, slots); err != nil {
		s.close()
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	return s, nil
}

func (s *socket) configure(receiveBuffer, slots int) error {
	// The FORCE variants pass the system's limits and need CAP_NET_ADMIN.
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("receive buffer: %w", err)
		}
	}
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer); err != nil {
			return fmt.Errorf("send buffer: %w", err)
		}
	}
	var err error
	if s.ring, err = openRing(s.fd, slots); err != nil {
		return err
	}
	// An optimisation of newer kernels (4.20): outgoing frames are ignored on receipt anyway.
	// PACKET_QDISC_BYPASS is not wanted: it would hide what is sent from captures.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	mreq := unix.PacketMreq{Ifindex: int32(s.index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &mreq); err != nil {
		return fmt.Errorf("promiscuous mode: %w", err)
	}
	addr := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: s.index}
	if err := unix.Bind(s.fd, addr); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

func (s *socket) close() {
	if s.ring != nil {
		s.ring.close()
	}
	unix.Close(s.fd)
}

// failed takes the error that is pending on a socket.
func (s *socket) failed() { _, _ = unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR) }

// drops takes the number of frames that did not fit the kernel's queue since the last call.
func (s *socket) drops() uint64 {
	st, err := unix.GetsockoptTpacketStats(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return uint64(st.Drops)
}

// mmsghdr is the kernel's struct mmsghdr (recvmmsg(2)).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// mmsg calls recvmmsg or sendmmsg, which do not block. The Go scheduler is not told of the
// call: a batch takes long enough for it to give the processor to another thread meanwhile.
func mmsg(trap uintptr, fd int, msgs []mmsghdr) (int, error) {
	n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
