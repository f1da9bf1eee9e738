package workload

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// pingHosts sends an ICMP echo request to every address of every host, each
// interval, until the context ends, and logs now and then how many were answered.
func pingHosts(ctx context.Context, hosts []string, interval time.Duration, logger *slog.Logger) error {
	connection, err := icmp.ListenPacket("ip4:icmp", "0.0.0.0")
	if err != nil {
		return fmt.Errorf("open an ICMP socket (it needs CAP_NET_RAW): %w", err)
	}
	answered := make(chan int, 1)
	go func() { answered <- countReplies(connection) }()
	sent := 0
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for sequence := 1; ; sequence++ {
		select {
		case <-ctx.Done():
			connection.Close()
			logger.Info("pings", "sent", sent, "answered", <-answered)
			return nil
		case <-ticker.C:
			for _, host := range hosts {
				n, err := pingOnce(ctx, connection, host, sequence)
				sent += n
				if err != nil && ctx.Err() == nil {
					logger.Warn("a ping failed", "host", host, "error", err)
				}
			}
		}
	}
}

// pingOnce sends one echo request to each IPv4 address of the host and gives their number.
func pingOnce(ctx context.Context, connection *icmp.PacketConn, host string, sequence int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return 0, err
	}
	request := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: echoID(), Seq: sequence & 0xffff, Data: make([]byte, 56)}}
	packet, err := request.Marshal(nil)
	if err != nil {
		return 0, fmt.Errorf("encode an echo request: %w", err)
	}
	for sent, address := range found {
		if _, err := connection.WriteTo(packet, &net.IPAddr{IP: address.Unmap().AsSlice()}); err != nil {
			return sent, err
		}
	}
	return len(found), nil
}

// countReplies counts the echo replies to this process until the socket is closed.
func countReplies(connection *icmp.PacketConn) int {
	count, buffer := 0, make([]byte, 1500)
	for {
		n, _, err := connection.ReadFrom(buffer)
		if err != nil {
			return count
		}
		message, err := icmp.ParseMessage(1, buffer[:n]) // 1 is ICMP for IPv4
		if err != nil || message.Type != ipv4.ICMPTypeEchoReply {
			continue
		}
		if echo, ok := message.Body.(*icmp.Echo); ok && echo.ID == echoID() {
			count++
		}
	}
}

func echoID() int { return os.Getpid() & 0xffff }
