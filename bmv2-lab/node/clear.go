package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// clear removes what an earlier agent of this node left: namespaces of pods,
// devices, rules and files. Its processes have ended with it.
func (a *Agent) clear() error {
	names, err := netns.Named(podNamespacePrefix(a.config.Name))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := netns.Remove(name); err != nil {
			return err
		}
	}
	if err := a.clearNetwork(); err != nil {
		return err
	}
	if err := os.RemoveAll(a.config.Directory); err != nil {
		return fmt.Errorf("remove the node's directory: %w", err)
	}
	return nil
}

// clearNetwork removes the agent's devices and rules, and kube-proxy's, from
// the worker's namespace.
func (a *Agent) clearNetwork() error {
	ctx := context.Background() // it is what remains to be done when the agent's has ended
	namespace := a.kit.namespace
	devices, err := namespace.Run(ctx, "", "ip", "-brief", "link", "show")
	if err != nil {
		return err
	}
	var problems []error
	for line := range strings.Lines(devices) {
		name, _, _ := strings.Cut(strings.Fields(line + " -")[0], "@")
		if name != bridgeName && name != a.config.Overlay.Device && !isPodDevice(name) {
			continue
		}
		if _, err := namespace.Run(ctx, "", "ip", "link", "del", name); err != nil && !alreadyGone(err) {
			problems = append(problems, err)
		}
	}
	for _, table := range []string{"ip " + masqueradeTable, "ip kube-proxy", "ip6 kube-proxy"} {
		// Deleting a table that is not there would be an error, adding one that is would not.
		rules := fmt.Sprintf("add table %[1]s\ndelete table %[1]s\n", table)
		if _, err := namespace.Run(ctx, rules, "nft", "-f", "-"); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// isPodDevice tells the names that shortUID gives to the bridge's ends of veth pairs.
func isPodDevice(name string) bool {
	digits, ok := strings.CutPrefix(name, "veth")
	return ok && len(digits) == 8 && strings.Trim(digits, "0123456789abcdef") == ""
}
