package app

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

// Reload makes the clusters of cfg those that are watched. Everything else of a configuration is read at start;
// the keys that differ and wait for that are given. After an error all is as before. It is for one goroutine.
func (d *Daemon) Reload(cfg config.Config) (waiting []string, err error) {
	if err := d.watcher.Set(clusters(cfg)); err != nil {
		return nil, err
	}
	d.cfg.Clusters = cfg.Clusters
	for _, w := range strangers(d.cfg) {
		d.log.Warn(w)
	}
	was, is := reflect.ValueOf(d.cfg), reflect.ValueOf(cfg)
	for i := range is.NumField() {
		if !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			waiting = append(waiting, is.Type().Field(i).Tag.Get("yaml"))
		}
	}
	return waiting, nil
}

// reloadOn reads the file again whenever asked to, until ctx ends.
func (d *Daemon) reloadOn(ctx context.Context, asked <-chan os.Signal, path string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		}
		if err := d.guard.Reopen(); err != nil {
			d.log.Error("the audit log cannot be opened anew", "error", err)
		}
		cfg, err := config.Load(path)
		var waiting []string
		if err == nil {
			waiting, err = d.Reload(cfg)
		}
		if err != nil {
			d.log.Error("the configuration cannot be used; all goes on with the one before", "error", err)
			continue
		}
		d.log.Info("configuration read again", "clusters", len(cfg.Clusters))
		if len(waiting) > 0 {
			d.log.Warn("these differ too, and wait for a restart", "keys", strings.Join(waiting, ", "))
		}
	}
}

// clusters is what the watcher needs of a configuration.
func clusters(cfg config.Config) []kube.Cluster {
	all := make([]kube.Cluster, len(cfg.Clusters))
	for i, c := range cfg.Clusters {
		all[i] = kube.Cluster{Name: c.Name, Kubeconfig: c.Kubeconfig, Context: c.Context,
			Server: c.Server, TokenFile: c.TokenFile, CAFile: c.CAFile, VNIs: c.VNIs}
	}
	return all
}

func newWatcher(cfg config.Config, store *history.Store, log *slog.Logger, r prometheus.Registerer) (*kube.Watcher, error) {
	c := kube.DefaultConfig()
	c.Clusters = clusters(cfg)
	return kube.New(c, kube.Deps{Sink: store, Log: log, Registerer: r})
}
