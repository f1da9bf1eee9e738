package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// captured is a packet of a capture file.
type captured struct {
	info gopacket.CaptureInfo
	link layers.LinkType
	data []byte // valid until the next one
}

// damage is where a capture file stops to make sense.
type damage struct {
	packets int    // that could be read
	why     string // in tshark's words
	cut     bool   // the file ends in the middle of a packet, as where a capture was killed
}

// Error names the last packet that was read.
func (d *damage) Error() string { return fmt.Sprintf("behind packet %d: %s", d.packets, d.why) }

// eachCaptured reads a capture file of any format that tshark knows, one packet at a time. The
// error is a *damage when there is something wrong with the file behind some packet.
func eachCaptured(ctx context.Context, source string, yield func(p captured) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, "tshark", "-r", source, "-F", "pcapng", "-w", "-")
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start tshark: %w", err)
	}
	packets, err := eachBlock(out, yield)
	if err != nil {
		cancel() // it would wait for a reader
		return errors.Join(err, ignored(command.Wait()))
	}
	if err := command.Wait(); err != nil {
		why := complaint(stderr.String(), source)
		return &damage{packets: packets, why: why, cut: strings.Contains(why, "cut short")}
	}
	return nil
}

// ignored is for the error of a process that was stopped.
func ignored(error) error { return nil }

// complaint is what tshark says is wrong, without what it says to every user who is root, and
// without the name of the file.
func complaint(text, source string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Running as user") {
			lines = append(lines, strings.TrimPrefix(line, "tshark: "))
		}
	}
	return strings.ReplaceAll(strings.Join(lines, " "), `"`+source+`" `, "")
}

// eachBlock reads what tshark writes, and says how many packets that were.
func eachBlock(out io.Reader, yield func(p captured) error) (packets int, err error) {
	r, err := pcapgo.NewNgReader(out, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	for err == nil {
		var p captured
		if p.data, p.info, err = r.ZeroCopyReadPacketData(); err != nil {
			break
		}
		p.link, _ = p.info.AncillaryData[0].(layers.LinkType)
		packets++
		err = yield(p)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // tshark's status says whether this was the end
	}
	return packets, err
}
