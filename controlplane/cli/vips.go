package cli

import (
	"cmp"
	"slices"
	"strings"
)

// The paths that addresses of services need besides the services themselves.
const (
	entrancesPath = "kubernetes/clusters/cluster/entrances"
	nodesPath     = "kubernetes/clusters/cluster/nodes"
)

// front is an address that a service answers under, in JSON output.
type front struct {
	Cluster   string   `json:"cluster"`
	Namespace string   `json:"namespace"`
	Service   string   `json:"service"`
	Kind      string   `json:"kind"`    // cluster-ip, external-ip, load-balancer, hostname, node-port, ingress or gateway
	Address   string   `json:"address"` // or name
	Ports     []string `json:"ports"`
	Via       string   `json:"via,omitempty"` // namespace/name of the Ingress or Gateway, or the node
}

// frontsOf gives every address of the services.
func frontsOf(services []service, data *branch) []front {
	entrances, nodes := map[string][]front{}, map[string][]front{}
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		name := c.key("name")
		for _, e := range c.each("entrances", "entrance") {
			s := e.in("state")
			via := s.text("namespace") + "/" + s.text("name")
			for _, address := range append(s.texts("address"), s.texts("hostname")...) {
				for _, target := range s.texts("service") {
					key := name + "/" + target
					entrances[key] = append(entrances[key], front{Kind: word(s.text("kind")), Address: address, Ports: s.texts("port"), Via: via})
				}
			}
		}
		for _, n := range c.each("nodes", "node") {
			for _, address := range n.in("state").texts("address") {
				nodes[name] = append(nodes[name], front{Kind: "node-port", Address: address, Via: n.key("name")})
			}
		}
	}
	var all []front
	for _, s := range services {
		fronts := slices.Concat(s.fronts(nodes[s.Cluster]), entrances[s.Cluster+"/"+s.Namespace+"/"+s.Name])
		for _, f := range fronts {
			f.Cluster, f.Namespace, f.Service = s.Cluster, s.Namespace, s.Name
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b front) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Service, b.Service))
	})
	return all
}

// fronts are the service's own addresses, and those of the nodes if it has node ports.
func (s service) fronts(nodes []front) []front {
	var all []front
	ports, nodePorts := []string{}, []string{}
	for _, p := range s.Ports {
		plain := p
		plain.NodePort = 0
		ports = append(ports, plain.String())
		if p.NodePort != 0 {
			plain.Port = p.NodePort
			nodePorts = append(nodePorts, plain.String())
		}
	}
	for _, v := range s.VIPs {
		all = append(all, front{Kind: v.Kind, Address: v.Address, Ports: ports})
	}
	for _, name := range s.Hostnames {
		all = append(all, front{Kind: "hostname", Address: name, Ports: ports})
	}
	if len(nodePorts) > 0 {
		for _, n := range nodes {
			n.Ports = nodePorts
			all = append(all, n)
		}
	}
	return all
}

func frontColumns() []column[front] {
	return []column[front]{
		{"CLUSTER", func(f front) string { return f.Cluster }},
		{"NAMESPACE", func(f front) string { return f.Namespace }},
		{"SERVICE", func(f front) string { return f.Service }},
		{"KIND", func(f front) string { return f.Kind }},
		{"ADDRESS", func(f front) string { return f.Address }},
		{"PORTS", func(f front) string { return strings.Join(f.Ports, ",") }},
		{"VIA", func(f front) string { return f.Via }},
	}
}
