package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flowcache"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
)

// feed is the process of the switches, and what it says.
type feed struct {
	program *p4rt.Program
	decoder *flowcache.Decoder
	cmd     *exec.Cmd
	r       *bufio.Reader
	buffer  []byte
}

func (b *bench) feed(ctx context.Context, c clocks) (*feed, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	f := &feed{program: b.program, decoder: b.decoder}
	f.cmd = exec.CommandContext(ctx, "/proc/self/exe", "-generate", string(text),
		"-flows", strconv.Itoa(b.flows), "-digests", strconv.Itoa(b.digests))
	f.cmd.Stderr = os.Stderr
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	f.r = bufio.NewReaderSize(out, 1<<18)
	return f, f.cmd.Start()
}

func (f *feed) wait() error { return f.cmd.Wait() }

// phase reads until the next mark, and gives what it decodes to deliver. It gives how many digests
// and answers there were.
func (f *feed) phase(deliver func(sw int, reports []track.Report, received time.Time) error) (reports int, err error) {
	for {
		var m message
		if m, f.buffer, err = readMessage(f.r, f.buffer); err != nil || m.kind == kindMark {
			return reports, err
		}
		now := time.Now()
		decoded, err := f.decode(m, now)
		if err != nil {
			return reports, err
		}
		reports += len(decoded)
		if err := deliver(m.sw, decoded, now); err != nil {
			return reports, err
		}
	}
}

func (f *feed) decode(m message, now time.Time) ([]track.Report, error) {
	if m.kind == kindAnswer {
		r, err := flowcache.Answer(m.payload[8:], binary.BigEndian.Uint64(m.payload))
		return []track.Report{r}, err
	}
	list, err := f.program.DecodeDigests(m.payload, now)
	if err != nil || !list.Known || list.Broken > 0 {
		return nil, fmt.Errorf("%d digests could not be decoded: %v", list.Broken, err)
	}
	return f.decoder.Reports(list.DigestList), nil
}
