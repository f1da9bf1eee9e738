package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc"
	transport "google.golang.org/grpc/credentials"
)

// client is the other process: it measures one thing and prints the result.
func client(args []string) error {
	if len(args) < 3 {
		return errors.New("ADDRESS CA MEASUREMENT [ARGUMENTS]")
	}
	d := dialer{address: args[0]}
	pem, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	d.pool = x509.NewCertPool()
	d.pool.AppendCertsFromPEM(pem)
	measure := map[string]func(dialer, []string) (result, error){"reads": reads, "crowd": crowd, "stuck": stuck, "flood": flood}[args[2]]
	if measure == nil {
		return fmt.Errorf("no measurement %q", args[2])
	}
	r, err := measure(d, args[3:])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

type dialer struct {
	address string
	pool    *x509.CertPool
}

func (d dialer) dial(options ...grpc.DialOption) (*grpc.ClientConn, error) {
	secure := transport.NewTLS(&tls.Config{RootCAs: d.pool, MinVersion: tls.VersionTLS12})
	return grpc.NewClient("passthrough:///"+d.address, append(options, grpc.WithTransportCredentials(secure), grpc.WithPerRPCCredentials(credentials{}))...)
}

func path(elems ...*gpb.PathElem) *gpb.Path { return &gpb.Path{Elem: elems} }

// named is elements without keys.
func named(names ...string) []*gpb.PathElem {
	var out []*gpb.PathElem
	for _, n := range names {
		out = append(out, &gpb.PathElem{Name: n})
	}
	return out
}

func keyed(name string, keys ...string) *gpb.PathElem {
	e := &gpb.PathElem{Name: name, Key: map[string]string{}}
	for i := 0; i < len(keys); i += 2 {
		e.Key[keys[i]] = keys[i+1]
	}
	return e
}

func subscribe(ctx context.Context, c gpb.GNMIClient, mode gpb.SubscriptionList_Mode, paths ...*gpb.Path) (gpb.GNMI_SubscribeClient, error) {
	stream, err := c.Subscribe(ctx)
	if err != nil {
		return nil, err
	}
	return stream, stream.Send(request(mode, paths...))
}

func request(mode gpb.SubscriptionList_Mode, paths ...*gpb.Path) *gpb.SubscribeRequest {
	list := &gpb.SubscriptionList{Mode: mode, Encoding: gpb.Encoding_PROTO}
	for _, p := range paths {
		list.Subscription = append(list.Subscription, &gpb.Subscription{Path: p, Mode: gpb.SubscriptionMode_ON_CHANGE})
	}
	return &gpb.SubscribeRequest{Request: &gpb.SubscribeRequest_Subscribe{Subscribe: list}}
}

// once counts the leaves of a ONCE.
func once(ctx context.Context, c gpb.GNMIClient, p *gpb.Path) (leaves int, err error) {
	stream, err := subscribe(ctx, c, gpb.SubscriptionList_ONCE, p)
	if err != nil {
		return 0, err
	}
	for {
		resp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return leaves, nil
		}
		if err != nil {
			return 0, err
		}
		leaves += len(resp.GetUpdate().GetUpdate())
	}
}

func reads(d dialer, args []string) (result, error) {
	services, err := strconv.Atoi(args[0])
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	conn, err := d.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := gpb.NewGNMIClient(conn)
	r := result{}
	inCluster := append(named("kubernetes", "clusters"), keyed("cluster", "name", cluster))
	measure := func(name, count string, n int, f func(i int) (int, error)) error {
		var took []float64
		for i := range n {
			begun := time.Now()
			leaves, err := f(i)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			took = append(took, time.Since(begun).Seconds())
			r[count] = float64(leaves)
		}
		slices.Sort(took)
		r[name], r[name+"99"] = quantile(took, 0.5), quantile(took, 0.99)
		return nil
	}
	pods := slices.Concat(named("kubernetes", "clusters", "cluster", "pods", "pod", "state"))
	members := func(service *gpb.PathElem) *gpb.Path {
		return path(slices.Concat(inCluster, named("services"), []*gpb.PathElem{service})...)
	}
	return r, errors.Join(
		measure("once", "leaves", 3, func(int) (int, error) { return countOnce(ctx, conn, path(pods...)) }),
		measure("decoded", "decoded-leaves", 3, func(int) (int, error) { return once(ctx, c, path(pods...)) }),
		measure("get", "get-leaves", 2000, func(i int) (int, error) {
			p := path(slices.Concat(inCluster, named("pods"), []*gpb.PathElem{keyed("pod", "uid", uid(i))})...)
			resp, err := c.Get(ctx, &gpb.GetRequest{Path: []*gpb.Path{p}, Encoding: gpb.Encoding_JSON_IETF})
			return len(resp.GetNotification()), err
		}),
		measure("service", "service-leaves", 51, func(i int) (int, error) {
			return once(ctx, c, members(keyed("service", "namespace", namespace, "name", serviceName(i%services))))
		}),
		measure("anywhere", "anywhere-leaves", 51, func(i int) (int, error) {
			return once(ctx, c, members(keyed("service", "name", serviceName(i%services))))
		}),
	)
}

// quantile gives the value that a share q of sorted is not above.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
