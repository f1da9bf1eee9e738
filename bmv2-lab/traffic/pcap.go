package traffic

import (
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// WritePcap writes frames as a capture file, a microsecond apart.
func WritePcap(w io.Writer, frames []Frame) error {
	p := pcapgo.NewWriter(w)
	if err := p.WriteFileHeader(1<<18, layers.LinkTypeEthernet); err != nil {
		return err
	}
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: begin.Add(time.Duration(i) * time.Microsecond), CaptureLength: len(f.Data), Length: len(f.Data)}
		if err := p.WritePacket(info, f.Data); err != nil {
			return err
		}
	}
	return nil
}
