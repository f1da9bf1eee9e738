package ports

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many frames one system call gives, and how many of one port are taken in turn.
const batch = 64

const (
	tagLen  = 4  // of an 802.1Q or 802.1ad tag
	macsLen = 12 // of both addresses, behind which the first tag stands
	// tpidCTag is the EtherType of 802.1Q, for kernels that do not say which tag it was.
	tpidCTag = 0x8100
)

// ring is the memory into which the kernel receives the frames of one socket (packet_mmap,
// TPACKET_V2: the version whose frames do not wait for a block to fill up). It is made of
// slots, which belong to the kernel or to the switch by turns. A slot is
//
//	| header | address | room for the tag that the kernel took out | frame |
//
// A frame that does not fit waits in the socket's queue, and its slot says so.
type ring struct {
	mem   []byte
	slots int
	next  int
	large []byte // memory for a frame that does not fit a slot
}

const (
	slotSize  = 2048
	slotBlock = 1 << 16 // bytes that the kernel allocates at a time
)

// openRing gives a socket a ring.
func openRing(fd, slots int) (*ring, error) {
	perBlock := slotBlock / slotSize
	blocks := (slots + perBlock - 1) / perBlock
	req := unix.TpacketReq{Block_size: slotBlock, Block_nr: uint32(blocks), Frame_size: slotSize, Frame_nr: uint32(blocks * perBlock)}
	for _, o := range []struct{ option, value int }{
		{unix.PACKET_VERSION, unix.TPACKET_V2}, {unix.PACKET_RESERVE, tagLen}, {unix.PACKET_COPY_THRESH, 1},
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.option, o.value); err != nil {
			return nil, fmt.Errorf("receive ring: %w", err)
		}
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return nil, fmt.Errorf("receive ring of %d slots: %w", req.Frame_nr, err)
	}
	mem, err := unix.Mmap(fd, 0, blocks*slotBlock, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("receive ring: mmap: %w", err)
	}
	return &ring{mem: mem, slots: int(req.Frame_nr)}, nil
}

func (r *ring) close() { _ = unix.Munmap(r.mem) }

// slot is one received frame.
type slot struct {
	header *unix.Tpacket2Hdr
	memory []byte
}

// take is the next slot that has a frame; it is to be given back.
func (r *ring) take() (slot, bool) {
	m := r.mem[r.next*slotSize : (r.next+1)*slotSize]
	s := slot{(*unix.Tpacket2Hdr)(unsafe.Pointer(&m[0])), m}
	return s, atomic.LoadUint32(&s.header.Status)&unix.TP_STATUS_USER != 0
}

// release gives the slot that was taken last back to the kernel.
func (r *ring) release(s slot) {
	atomic.StoreUint32(&s.header.Status, unix.TP_STATUS_KERNEL)
	if r.next++; r.next == r.slots {
		r.next = 0
	}
}

// addressAt is where the address is in a slot.
const addressAt = (unsafe.Sizeof(unix.Tpacket2Hdr{}) + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)

// outgoing says that this machine sent the frame.
func (s slot) outgoing() bool {
	return (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&s.memory[addressAt])).Pkttype == unix.PACKET_OUTGOING
}

// errOversize: a frame is longer than MaxFrame. errLost: it did not fit the socket's queue.
var (
	errOversize = errors.New("frame is too long")
	errLost     = errors.New("frame is lost")
)

// frame is the frame in a slot as it was on the wire. Its memory is valid until the slot is
// released.
func (r *ring) frame(fd int, s slot) ([]byte, error) {
	h := s.header
	at, n := int(h.Mac), int(h.Snaplen)
	buf := s.memory
	if n < int(h.Len) || h.Status&unix.TP_STATUS_COPY != 0 {
		if r.large == nil {
			r.large = make([]byte, tagLen+MaxFrame)
		}
		if h.Status&unix.TP_STATUS_COPY == 0 {
			return nil, errLost
		}
		var err error
		if n, err = receiveLarge(fd, r.large[tagLen:]); err != nil {
			return nil, err
		}
		buf, at = r.large, tagLen
	}
	if h.Status&unix.TP_STATUS_VLAN_VALID == 0 || n < macsLen {
		return buf[at : at+n], nil
	}
	tpid := h.Vlan_tpid
	if h.Status&unix.TP_STATUS_VLAN_TPID_VALID == 0 {
		tpid = tpidCTag
	}
	copy(buf[at-tagLen:], buf[at:at+macsLen])
	at -= tagLen
	binary.BigEndian.PutUint16(buf[at+macsLen:], tpid)
	binary.BigEndian.PutUint16(buf[at+macsLen+2:], h.Vlan_tci)
	return buf[at : at+tagLen+n], nil
}

// receiveLarge takes a frame out of the socket's queue.
func receiveLarge(fd int, buf []byte) (int, error) {
	n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT|unix.MSG_TRUNC)
	switch {
	case err != nil:
		return 0, errLost
	case n > len(buf):
		return 0, errOversize
	}
	return n, nil
}
