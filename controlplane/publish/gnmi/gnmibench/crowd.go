package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// quiet is for how long nothing must have come before a client believes that nothing more will.
const quiet = 2 * time.Second

// spare is what a client process may take before it collects its garbage. Nine hundred clients in one process would stop
// each other several times a second, and that would be measured.
const spare = 1 << 30

// crowd has subscribers on connections of their own, who measure from the time of the change to its arrival, until the
// standard input ends.
func crowd(d dialer, args []string) (result, error) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(spare)
	count, _ := strconv.Atoi(args[0])
	services, _ := strconv.Atoi(args[1])
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var came atomic.Int64
	var mu sync.Mutex
	var all []float64
	var failed []error
	var group sync.WaitGroup
	for i := range count {
		service := keyed("service", "namespace", namespace, "name", serviceName(i%services))
		stream, hangUp, err := d.follow(ctx, path(append(named("kubernetes", "clusters", "cluster", "services"), service)...))
		if err != nil {
			return nil, err
		}
		defer hangUp()
		group.Go(func() {
			took, err := listen(stream, &came)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if ctx.Err() == nil {
				failed = append(failed, err)
			}
		})
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	for had := int64(-1); had != came.Load(); {
		had = came.Load()
		time.Sleep(quiet)
	}
	cancel()
	group.Wait()
	slices.Sort(all)
	return result{"changes": float64(len(all)), "p50": quantile(all, 0.5), "p99": quantile(all, 0.99), "most": quantile(all, 1)},
		errors.Join(append(failed, err)...)
}

// stuck has subscribers who take nothing, until the standard input ends. Each asks for everything, in a way of its own so
// that it shares nothing with others.
func stuck(d dialer, args []string) (result, error) {
	count, _ := strconv.Atoi(args[0])
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for i := range count {
		own := path(append(named("kubernetes", "clusters", "cluster", "pods"), keyed("pod", "uid", uid(i)))...)
		_, hangUp, err := d.follow(ctx, path(named("kubernetes", "clusters", "cluster", "services")...), own)
		if err != nil {
			return nil, err
		}
		defer hangUp()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return result{}, err
}

// follow subscribes to changes on a connection of its own.
func (d dialer) follow(ctx context.Context, paths ...*gpb.Path) (_ gpb.GNMI_SubscribeClient, hangUp func() error, err error) {
	conn, err := d.dial()
	if err != nil {
		return nil, nil, err
	}
	stream, err := subscribe(ctx, gpb.NewGNMIClient(conn), gpb.SubscriptionList_STREAM, paths...)
	return stream, conn.Close, err
}

// listen gives how long each change took to arrive, and counts them as they do.
func listen(stream gpb.GNMI_SubscribeClient, came *atomic.Int64) ([]float64, error) {
	var took []float64
	synced := false
	for {
		resp, err := stream.Recv()
		if err != nil {
			return took, err
		}
		if synced {
			took = append(took, time.Since(time.Unix(0, resp.GetUpdate().GetTimestamp())).Seconds())
			came.Add(1)
		}
		synced = synced || resp.GetSyncResponse()
	}
}
