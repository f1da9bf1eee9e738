package node

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

const bridgeName = "cni0"

// offloads that let the kernel count, segment or leave unchecked several
// packets as one.
var offloads = []string{"tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"}

// batch runs iproute2 commands in a namespace, one a line, up to the first that fails.
func batch(ctx context.Context, namespace *netns.Namespace, lines ...string) error {
	_, err := namespace.Run(ctx, strings.Join(lines, "\n")+"\n", "ip", "-batch", "-")
	return err
}

func disableOffloads(ctx context.Context, namespace *netns.Namespace, device string) error {
	_, err := namespace.Run(ctx, "", "ethtool", append([]string{"-K", device}, offloads...)...)
	return err
}

// makeBridge makes the bridge of the node's pods, which is their gateway.
func makeBridge(ctx context.Context, namespace *netns.Namespace, gateway netip.Prefix, mtu int) error {
	err := batch(ctx, namespace,
		"link set lo up",
		fmt.Sprintf("link add %s mtu %d type bridge mcast_snooping 0", bridgeName, mtu),
		fmt.Sprintf("link set %s addrgenmode none", bridgeName),
		fmt.Sprintf("link set %s address %s", bridgeName, hardwareAddress(0x0a, 0x58, gateway.Addr())),
		fmt.Sprintf("address add %v broadcast + dev %s", gateway, bridgeName),
		fmt.Sprintf("link set %s up", bridgeName),
	)
	if err != nil {
		return fmt.Errorf("make bridge %s: %w", bridgeName, err)
	}
	for _, setting := range [][2]string{
		{"net/ipv4/ip_forward", "1"},
		// A pod's reply to a pod of the same node has to pass the NAT of
		// kube-proxy although the bridge could carry it directly.
		{"net/bridge/bridge-nf-call-iptables", "1"},
		{"net/ipv4/conf/all/rp_filter", "0"},
	} {
		if err := namespace.WriteSysctl(setting[0], setting[1]); err != nil {
			return err
		}
	}
	return disableOffloads(ctx, namespace, bridgeName)
}

// connectPod joins a pod's namespace to the bridge: a veth pair, the pod's end
// named eth0 with the address and a default route to the gateway.
func connectPod(ctx context.Context, node, pod *netns.Namespace, podName, hostDevice string, address netip.Prefix, gateway netip.Addr, mtu int) error {
	if err := pod.WriteSysctl("net/ipv6/conf/all/disable_ipv6", "1"); err != nil {
		return err
	}
	err := batch(ctx, node,
		fmt.Sprintf("link add %s mtu %d type veth peer name eth0 mtu %d netns %s", hostDevice, mtu, mtu, podName),
		fmt.Sprintf("link set %s addrgenmode none", hostDevice),
		fmt.Sprintf("link set %s master %s", hostDevice, bridgeName),
		// A pod may be its own service's backend.
		fmt.Sprintf("link set %s type bridge_slave hairpin on", hostDevice),
	)
	if err != nil {
		return fmt.Errorf("connect pod at %v: %w", address, err)
	}
	// Offloads first, so that no packet passes with them.
	if err := disableOffloads(ctx, node, hostDevice); err != nil {
		return err
	}
	if err := disableOffloads(ctx, pod, "eth0"); err != nil {
		return err
	}
	if err := batch(ctx, node, fmt.Sprintf("link set %s up", hostDevice)); err != nil {
		return err
	}
	return batch(ctx, pod,
		fmt.Sprintf("address add %v broadcast + dev eth0", address),
		"link set eth0 up",
		fmt.Sprintf("route add default via %v", gateway),
	)
}

// hardwareAddress is a locally administered MAC address made of two bytes and
// an IPv4 address: 0a:58 is what container bridges use.
func hardwareAddress(first, second byte, address netip.Addr) string {
	b := address.As4()
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", first, second, b[0], b[1], b[2], b[3])
}
