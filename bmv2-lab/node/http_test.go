package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// httpVia is a client whose connections begin in a namespace.
func httpVia(namespace *netns.Namespace) *http.Client {
	return &http.Client{
		Timeout:   3 * time.Second,
		Transport: &http.Transport{DialContext: namespace.DialContext, DisableKeepAlives: true},
	}
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// ping sends one ICMP echo request with so many bytes of data from a namespace
// and waits for the reply.
func ping(namespace *netns.Namespace, address string, size int) error {
	var connection *icmp.PacketConn
	if err := namespace.Do(func() (err error) {
		connection, err = icmp.ListenPacket("ip4:icmp", "0.0.0.0")
		return err
	}); err != nil {
		return err
	}
	defer connection.Close()
	request := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 77, Seq: 1, Data: make([]byte, size)}}
	packet, err := request.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := connection.WriteTo(packet, &net.IPAddr{IP: net.ParseIP(address)}); err != nil {
		return err
	}
	if err := connection.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	buffer := make([]byte, 2000)
	for {
		n, from, err := connection.ReadFrom(buffer)
		if err != nil {
			return fmt.Errorf("ping %s with %d bytes: %w", address, size, err)
		}
		message, err := icmp.ParseMessage(1, buffer[:n])
		if err == nil && message.Type == ipv4.ICMPTypeEchoReply && from.String() == address {
			return nil
		}
	}
}
