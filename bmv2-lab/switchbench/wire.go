package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cable makes the two pairs of veths.
func cable() error {
	for _, args := range []string{
		"link set lo up",
		"link add in0 type veth peer name sw0",
		"link add sw1 type veth peer name out0",
	} {
		if err := ip(args); err != nil {
			return err
		}
	}
	for _, end := range []string{"in0", "sw0", "sw1", "out0"} {
		for _, args := range []string{"addrgenmode none", "up"} {
			if err := ip("link set " + end + " " + args); err != nil {
				return err
			}
		}
	}
	return nil
}

func ip(args string) error {
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}

// received is how many frames have come out of the device under test.
func received() (uint64, error) {
	f, err := os.Open("/proc/self/net/dev")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if name, rest, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":"); ok && name == "out0" {
			return strconv.ParseUint(strings.Fields(rest)[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("no interface out0: %w", lines.Err())
}

// packetSocket is a packet socket on an interface; protocol 0 receives nothing.
func packetSocket(name string, protocol uint16) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("packet socket: %w", err)
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	order := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, protocol))
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: order, Ifindex: link.Index}); err != nil {
		return 0, fmt.Errorf("packet socket on %s: %w", name, err)
	}
	return fd, nil
}

// batch is how many frames one system call takes or gives.
const batch = 64

// mmsghdr is the kernel's struct mmsghdr (recvmmsg(2)).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
	_   [4]byte
}

// messages describes frames to sendmmsg and recvmmsg.
func messages(frames [][]byte) []mmsghdr {
	msgs, iovs := make([]mmsghdr, len(frames)), make([]unix.Iovec, len(frames))
	for i, f := range frames {
		iovs[i].Base = &f[0]
		iovs[i].SetLen(len(f))
		msgs[i].hdr.Iov = &iovs[i]
		msgs[i].hdr.SetIovlen(1)
	}
	return msgs
}

// mmsg calls recvmmsg or sendmmsg, which do not block, without the Go scheduler's knowing: it
// would give the processor to another thread meanwhile.
func mmsg(trap uintptr, fd int, msgs []mmsghdr) (int, error) {
	n, _, errno := unix.RawSyscall6(trap, uintptr(fd), uintptr(unsafe.Pointer(&msgs[0])), uintptr(len(msgs)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// generator sends frames into in0 at a rate until it is stopped.
type generator struct {
	stop atomic.Bool
	done chan struct{}
	sent atomic.Uint64
}

// generate starts a generator on a processor of its own; rate is frames/s, 0 for all it can.
func generate(frames [][]byte, rate int) (*generator, error) {
	fd, err := packetSocket("in0", 0)
	if err != nil {
		return nil, err
	}
	g := &generator{done: make(chan struct{})}
	go func() {
		defer close(g.done)
		defer unix.Close(fd)
		runtime.LockOSThread() // and never unlocked: the processor is this thread's own
		var cpus unix.CPUSet
		cpus.Set(0)
		_ = unix.SchedSetaffinity(0, &cpus)
		msgs := messages(frames)
		start := time.Now()
		for at := 0; !g.stop.Load(); at = (at + batch) % (len(msgs) / batch * batch) {
			n, err := mmsg(unix.SYS_SENDMMSG, fd, msgs[at:at+batch])
			if err != nil {
				continue // the link's queue is full
			}
			sent := g.sent.Add(uint64(n))
			if rate > 0 {
				time.Sleep(time.Duration(float64(sent)/float64(rate)*1e9) - time.Since(start))
			}
		}
	}()
	return g, nil
}

func (g *generator) end() {
	g.stop.Store(true)
	<-g.done
}
