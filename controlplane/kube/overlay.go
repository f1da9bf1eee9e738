package kube

import (
	"encoding/json"
	"net/netip"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Annotations by which network plugins publish a node's end of their overlay. docs/NETWORKS.md says what is made of them.
const (
	flannelAddress = "flannel.alpha.coreos.com/public-ip"    // flannel, pkg/subnet/kube
	flannelData    = "flannel.alpha.coreos.com/backend-data" // JSON with the VNI; of backend vxlan
	calicoAddress  = "projectcalico.org/IPv4Address"         // Calico, with a prefix length
	calicoAddress6 = "projectcalico.org/IPv6Address"
	calicoVXLAN    = "projectcalico.org/IPv4VXLANTunnelAddr"
	calicoVXLAN6   = "projectcalico.org/IPv6VXLANTunnelAddr"
	calicoIPIP     = "projectcalico.org/IPv4IPIPTunnelAddr"
	ciliumPrefix   = "network.cilium.io/"                          // Cilium, documentation of annotations; of old with its words turned round
	ciliumOld      = "io.cilium.network."                          // until Cilium 1.13
	ovnEncap       = "k8s.ovn.org/node-encap-ips"                  // OVN-Kubernetes, go-controller/pkg/util: JSON list of addresses
	ovnSubnets     = "k8s.ovn.org/node-subnets"                    // JSON: by network, of which the pods' is "default", a prefix or a list
	ovnPrimary     = "k8s.ovn.org/node-primary-ifaddr"             // JSON: ipv4 and ipv6, with a prefix length
	ovnGateway     = "k8s.ovn.org/node-gateway-router-lrp-ifaddr"  // likewise
	ovnGateways    = "k8s.ovn.org/node-gateway-router-lrp-ifaddrs" // likewise, by network
)

// defaultNetwork is what OVN-Kubernetes calls the one that every pod is in.
const defaultNetwork = "default"

// overlay reads the annotations of a node, and what they say of the addresses of its pods. What cannot be read is as if it
// were not there: they are other programs' words, and a hint only.
func overlay(annotations map[string]string) (o inventory.Overlay, pods []netip.Prefix) {
	for _, name := range []string{flannelAddress, calicoAddress, calicoAddress6} {
		add(&o.Addresses, annotations[name])
	}
	for _, name := range []string{calicoVXLAN, calicoVXLAN6, calicoIPIP} {
		add(&o.Inner, annotations[name])
	}
	var flannel struct {
		VNI uint32 `json:"VNI"`
	}
	if json.Unmarshal([]byte(annotations[flannelData]), &flannel) == nil && flannel.VNI != 0 {
		o.VNIs = append(o.VNIs, flannel.VNI)
	}
	pods = append(cilium(annotations, &o), ovn(annotations, &o)...)
	return o, pods
}

// add appends an address, with or without a prefix length, that is not there yet.
func add(to *[]netip.Addr, text string) {
	address, err := netip.ParseAddr(text)
	if prefix, withLength := netip.ParsePrefix(text); withLength == nil {
		address, err = prefix.Addr(), nil
	}
	if err == nil && !slices.Contains(*to, address.Unmap()) {
		*to = append(*to, address.Unmap())
	}
}

// cilium reads what Cilium writes where annotate-k8s-node is set: addresses of the node, its probe and its Ingress, none of which
// is a pod's. Its tunnels are between the node's own addresses, and its VNIs are identities of pods.
func cilium(annotations map[string]string, o *inventory.Overlay) (pods []netip.Prefix) {
	for _, prefix := range []string{ciliumPrefix, ciliumOld} {
		for _, family := range []string{"ipv4-", "ipv6-"} {
			for _, name := range []string{"cilium-host", "health-ip", "Ingress-ip"} {
				add(&o.Inner, annotations[prefix+family+name])
			}
			if p, err := netip.ParsePrefix(annotations[prefix+family+"pod-cidr"]); err == nil && !slices.Contains(pods, p) {
				pods = append(pods, p)
			}
		}
	}
	return pods
}

// ovn reads what OVN-Kubernetes writes. A node speaks to pods from the second address of its subnet, which is that of its
// management port, and for those outside from its gateway router. The key of a datapath, which the VNI is, is of no use here: it
// changes from router to switch.
func ovn(annotations map[string]string, o *inventory.Overlay) (pods []netip.Prefix) {
	var encap []string
	_ = json.Unmarshal([]byte(annotations[ovnEncap]), &encap) // nothing of what cannot be read
	for _, text := range encap {
		add(&o.Addresses, text)
	}
	both := func(to *[]netip.Addr, text []byte) {
		var a struct{ IPv4, IPv6 string }
		_ = json.Unmarshal(text, &a)
		add(to, a.IPv4)
		add(to, a.IPv6)
	}
	both(&o.Addresses, []byte(annotations[ovnPrimary]))
	both(&o.Inner, []byte(annotations[ovnGateway]))
	var gateways, subnets map[string]json.RawMessage
	_ = json.Unmarshal([]byte(annotations[ovnGateways]), &gateways)
	both(&o.Inner, gateways[defaultNetwork])
	_ = json.Unmarshal([]byte(annotations[ovnSubnets]), &subnets)
	list, one := []string(nil), ""
	if json.Unmarshal(subnets[defaultNetwork], &one) == nil {
		list = []string{one}
	} else {
		_ = json.Unmarshal(subnets[defaultNetwork], &list)
	}
	for _, text := range list {
		if p, err := netip.ParsePrefix(text); err == nil {
			pods = append(pods, p)
			add(&o.Inner, p.Masked().Addr().Next().Next().String())
		}
	}
	return pods
}
