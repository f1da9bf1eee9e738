package kube

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Annotations by which network plugins publish a node's end of their overlay.
const (
	flannelAddress = "flannel.alpha.coreos.com/public-ip"    // flannel, pkg/subnet/kube
	flannelData    = "flannel.alpha.coreos.com/backend-data" // JSON with the VNI; of backend vxlan
	calicoAddress  = "projectcalico.org/IPv4Address"         // Calico, with a prefix length
	calicoAddress6 = "projectcalico.org/IPv6Address"
	calicoVXLAN    = "projectcalico.org/IPv4VXLANTunnelAddr"
	calicoIPIP     = "projectcalico.org/IPv4IPIPTunnelAddr"
	ciliumHost     = "network.cilium.io/ipv4-cilium-host" // Cilium, documentation of annotations
	ciliumHost6    = "network.cilium.io/ipv6-cilium-host"
)

// overlay reads the annotations of a node. What cannot be read is as if it were not there: they are
// other programs' words, and a hint only.
func overlay(annotations map[string]string) inventory.Overlay {
	var o inventory.Overlay
	add := func(to *[]netip.Addr, name string) {
		text := annotations[name]
		address, err := netip.ParseAddr(text)
		if prefix, withLength := netip.ParsePrefix(text); withLength == nil {
			address, err = prefix.Addr(), nil
		}
		if err == nil && !slices.Contains(*to, address.Unmap()) {
			*to = append(*to, address.Unmap())
		}
	}
	for _, name := range []string{flannelAddress, calicoAddress, calicoAddress6} {
		add(&o.Addresses, name)
	}
	for _, name := range []string{calicoVXLAN, calicoIPIP, ciliumHost, ciliumHost6} {
		add(&o.Inner, name)
	}
	var flannel struct {
		VNI uint32 `json:"VNI"`
	}
	if json.Unmarshal([]byte(annotations[flannelData]), &flannel) == nil && flannel.VNI != 0 {
		o.VNIs = append(o.VNIs, flannel.VNI)
	}
	return o
}
