package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// startTracking has the kernel of every worker tell the connections that it translates.
func (l *Lab) startTracking() error {
	for _, w := range slices.Concat(l.Topology.Workers(l.blue.name()), l.Topology.Workers(l.green.name())) {
		ns, err := netns.Open(netns.PathOfPID(l.network.hosts[w.Name]))
		if err != nil {
			return err
		}
		p, err := process.Start(process.Spec{Name: "conntrack of " + w.Name, Path: "/usr/sbin/conntrack", Log: l.trackedFile(w.Name),
			Args: []string{"-E", "-e", "NEW", "-p", "tcp", "-b", "4194304"}, Enter: ns.Enter})
		ns.Close()
		if err != nil {
			return err
		}
		l.undo(func() { p.Stop(stopGrace) })
		l.tracking = append(l.tracking, p)
	}
	return nil
}

func (l *Lab) trackedFile(worker string) string {
	return filepath.Join(l.Config.Directory, "log", "conntrack-"+worker+".log")
}

// translations ends the tracking, and gives what a cluster's workers translated.
func (l *Lab) translations(t *tenant) ([]check.Translation, error) {
	for _, p := range l.tracking {
		p.Stop(stopGrace)
	}
	var all []check.Translation
	for _, w := range l.Topology.Workers(t.name()) {
		file, err := os.Open(l.trackedFile(w.Name))
		if err != nil {
			return nil, err
		}
		some, err := check.Translations(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}
