package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

const pollInterval = 100 * time.Millisecond

// await returns when the component's health URL answers 200, or an error with
// the end of the component's log when it ends or the time is up.
func (c *Cluster) await(ctx context.Context, component component, running *process.Process) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.StartTimeout)
	defer cancel()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.authority.pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	begin := time.Now()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := probe(ctx, client, component.health)
		if err == nil {
			c.logger.Info(component.name+" ready", "took", time.Since(begin).Round(time.Millisecond))
			return nil
		}
		select {
		case <-running.Done():
			return running.Err()
		case <-ctx.Done():
			log := c.config.Directory + "/log/" + component.name + ".log"
			return fmt.Errorf("%s is not ready after %v: %w; the end of %s:\n%s",
				component.name, c.config.StartTimeout, err, log, process.Tail(log, 12))
		case <-ticker.C:
		}
	}
}

func probe(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// furnish applies the roles, and waits for the default service account, without
// which no pod is admitted; where no controller makes it, nobody waits.
func (c *Cluster) furnish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.StartTimeout)
	defer cancel()
	client, err := c.Client()
	if err != nil {
		return err
	}
	if err := applyRoles(ctx, client); err != nil || c.config.WithoutControllers {
		return err
	}
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return nil
		}
		if !apierrors.IsNotFound(err) && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("wait for the default service account: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the default service account: %w; the controller manager makes it, see its log", err)
		case <-ticker.C:
		}
	}
}
