package inventory

import (
	"net/netip"
	"time"
)

// Cluster is one Kubernetes API that Fabricscope watches.
type Cluster struct {
	Name    string   `json:"name"`
	Server  string   `json:"server"`            // URL of the API server
	VNIs    []uint32 `json:"vnis,omitempty"`    // overlay identifiers that are the cluster's alone, as configured
	State   string   `json:"state"`             // connecting, synced or unreachable
	Message string   `json:"message,omitempty"` // the last error while not synced
	Denied  []string `json:"denied,omitempty"`  // resources that the credentials may not read, and that can be done without
}

// Ref has the name as its ID.
func (c Cluster) Ref() Ref { return Ref{Kind: KindCluster, Cluster: c.Name, ID: c.Name} }

// Gap is a time for which it is not known what happened in a cluster: states in it are those from before,
// and what came and went was not seen. It ends when everything was listed again.
type Gap struct {
	Cluster string    `json:"cluster"`
	Since   time.Time `json:"since"` // when the API was last heard
	Why     string    `json:"why"`
}

// Ref has the cluster's name as its ID: a cluster has one gap at a time.
func (g Gap) Ref() Ref { return Ref{Kind: KindGap, Cluster: g.Cluster, ID: g.Cluster} }

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
	Cluster       string            `json:"cluster"`
	Name          string            `json:"name"`
	Labels        map[string]string `json:"labels,omitempty"`
	Addresses     []netip.Addr      `json:"addresses,omitempty"` // internal and external IPs
	PodCIDRs      []netip.Prefix    `json:"pod-cidrs,omitempty"`
	Overlay       Overlay           `json:"overlay,omitzero"`
	Ready         bool              `json:"ready"`
	Unschedulable bool              `json:"unschedulable,omitempty"`
	Problems      []string          `json:"problems,omitempty"` // types of other conditions that are true, as DiskPressure
	Created       time.Time         `json:"created"`
}

// Overlay is what a node's network plugin publishes of its end of an overlay; empty where it says nothing.
type Overlay struct {
	Addresses []netip.Addr `json:"addresses,omitempty"` // outer addresses of its tunnels, beside the node's own
	Inner     []netip.Addr `json:"inner,omitempty"`     // the node's own addresses inside
	VNIs      []uint32     `json:"vnis,omitempty"`      // identifiers on the wire
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
	Reason      string            `json:"reason,omitempty"` // why a container does not run or last ended, as OOMKilled
	Created     time.Time         `json:"created"`
	ReadySince  time.Time         `json:"ready-since,omitzero"` // last transition of the Ready condition to true
}

// Workload is what a pod belongs to, by its controlling owner: the Deployment of a ReplicaSet and the
// CronJob of a Job; empty for a bare pod.
type Workload struct {
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
}

// String gives kind/name, or nothing for that of a bare pod.
func (w Workload) String() string {
	if w == (Workload{}) {
		return ""
	}
	return w.Kind + "/" + w.Name
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
	Hostnames []string          `json:"hostnames,omitempty"` // of load balancers without an address, and of ExternalName
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

// Kinds of entrances.
const (
	EntranceIngress = "ingress"
	EntranceGateway = "gateway"
)

// Entrance is an Ingress, or a Gateway of the Gateway API with its routes: addresses behind which a
// proxy chooses between services.
type Entrance struct {
	Cluster   string       `json:"cluster"`
	Kind      string       `json:"kind"` // ingress or gateway
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	Class     string       `json:"class,omitempty"` // of the Ingress or the Gateway
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Hostnames []string     `json:"hostnames,omitempty"` // addresses that are names
	Ports     []uint16     `json:"ports,omitempty"`
	Services  []string     `json:"services,omitempty"` // namespace/name, sorted
}

// Ref has kind/namespace/name as its ID.
func (e Entrance) Ref() Ref {
	return Ref{Kind: KindEntrance, Cluster: e.Cluster, ID: e.Kind + "/" + e.Namespace + "/" + e.Name}
}

// Event is a Kubernetes Event: what a component of the cluster found worth telling of an object. The
// API server keeps it for a while (an hour by default).
type Event struct {
	Cluster   string    `json:"cluster"`
	UID       string    `json:"uid"`
	Type      string    `json:"type"` // Normal or Warning
	Reason    string    `json:"reason"`
	Message   string    `json:"message,omitempty"` // at most 512 bytes of it
	Source    string    `json:"source,omitempty"`  // the component
	Kind      string    `json:"kind"`              // of the object, as Pod
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name"`
	ObjectUID string    `json:"object-uid,omitempty"`
	Count     int32     `json:"count"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// Ref has the event's UID as its ID.
func (e Event) Ref() Ref { return Ref{Kind: KindEvent, Cluster: e.Cluster, ID: e.UID} }

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
	Namespace  string    `json:"namespace,omitempty"` // the pod's
	PodUID     string    `json:"pod-uid"`
	Switch     string    `json:"switch"`
	Port       uint32    `json:"port"`
	PortName   string    `json:"port-name"`
	Since      time.Time `json:"since"`
	How        string    `json:"how"`
	Confidence uint8     `json:"confidence"`         // percent
	Conflict   string    `json:"conflict,omitempty"` // what speaks against it
}

// Ref has pod-uid/switch/port-name as its ID: a pod on a multi-homed node has several.
func (a Attachment) Ref() Ref {
	return Ref{Kind: KindAttachment, Cluster: a.Cluster, ID: a.PodUID + "/" + a.Switch + "/" + a.PortName}
}
