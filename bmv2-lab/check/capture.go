package check

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
)

// Frame is what identifies a flow at one switch port: the interface, the outermost overlay and
// the headers inside it. With ICMP, SrcPort is type<<8|code and DstPort the identifier of echo
// messages. With ARP both are 0.
type Frame struct {
	Interface string
	Outer     Outer
	Protocol  uint16 // of IP behind all extension headers, or protocolARP
	Src, Dst  netip.Addr
	SrcPort   uint16
	DstPort   uint16
}

// Outer is the outermost overlay of a frame. Of native frames there is only the kind.
type Outer struct {
	Kind     string
	ID       uint32 // VNI, or the key of GRE
	Src, Dst netip.Addr
}

// Kinds of overlays.
const (
	outerNative = "native"
	outerVXLAN  = "vxlan"
	outerGeneve = "geneve"
	outerIPIP   = "ipip"
	outerGRE    = "gre"
)

// String gives the overlay on one line.
func (o Outer) String() string {
	if o.Kind == outerNative {
		return o.Kind
	}
	return fmt.Sprintf("%s %d %s > %s", o.Kind, o.ID, o.Src, o.Dst)
}

// String gives the flow on one line.
func (f Frame) String() string {
	return fmt.Sprintf("%s: %s: protocol %d %s:%d > %s:%d", f.Interface, f.Outer, f.Protocol, f.Src, f.SrcPort, f.Dst, f.DstPort)
}

// protocolARP is flow.ARP: ARP has no IP protocol number.
const protocolARP = 256

// Class is what a frame is when it is no flow; empty for those that are.
type Class string

// Classes, with the names that `fabricscope switches` gives to their buckets.
const (
	classFlow      Class = ""
	classFragment  Class = "fragment"
	classMalformed Class = "malformed"
	classLLDP      Class = "lldp"
	classOther     Class = "other"

	classUndecided Class = "undecided" // tshark cannot say
)

// Bucket is a class at an interface.
type Bucket struct {
	Interface string
	Class     Class
}

// Count is packets and bytes.
type Count struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

func (c Count) plus(o Count) Count { return Count{c.Packets + o.Packets, c.Bytes + o.Bytes} }

// Captured are the frames of a capture as tshark dissects them.
type Captured struct {
	Flows   map[Frame]Count
	Buckets map[Bucket]Count // frames that are no flows
	Total   Count

	Undecided []int // frames that are in none of these, by their number from 0
}

// NewCaptured is without any frames.
func NewCaptured() *Captured {
	return &Captured{Flows: map[Frame]Count{}, Buckets: map[Bucket]Count{}}
}

// Read counts the capture file of one interface with tshark. Frames count with the length that
// they had on the wire, though the file may have less of them.
func (c *Captured) Read(ctx context.Context, port, path string, t *Tshark) error {
	return c.read(ctx, port, path, t, 0)
}

// ReadCut is Read for a file whose frames are sent as they are in it: those that are cut count
// with the length that is left.
func (c *Captured) ReadCut(ctx context.Context, port, path string, t *Tshark) error {
	return c.read(ctx, port, path, t, 1)
}

// read takes the length from one of the first two columns.
func (c *Captured) read(ctx context.Context, port, path string, t *Tshark, length int) error {
	number := -1
	return t.each(ctx, path, func(columns []string) error {
		number++
		n, err := strconv.ParseUint(columns[length], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", fields()[length], err)
		}
		frame, class, err := dissect(columns, t.tunnels)
		if err != nil {
			return err
		}
		if class == classUndecided {
			c.Undecided = append(c.Undecided, number)
			return nil
		}
		one := Count{1, n}
		c.Total = c.Total.plus(one)
		if class != classFlow {
			at := Bucket{port, class}
			c.Buckets[at] = c.Buckets[at].plus(one)
			return nil
		}
		frame.Interface = port
		c.Flows[frame] = c.Flows[frame].plus(one)
		return nil
	})
}
