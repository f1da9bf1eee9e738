package app

import (
	"encoding/hex"
	"fmt"
	"log/slog"
)

// dumper logs the first bytes of frames, in the words of simple_switch_grpc.
type dumper struct {
	out   *slog.Logger
	bytes int // how many of each frame
}

// newDumper is nil if nothing is to be logged.
func newDumper(out *slog.Logger, bytes int) *dumper {
	if bytes == 0 {
		return nil
	}
	return &dumper{out, bytes}
}

func (d *dumper) log(what string, port uint32, frame []byte) {
	d.out.Info(fmt.Sprintf("%s of length %d on port %d: %s", what, len(frame), port,
		hex.EncodeToString(frame[:min(d.bytes, len(frame))])))
}

func (d *dumper) sent(packetIn bool, port uint32, frame []byte) {
	if packetIn {
		d.log("Sending packet-in", port, frame)
	} else {
		d.log("Sending packet", port, frame)
	}
}
