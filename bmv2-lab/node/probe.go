package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// prober applies one container's readiness probe inside the pod's namespace, so
// that probes never cross the fabric.
type prober struct {
	probe     *corev1.Probe
	ports     []corev1.ContainerPort
	address   string // the pod's
	namespace *netns.Namespace
	unit      time.Duration // of the probe's times: a second but in tests
}

// run probes until the context ends, and reports each change of readiness. A
// container is not ready until the probe has succeeded.
func (p *prober) run(ctx context.Context, report func(ready bool, reason error)) {
	if !sleep(ctx, time.Duration(p.probe.InitialDelaySeconds)*p.unit) {
		return
	}
	period := time.Duration(max(p.probe.PeriodSeconds, 1)) * p.unit
	ready, successes, failures := false, int32(0), int32(0)
	for {
		err := p.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			successes, failures = successes+1, 0
		} else {
			successes, failures = 0, failures+1
		}
		switch {
		case !ready && successes >= max(p.probe.SuccessThreshold, 1):
			ready = true
			report(true, nil)
		case ready && failures >= max(p.probe.FailureThreshold, 1):
			ready = false
			report(false, err)
		}
		// A container that is starting is asked more often than its period, as
		// a kubelet asks at once when a container has started.
		wait := period
		if !ready {
			wait = min(period, p.unit/4)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// once applies the probe once.
func (p *prober) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(time.Duration(p.probe.TimeoutSeconds)*time.Second, time.Second))
	defer cancel()
	switch {
	case p.probe.HTTPGet != nil:
		return p.httpGet(ctx, p.probe.HTTPGet)
	case p.probe.TCPSocket != nil:
		port, err := p.port(p.probe.TCPSocket.Port)
		if err != nil {
			return err
		}
		connection, err := p.namespace.DialContext(ctx, "tcp", net.JoinHostPort(p.address, port))
		if err != nil {
			return err
		}
		return connection.Close()
	case p.probe.Exec != nil && len(p.probe.Exec.Command) > 0:
		command := p.probe.Exec.Command
		_, err := p.namespace.Run(ctx, "", command[0], command[1:]...)
		return err
	default:
		return errors.New("the probe has no action")
	}
}

func (p *prober) httpGet(ctx context.Context, action *corev1.HTTPGetAction) error {
	port, err := p.port(action.Port)
	if err != nil {
		return err
	}
	url := "http://" + net.JoinHostPort(p.address, port) + action.Path
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	for _, header := range action.HTTPHeaders {
		request.Header.Set(header.Name, header.Value)
	}
	transport := &http.Transport{DialContext: p.namespace.DialContext, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // the status is the answer
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

func (p *prober) port(port intstr.IntOrString) (string, error) {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue()), nil
	}
	for _, named := range p.ports {
		if named.Name == port.StrVal {
			return strconv.Itoa(int(named.ContainerPort)), nil
		}
	}
	return "", fmt.Errorf("the container has no port named %q", port.StrVal)
}

// sleep waits, or is false when the context ends first.
func sleep(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
