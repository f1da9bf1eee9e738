package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// The annotations by which flannel's nodes tell each other about their tunnel
// endpoints (flannel's kube subnet manager, backend type vxlan).
const (
	annotationBackendType = "flannel.alpha.coreos.com/backend-type"
	annotationBackendData = "flannel.alpha.coreos.com/backend-data"
	annotationPublicIP    = "flannel.alpha.coreos.com/public-ip"
	annotationManaged     = "flannel.alpha.coreos.com/kube-subnet-manager"
)

// annotationCalico is the one in which Calico's nodes publish their address. What else the peers need, Calico keeps in
// a datastore of its own; here it follows from the address and the pod CIDR.
const annotationCalico = "projectcalico.org/IPv4Address"

// backendData is the JSON of annotationBackendData.
type backendData struct {
	VNI     uint32 `json:"VNI"`
	VtepMAC string `json:"VtepMAC"`
}

// peer is another node's end of the overlay. Its tunnel address is the network
// address of its pod CIDR, as with flannel.
type peer struct {
	underlay netip.Addr
	mac      string
	podCIDR  netip.Prefix
}

// overlay keeps the VXLAN device of a node in step with the nodes there are.
// One goroutine uses it.
type overlay struct {
	config    Overlay
	namespace *netns.Namespace
	peers     map[string]peer // by node name, as programmed
}

// overlayAnnotations say where a node's end of the overlay is.
func overlayAnnotations(config Overlay, underlay netip.Addr) (map[string]string, error) {
	if config.Plugin == Calico {
		return map[string]string{annotationCalico: underlay.String() + "/24"}, nil
	}
	data, err := json.Marshal(backendData{VNI: config.VNI, VtepMAC: tunnelMAC(underlay)})
	if err != nil {
		return nil, fmt.Errorf("encode the overlay annotation: %w", err)
	}
	return map[string]string{
		annotationBackendType: "vxlan",
		annotationBackendData: string(data),
		annotationPublicIP:    underlay.String(),
		annotationManaged:     "true",
	}, nil
}

// tunnelMAC is that of a node's VXLAN device.
func tunnelMAC(underlay netip.Addr) string { return hardwareAddress(0x0e, 0x56, underlay) }

// peerOf reads what a node says about its end. A node that has no pod CIDR or
// no annotations yet is not a peer yet: false and no error.
func peerOf(node *corev1.Node, vni uint32) (peer, bool, error) {
	if address, calico := node.Annotations[annotationCalico]; calico && node.Spec.PodCIDR != "" {
		return calicoPeer(node.Name, address, node.Spec.PodCIDR)
	}
	data, published := node.Annotations[annotationBackendData]
	if !published || node.Spec.PodCIDR == "" {
		return peer{}, false, nil
	}
	var backend backendData
	if err := json.Unmarshal([]byte(data), &backend); err != nil {
		return peer{}, false, fmt.Errorf("node %s: annotation %s: %w", node.Name, annotationBackendData, err)
	}
	if backend.VNI != vni {
		return peer{}, false, fmt.Errorf("node %s: annotation %s: VNI %d, want %d", node.Name, annotationBackendData, backend.VNI, vni)
	}
	mac, err := net.ParseMAC(backend.VtepMAC)
	if err != nil {
		return peer{}, false, fmt.Errorf("node %s: annotation %s: %w", node.Name, annotationBackendData, err)
	}
	underlay, err := netip.ParseAddr(node.Annotations[annotationPublicIP])
	if err != nil {
		return peer{}, false, fmt.Errorf("node %s: annotation %s: %w", node.Name, annotationPublicIP, err)
	}
	podCIDR, err := netip.ParsePrefix(node.Spec.PodCIDR)
	if err != nil {
		return peer{}, false, fmt.Errorf("node %s: spec.podCIDR: %w", node.Name, err)
	}
	return peer{underlay: underlay, mac: mac.String(), podCIDR: podCIDR}, true, nil
}

func calicoPeer(name, address, cidr string) (peer, bool, error) {
	underlay, err := netip.ParsePrefix(address)
	if err != nil {
		return peer{}, false, fmt.Errorf("node %s: annotation %s: %w", name, annotationCalico, err)
	}
	podCIDR, err := netip.ParsePrefix(cidr)
	if err != nil {
		return peer{}, false, fmt.Errorf("node %s: spec.podCIDR: %w", name, err)
	}
	return peer{underlay: underlay.Addr(), mac: tunnelMAC(underlay.Addr()), podCIDR: podCIDR}, true, nil
}

// make makes the device, with the network address of the node's pod CIDR.
// Nothing is learnt from packets: peers are what the API says.
func (o *overlay) make(ctx context.Context, underlay netip.Addr, podCIDR netip.Prefix) error {
	device := o.config.Device
	err := batch(ctx, o.namespace,
		fmt.Sprintf("link add %s address %s mtu %d type vxlan id %d local %v dstport %d nolearning",
			device, tunnelMAC(underlay), o.config.MTU(), o.config.VNI, underlay, o.config.Port),
		fmt.Sprintf("link set %s addrgenmode none", device),
		fmt.Sprintf("address add %v/32 dev %s", podCIDR.Masked().Addr(), device),
	)
	if err != nil {
		return fmt.Errorf("make VXLAN device %s: %w", device, err)
	}
	if err := disableOffloads(ctx, o.namespace, device); err != nil {
		return err
	}
	return batch(ctx, o.namespace, fmt.Sprintf("link set %s up", device))
}

// set makes the peers those of the map. What fails stays to be done by the next call.
func (o *overlay) set(ctx context.Context, wanted map[string]peer) error {
	var problems []error
	for name, old := range o.peers {
		if wanted[name] == old {
			continue
		}
		if err := o.remove(ctx, old); err != nil {
			problems = append(problems, fmt.Errorf("remove overlay peer %s: %w", name, err))
			continue
		}
		delete(o.peers, name)
	}
	for name, peer := range wanted {
		if _, there := o.peers[name]; there {
			continue
		}
		if err := o.add(ctx, peer); err != nil {
			problems = append(problems, fmt.Errorf("add overlay peer %s: %w", name, err))
			continue
		}
		o.peers[name] = peer
	}
	return errors.Join(problems...)
}

func (o *overlay) add(ctx context.Context, p peer) error {
	device, tunnel := o.config.Device, p.podCIDR.Masked().Addr()
	if _, err := o.namespace.Run(ctx, "", "bridge", "fdb", "replace", p.mac, "dev", device, "dst", p.underlay.String(), "self", "permanent"); err != nil {
		return err
	}
	return batch(ctx, o.namespace,
		fmt.Sprintf("neighbor replace %v lladdr %s dev %s nud permanent", tunnel, p.mac, device),
		fmt.Sprintf("route replace %v via %v dev %s onlink", p.podCIDR.Masked(), tunnel, device),
	)
}

func (o *overlay) remove(ctx context.Context, p peer) error {
	device, tunnel := o.config.Device, p.podCIDR.Masked().Addr()
	var problems []error
	for _, command := range []string{
		fmt.Sprintf("ip route del %v dev %s", p.podCIDR.Masked(), device),
		fmt.Sprintf("ip neighbor del %v dev %s", tunnel, device),
		fmt.Sprintf("bridge fdb del %s dev %s dst %v self", p.mac, device, p.underlay),
	} {
		words := strings.Fields(command)
		if _, err := o.namespace.Run(ctx, "", words[0], words[1:]...); err != nil && !alreadyGone(err) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// alreadyGone tells iproute2's answers to removing what is not there.
func alreadyGone(err error) bool {
	return slices.ContainsFunc([]string{"No such process", "No such file", "Cannot find device"}, func(answer string) bool {
		return strings.Contains(err.Error(), answer)
	})
}
