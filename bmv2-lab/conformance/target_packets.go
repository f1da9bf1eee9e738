package conformance

import (
	"fmt"
	"math/big"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

// Send is stf.Packets's. A frame at the CPU port is a packet-out.
func (t *Target) Send(port uint32, frame []byte) error {
	if port != rig.CPUPort {
		if err := t.device.Send(port, frame); err != nil {
			return err
		}
	} else {
		out, err := PacketOut(t.info, frame)
		if err != nil {
			return err
		}
		if err := t.device.SendPacket(out); err != nil {
			return err
		}
		// The stream's answer says that the packet-out has been read before.
		if err := t.events(); err != nil {
			return err
		}
	}
	return t.device.Settle(t.ctx)
}

// Receive is stf.Packets's. Send has waited for the frames. Packet-ins are frames of the CPU
// port.
func (t *Target) Receive(int) ([]stf.Frame, error) {
	frames, err := t.device.Receive()
	if err != nil {
		return nil, err
	}
	var out []stf.Frame
	for _, f := range frames {
		out = append(out, stf.Frame(f))
	}
	if err := t.events(); err != nil {
		return nil, err
	}
	out = append(out, t.packetIns...)
	t.packetIns = nil
	return out, nil
}

// events sorts what the switch has sent to the controller.
func (t *Target) events() error {
	if t.schema.packetIn == nil && t.schema.packetOut == nil && len(t.schema.digests) == 0 {
		return nil
	}
	list, err := t.device.Events(t.ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		switch {
		case m.GetPacket() != nil:
			t.packetIns = append(t.packetIns, stf.Frame{Port: rig.CPUPort, Data: packetIn(t.schema.packetIn, m.GetPacket())})
		case m.GetDigest() != nil:
			t.digests = append(t.digests, t.digestsIn(m.GetDigest())...)
		case m.GetError() != nil:
			return fmt.Errorf("the switch says: %s", m.GetError().GetMessage())
		}
	}
	return nil
}

// PacketOut takes the metadata of a packet-out from the front of a frame.
func PacketOut(info *p4config.P4Info, frame []byte) (*p4.PacketOut, error) {
	header := newSchema(info).packetOut
	bits := 0
	for _, f := range header.GetMetadata() {
		bits += int(f.GetBitwidth())
	}
	n := (bits + 7) / 8
	if len(frame) < n {
		return nil, fmt.Errorf("a packet-out of %d bytes, and its metadata has %d", len(frame), n)
	}
	out := &p4.PacketOut{Payload: frame[n:]}
	value := new(big.Int).SetBytes(frame[:n])
	left := n * 8
	for _, f := range header.GetMetadata() {
		w := int(f.GetBitwidth())
		left -= w
		v := new(big.Int).Rsh(value, uint(left))
		v.And(v, ones(w))
		out.Metadata = append(out.Metadata, &p4.PacketMetadata{MetadataId: f.GetId(), Value: bytesOf(v)})
	}
	return out, nil
}

// packetIn puts the metadata in front of the payload, as the program has sent it.
func packetIn(header *p4config.ControllerPacketMetadata, in *p4.PacketIn) []byte {
	given := map[uint32][]byte{}
	for _, m := range in.GetMetadata() {
		given[m.GetMetadataId()] = m.GetValue()
	}
	value, bits := new(big.Int), 0
	for _, f := range header.GetMetadata() {
		w := int(f.GetBitwidth())
		bits += w
		value.Lsh(value, uint(w)).Or(value, new(big.Int).SetBytes(given[f.GetId()]))
	}
	n := (bits + 7) / 8
	value.Lsh(value, uint(n*8-bits))
	return append(value.FillBytes(make([]byte, n)), in.GetPayload()...)
}

func ones(width int) *big.Int {
	one := big.NewInt(1)
	return new(big.Int).Sub(new(big.Int).Lsh(one, uint(width)), one)
}

// bytesOf is the shortest form of a value, at least one byte.
func bytesOf(v *big.Int) []byte {
	if v.Sign() == 0 {
		return []byte{0}
	}
	return v.Bytes()
}

// digestsIn are the digests of a list.
func (t *Target) digestsIn(l *p4.DigestList) []stf.Digest {
	name := t.schema.digests[l.GetDigestId()].GetPreamble().GetName()
	var out []stf.Digest
	for _, d := range l.GetData() {
		x := stf.Digest{Name: name}
		if s := d.GetStruct(); s != nil {
			for _, m := range s.GetMembers() {
				x.Values = append(x.Values, m.GetBitstring())
			}
		} else {
			x.Values = append(x.Values, d.GetBitstring())
		}
		out = append(out, x)
	}
	return out
}

// digestPatience is how long a digest may take: it waits for the timer of its list.
const digestPatience = 5 * time.Second

// Digests is stf.Packets's.
func (t *Target) Digests(want int) ([]stf.Digest, error) {
	for deadline := time.Now().Add(digestPatience); ; time.Sleep(time.Millisecond) {
		if err := t.events(); err != nil {
			return nil, err
		}
		if len(t.digests) >= want || time.Now().After(deadline) {
			out := t.digests
			t.digests = nil
			return out, nil
		}
	}
}
