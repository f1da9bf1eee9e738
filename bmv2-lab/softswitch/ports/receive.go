package ports

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is how many frames one system call takes or gives.
const batch = 64

const (
	tagLen  = 4  // of an 802.1Q or 802.1ad tag
	macsLen = 12 // of both addresses, behind which the first tag stands
	// tpidCTag is the EtherType of 802.1Q, for kernels that do not say which tag it was.
	tpidCTag = 0x8100
)

// receiver is the memory into which batches of frames are received, one for all ports. A
// buffer has room in front of the frame for the tag that the kernel took out:
//
//	| 4 bytes | destination, source | EtherType, payload … |
//	          ^ received here
type receiver struct {
	msgs    [batch]mmsghdr
	iovs    [batch]unix.Iovec
	from    [batch]unix.RawSockaddrLinklayer
	control [batch][64]byte
	frames  [batch][]byte
}

func newReceiver() *receiver {
	r := &receiver{}
	arena := make([]byte, batch*(tagLen+MaxFrame))
	for i := range batch {
		r.frames[i] = arena[i*(tagLen+MaxFrame):][: tagLen+MaxFrame : tagLen+MaxFrame]
		r.iovs[i].Base = &r.frames[i][tagLen]
		r.iovs[i].SetLen(MaxFrame)
		h := &r.msgs[i].hdr
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.from[i]))
		h.Control = &r.control[i][0]
	}
	return r
}

// receive takes what waits in a socket, at most one batch.
func (r *receiver) receive(s *socket) (int, error) {
	for i := range r.msgs {
		h := &r.msgs[i].hdr
		h.Namelen = unix.SizeofSockaddrLinklayer
		h.SetControllen(len(r.control[i]))
		h.Flags = 0
	}
	return mmsg(unix.SYS_RECVMMSG, s.fd, r.msgs[:])
}

// outgoing says that frame i is one that this machine sent.
func (r *receiver) outgoing(i int) bool { return r.from[i].Pkttype == unix.PACKET_OUTGOING }

// oversize says that frame i was longer than MaxFrame.
func (r *receiver) oversize(i int) bool { return r.msgs[i].hdr.Flags&unix.MSG_TRUNC != 0 }

// frame is frame i as it was on the wire. Its memory is valid until the next receive.
func (r *receiver) frame(i int) []byte {
	n := int(r.msgs[i].n)
	buf := r.frames[i]
	aux, ok := r.auxdata(i)
	if !ok || aux.Status&unix.TP_STATUS_VLAN_VALID == 0 || n < macsLen {
		return buf[tagLen : tagLen+n]
	}
	tpid := aux.Vlan_tpid
	if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID == 0 {
		tpid = tpidCTag
	}
	copy(buf[:macsLen], buf[tagLen:tagLen+macsLen])
	binary.BigEndian.PutUint16(buf[macsLen:], tpid)
	binary.BigEndian.PutUint16(buf[macsLen+2:], aux.Vlan_tci)
	return buf[:tagLen+n]
}

// auxdata finds the PACKET_AUXDATA control message of frame i (packet(7)).
func (r *receiver) auxdata(i int) (unix.TpacketAuxdata, bool) {
	const auxLen = int(unsafe.Sizeof(unix.TpacketAuxdata{}))
	left := int(r.msgs[i].hdr.Controllen)
	at := 0
	for left-at >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&r.control[i][at]))
		size := int(h.Len)
		if size < unix.SizeofCmsghdr || size > left-at {
			break
		}
		data := at + unix.CmsgLen(0)
		if h.Level == unix.SOL_PACKET && h.Type == unix.PACKET_AUXDATA && size >= unix.CmsgLen(auxLen) {
			return *(*unix.TpacketAuxdata)(unsafe.Pointer(&r.control[i][data])), true
		}
		at += unix.CmsgSpace(size - unix.CmsgLen(0))
	}
	return unix.TpacketAuxdata{}, false
}
