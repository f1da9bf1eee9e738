package workload

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// serveDNS is the role of the cluster's DNS server. It finds the API server by
// $KUBECONFIG, as every client does, and is ready (GET /ready) once it knows
// all services.
func serveDNS(ctx context.Context, args []string, logger *slog.Logger) error {
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	listen := flags.String("listen", ":53", "UDP and TCP address to listen on")
	readiness := flags.String("ready", ":8181", "HTTP address of the readiness answer")
	domain := flags.String("domain", "cluster.local", "the cluster's domain")
	drain := flags.Duration("drain", 2*time.Second, "time to go on answering after SIGTERM")
	if err := parse(flags, args); err != nil {
		return err
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client of %s: %w", config.Host, err)
	}
	packets, err := net.ListenPacket("udp4", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer packets.Close()
	connections, err := net.Listen("tcp4", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer connections.Close()
	// What follows outlives the context by the drain time.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	factory := informers.NewSharedInformerFactory(client, 0)
	server := &dnsServer{logger: logger, zone: newZone(*domain, factory)}
	factory.Start(inner.Done())
	defer factory.Shutdown()
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	defer packets.Close()
	defer connections.Close()
	if ctx.Err() == nil && !server.zone.wait(ctx) {
		return nil // stopped before the services were known
	}
	running.Go(func() { server.servePackets(packets) })
	running.Go(func() { server.serveConnections(connections) })
	ready := http.NewServeMux()
	ready.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return serveHTTP(ctx, *readiness, ready, *drain, logger)
}

// dnsServer answers from a zone.
type dnsServer struct {
	logger *slog.Logger
	zone   *zone
}

// servePackets answers UDP queries until the socket is closed.
func (s *dnsServer) servePackets(packets net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier answer
		}
		answer, err := s.zone.answer(buffer[:n], maxUDPAnswer)
		if err != nil {
			s.logger.Debug("a query was not understood", "from", from, "error", err)
			continue
		}
		if _, err := packets.WriteTo(answer, from); err != nil {
			s.logger.Debug("an answer was not sent", "to", from, "error", err)
		}
	}
}

// maxTCPClients bounds the connections served at once.
const maxTCPClients = 64

// serveConnections answers TCP queries, each preceded by its length in two
// bytes (RFC 1035, 4.2.2), until the listener is closed.
func (s *dnsServer) serveConnections(listener net.Listener) {
	slots := make(chan struct{}, maxTCPClients)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			defer connection.Close()
			s.serveConnection(connection)
		})
	}
}

func (s *dnsServer) serveConnection(connection net.Conn) {
	for {
		_ = connection.SetDeadline(time.Now().Add(2 * time.Second)) // an error shows at the next read
		var length [2]byte
		if _, err := io.ReadFull(connection, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(connection, query); err != nil {
			return
		}
		answer, err := s.zone.answer(query, 0xffff)
		if err != nil {
			return
		}
		if _, err := connection.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}
