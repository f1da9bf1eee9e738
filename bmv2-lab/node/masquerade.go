package node

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

const masqueradeTable = "fabriclab"

// masquerade lets pods reach what is outside the cluster with their node's
// address, and makes what comes from outside to another node's pod return by
// this node, as flannel's --ip-masq does.
func masquerade(ctx context.Context, namespace *netns.Namespace, cluster, local netip.Prefix) error {
	rules := fmt.Sprintf(`
add table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %[2]v ip daddr %[2]v return
		ip saddr %[2]v ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != %[2]v ip daddr %[3]v return
		ip saddr != %[2]v ip daddr %[2]v masquerade fully-random
	}
}
`, masqueradeTable, cluster, local)
	if _, err := namespace.Run(ctx, rules, "nft", "-f", "-"); err != nil {
		return fmt.Errorf("set up masquerading: %w", err)
	}
	return nil
}
