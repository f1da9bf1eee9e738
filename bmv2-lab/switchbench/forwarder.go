package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// forward moves frames from one interface to another, whole batches at a time. It looks at
// none of them: what any switch on packet sockets does at least.
func forward(from, to string) error {
	in, err := packetSocket(from, unix.ETH_P_ALL)
	if err != nil {
		return err
	}
	out, err := packetSocket(to, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(in, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20); err != nil {
		return fmt.Errorf("receive buffer: %w", err)
	}
	if err := unix.SetsockoptInt(out, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4<<20); err != nil {
		return fmt.Errorf("send buffer: %w", err)
	}
	frames := make([][]byte, batch)
	for i := range frames {
		frames[i] = make([]byte, 2048)
	}
	msgs := messages(frames)
	for {
		for i := range msgs {
			msgs[i].hdr.Iov.SetLen(len(frames[i]))
		}
		n, err := mmsg(unix.SYS_RECVMMSG, in, msgs)
		if errors.Is(err, unix.EAGAIN) {
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}}, -1)
		}
		if n == 0 && (err == nil || errors.Is(err, unix.EINTR)) {
			continue
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		for i := range n {
			msgs[i].hdr.Iov.SetLen(int(msgs[i].n))
		}
		for done := 0; done < n; {
			m, err := mmsg(unix.SYS_SENDMMSG, out, msgs[done:n])
			if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EAGAIN) {
				return fmt.Errorf("send: %w", err)
			}
			done += m
		}
	}
}
