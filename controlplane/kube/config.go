// Package kube watches the APIs of Kubernetes clusters and tells a sink, as facts of
// inventory, what exists there: namespaces, nodes, pods, services and what stands behind them.
//
// Of each object only the fact is kept, and only by the sink; the package itself remembers
// nothing but what one fact is made of several objects of: endpoint slices, and gateways with their routes.
// An API server may be down at any time, also at the start: the cluster's own fact says so, and its other
// facts stay as they were last known until the server answers again. What happened in between and cannot be
// told any more is not made up: a fact of its own says from when to when nothing was known.
//
// Clusters come and go while the watcher runs, see Watcher.Set. Those of two clusters never mix: every fact
// carries the name of its cluster.
//
// Times of events are those of the API where it gives them (creation, transitions of
// conditions), to its precision of a second, and else the time of receipt.
package kube

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Config says which clusters to watch.
type Config struct {
	Clusters []Cluster     // to begin with: see Watcher.Set
	RetryMin time.Duration // first pause before a failed request is tried again
	RetryMax time.Duration // longest such pause, before jitter of up to a half of it
	Reread   time.Duration // between looks at the files of credentials, and for APIs that come and go
}

// Cluster is one Kubernetes API: by a kubeconfig, or by server, token and CA.
type Cluster struct {
	Name       string
	Kubeconfig string // file
	Context    string // in the kubeconfig; empty for its current-context

	Server    string // https://host:port
	TokenFile string // read again when it changes
	CAFile    string // PEM; empty for the system's CAs

	VNIs []uint32 // overlay identifiers that are the cluster's alone; empty if they tell nothing
}

// DefaultConfig watches nothing, tries again after 0.2 s to 5 s, and looks at files every 10 s.
func DefaultConfig() Config {
	return Config{RetryMin: 200 * time.Millisecond, RetryMax: 5 * time.Second, Reread: 10 * time.Second}
}

// Validate reports every field that cannot be used. It reads no files; New does.
func (c Config) Validate() error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.RetryMin <= 0 {
		problem("retry-min: %v is not positive", c.RetryMin)
	}
	if c.RetryMax < c.RetryMin {
		problem("retry-max: %v is less than retry-min, %v", c.RetryMax, c.RetryMin)
	}
	if c.Reread <= 0 {
		problem("reread: %v is not positive", c.Reread)
	}
	if err := validateClusters(c.Clusters); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("kube: %w", errors.Join(errs...))
}

func validateClusters(clusters []Cluster) error {
	var errs []error
	problem := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	names := map[string]bool{}
	for i, cluster := range clusters {
		at := fmt.Sprintf("clusters[%d]", i)
		switch {
		case cluster.Name == "":
			problem("%s.name: is empty", at)
		case names[cluster.Name]:
			problem("%s.name: %q is there twice", at, cluster.Name)
		}
		names[cluster.Name] = true
		switch {
		case cluster.Kubeconfig == "" && cluster.Server == "":
			problem("%s (%s): needs kubeconfig or server", at, cluster.Name)
		case cluster.Kubeconfig != "" && cluster.Server+cluster.TokenFile+cluster.CAFile != "":
			problem("%s (%s): kubeconfig excludes server, token-file and ca-file", at, cluster.Name)
		case cluster.Server != "" && cluster.TokenFile == "":
			problem("%s (%s): server needs token-file", at, cluster.Name)
		}
	}
	return errors.Join(errs...)
}

// Sink takes the facts; history.Store is one. Its methods may be called from any goroutine.
type Sink interface {
	// Record takes changes. A fact equal to the current one must be no change.
	Record(changes ...inventory.Change)
	// Replace makes facts everything of a kind in a cluster: what is missing ends.
	Replace(kind inventory.Kind, cluster string, facts []inventory.Fact, at time.Time)
	// Retain ends everything of a kind in a cluster that is not there, as of at or some time before.
	Retain(kind inventory.Kind, cluster string, there map[inventory.Ref]struct{}, at time.Time)
	// Now gives what was recorded last, by which a change finds when it happened.
	Now() inventory.View
	// Resumed is when the last change was recorded before this run; zero for none.
	Resumed() time.Time
}

// Deps is what a Watcher uses of its surroundings. Sink is required.
type Deps struct {
	Sink       Sink
	Log        *slog.Logger          // nil discards
	Now        func() time.Time      // clock of receipt; nil is time.Now
	Registerer prometheus.Registerer // nil registers nowhere
}
