package stacks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

const (
	echoPort   = 7
	closedPort = 81
	patience   = 10 * time.Second // for an answer
)

// talk has a ask b everything, over the cable and through the tunnels.
func talk(ctx context.Context, a, b *netns.Namespace) error {
	for _, address := range []string{"10.9.0.2", "fd09::2", "10.10.0.2", "fd10::2", "10.11.0.2", "fd11::2"} {
		server := netip.MustParseAddr(address)
		for _, ask := range []func(context.Context, *netns.Namespace, *netns.Namespace, netip.Addr) error{ping, stream, datagrams, refused} {
			if err := ask(ctx, a, b, server); err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
		}
		if server.Is6() {
			if err := a.Do(func() error { return extended(server) }); err != nil {
				return fmt.Errorf("%s: extension headers: %w", address, err)
			}
		}
	}
	return nil
}

// ping sends echo requests, some of which travel in fragments.
func ping(ctx context.Context, a, _ *netns.Namespace, server netip.Addr) error {
	for _, size := range []string{"56", "4000"} {
		if _, err := a.Run(ctx, "", "ping", "-n", "-c", "3", "-i", "0.01", "-s", size, server.String()); err != nil {
			return err
		}
	}
	return nil
}

// stream sends 200 KB over TCP and has them back.
func stream(ctx context.Context, a, b *netns.Namespace, server netip.Addr) error {
	l, err := b.Listen("tcp", netip.AddrPortFrom(server, echoPort).String())
	if err != nil {
		return err
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(c, c) // what does not come back is missed below
			c.Close()
		}
	}()
	c, err := a.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	sent := bytes.Repeat([]byte("0123456789"), 20_000)
	go func() {
		_, _ = c.Write(sent)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err == nil && !bytes.Equal(got, sent) {
		err = fmt.Errorf("%d of %d bytes came back", len(got), len(sent))
	}
	return err
}

// datagrams sends UDP of all sizes, the greatest in fragments, and has it back.
func datagrams(ctx context.Context, a, b *netns.Namespace, server netip.Addr) error {
	var l net.PacketConn
	err := b.Do(func() (err error) {
		l, err = net.ListenPacket("udp", netip.AddrPortFrom(server, echoPort).String())
		return err
	})
	if err != nil {
		return err
	}
	defer l.Close()
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := l.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = l.WriteTo(buffer[:n], from)
		}
	}()
	c, err := a.DialContext(ctx, "udp", l.LocalAddr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buffer := make([]byte, 1<<16)
	for _, size := range []int{0, 1, 100, 1400, 3000, 9000} {
		if _, err := c.Write(buffer[:size]); err != nil {
			return err
		}
		if n, err := c.Read(buffer); err != nil || n != size {
			return fmt.Errorf("a datagram of %d bytes came back with %d: %w", size, n, err)
		}
	}
	return nil
}

// refused asks ports that nobody listens on: the answers are RST and port unreachable.
func refused(ctx context.Context, a, _ *netns.Namespace, server netip.Addr) error {
	address := netip.AddrPortFrom(server, closedPort).String()
	if c, err := a.DialContext(ctx, "tcp", address); !errors.Is(err, unix.ECONNREFUSED) {
		if err == nil {
			c.Close()
		}
		return fmt.Errorf("TCP to a closed port: %v", err)
	}
	c, err := a.DialContext(ctx, "udp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("anybody?")); err != nil {
		return err
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("UDP to a closed port: %v", err)
	}
	return nil
}

// extended sends UDP behind extension headers that the kernel makes.
func extended(server netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	padded := string([]byte{0, 0, 1, 4, 0, 0, 0, 0}) // PadN of 6 bytes (RFC 8200, section 4.2)
	to := &unix.SockaddrInet6{Port: closedPort, Addr: server.As16()}
	for _, option := range []int{unix.IPV6_DSTOPTS, unix.IPV6_HOPOPTS} {
		if err := unix.SetsockoptString(fd, unix.IPPROTO_IPV6, option, padded); err != nil {
			return err
		}
		for _, size := range []int{10, 3000} {
			if err := unix.Sendto(fd, make([]byte, size), 0, to); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
				return err
			}
		}
	}
	return nil
}
