package inventory

import (
	"net/netip"
	"time"
)

// Cluster is one Kubernetes API that Fabricscope watches.
type Cluster struct {
	Name    string `json:"name"`
	Server  string `json:"server"`            // URL of the API server
	State   string `json:"state"`             // connecting, synced or unreachable
	Message string `json:"message,omitempty"` // the last error while not synced
}

// Ref has the name as its ID.
func (c Cluster) Ref() Ref { return Ref{Kind: KindCluster, Cluster: c.Name, ID: c.Name} }

// Namespace is a Kubernetes namespace.
type Namespace struct {
	Cluster string            `json:"cluster"`
	Name    string            `json:"name"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// Ref has the name as its ID.
func (n Namespace) Ref() Ref { return Ref{Kind: KindNamespace, Cluster: n.Cluster, ID: n.Name} }

// Node is a Kubernetes node.
type Node struct {
	Cluster   string            `json:"cluster"`
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels,omitempty"`
	Addresses []netip.Addr      `json:"addresses,omitempty"` // internal and external IPs
	PodCIDRs  []netip.Prefix    `json:"pod-cidrs,omitempty"`
	Ready     bool              `json:"ready"`
	Created   time.Time         `json:"created"`
}

// Ref has the name as its ID.
func (n Node) Ref() Ref { return Ref{Kind: KindNode, Cluster: n.Cluster, ID: n.Name} }

// Pod is a Kubernetes pod. Terminal and deleted pods end; they are not facts.
type Pod struct {
	Cluster     string            `json:"cluster"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Labels      map[string]string `json:"labels,omitempty"`
	Workload    Workload          `json:"workload"`
	Node        string            `json:"node,omitempty"`
	IPs         []netip.Addr      `json:"ips,omitempty"`
	HostNetwork bool              `json:"host-network,omitempty"`
	Phase       string            `json:"phase"` // Pending, Running, Succeeded, Failed, Unknown
	Ready       bool              `json:"ready"`
	Terminating bool              `json:"terminating,omitempty"`
	Restarts    int32             `json:"restarts,omitempty"`
	Created     time.Time         `json:"created"`
	ReadySince  time.Time         `json:"ready-since,omitzero"` // last transition of the Ready condition to true
}

// Workload is what a pod belongs to, by its controlling owner; empty for a bare pod.
type Workload struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
}

// Ref has the pod's UID as its ID.
func (p Pod) Ref() Ref { return Ref{Kind: KindPod, Cluster: p.Cluster, ID: p.UID} }

// Service is a Kubernetes service with every address it answers under.
type Service struct {
	Cluster   string            `json:"cluster"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Type      string            `json:"type"` // ClusterIP, NodePort, LoadBalancer, ExternalName
	Labels    map[string]string `json:"labels,omitempty"`
	Selector  map[string]string `json:"selector,omitempty"`
	VIPs      []VIP             `json:"vips,omitempty"`
	Ports     []ServicePort     `json:"ports,omitempty"`
	Created   time.Time         `json:"created"`
}

// VIP is a virtual address of a service.
type VIP struct {
	Kind    string     `json:"kind"` // cluster-ip, external-ip, load-balancer
	Address netip.Addr `json:"address"`
}

// ServicePort is one port of a service. TargetPort is as written: a number or a name.
type ServicePort struct {
	Name       string `json:"name,omitempty"`
	Protocol   string `json:"protocol"` // TCP, UDP, SCTP
	Port       uint16 `json:"port"`
	TargetPort string `json:"target-port"`
	NodePort   uint16 `json:"node-port,omitempty"`
}

// Ref has namespace/name as its ID.
func (s Service) Ref() Ref {
	return Ref{Kind: KindService, Cluster: s.Cluster, ID: s.Namespace + "/" + s.Name}
}

// Member is one address behind a service, from its EndpointSlices.
type Member struct {
	Cluster     string       `json:"cluster"`
	Namespace   string       `json:"namespace"`
	Service     string       `json:"service"`
	Address     netip.Addr   `json:"address"`
	PodUID      string       `json:"pod-uid,omitempty"` // empty when no pod stands behind it
	Pod         string       `json:"pod,omitempty"`
	Node        string       `json:"node,omitempty"`
	Ports       []MemberPort `json:"ports,omitempty"`
	Ready       bool         `json:"ready"`
	Serving     bool         `json:"serving"`
	Terminating bool         `json:"terminating,omitempty"`
}

// MemberPort is a port that a member answers on: a service's target port, resolved.
type MemberPort struct {
	Name     string `json:"name,omitempty"`
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
}

// Ref has namespace/service/address/pod-uid as its ID: an address can pass to another pod while the
// slice still lists the old one.
func (m Member) Ref() Ref {
	return Ref{Kind: KindMember, Cluster: m.Cluster, ID: m.Namespace + "/" + m.Service + "/" + m.Address.String() + "/" + m.PodUID}
}

// How an attachment was established.
const (
	ByNodeAddress  = "node-address"  // the pod's node was seen at the port
	ByInnerAddress = "inner-address" // the pod's own address was seen at the port
	ByBoth         = "both"
)

// Attachment is where a pod sits on the fabric.
type Attachment struct {
	Cluster    string    `json:"cluster"`
	PodUID     string    `json:"pod-uid"`
	Switch     string    `json:"switch"`
	Port       uint32    `json:"port"`
	PortName   string    `json:"port-name"`
	Since      time.Time `json:"since"`
	How        string    `json:"how"`
	Confidence uint8     `json:"confidence"` // percent
}

// Ref has pod-uid/switch/port-name as its ID: a pod on a multi-homed node has several.
func (a Attachment) Ref() Ref {
	return Ref{Kind: KindAttachment, Cluster: a.Cluster, ID: a.PodUID + "/" + a.Switch + "/" + a.PortName}
}
