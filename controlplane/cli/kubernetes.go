package cli

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The paths that the commands read.
const (
	podsPath     = "kubernetes/clusters/cluster/pods"
	servicesPath = "kubernetes/clusters/cluster/services"
	switchesPath = "fabric/switches"
	linksPath    = "fabric/links"
	flowsPath    = "flows/conversations"
)

// pod is a pod in JSON output.
type pod struct {
	Cluster     string            `json:"cluster"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	IPs         []string          `json:"ips"`
	Node        string            `json:"node"`
	HostNetwork bool              `json:"host-network"`
	Phase       string            `json:"phase"`
	Ready       bool              `json:"ready"`
	Terminating bool              `json:"terminating"`
	Restarts    uint64            `json:"restarts"`
	Reason      string            `json:"reason,omitempty"`
	Created     time.Time         `json:"created,omitzero"`
	ReadySince  time.Time         `json:"ready-since,omitzero"`
	Workload    workload          `json:"workload"`
	Labels      map[string]string `json:"labels"`
	Services    []string          `json:"services"` // names of services of its namespace that it is a member of
	Attachments []attachment      `json:"attachments"`

	moment int // of those that are compared
}

type workload struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// attachment is a place of a pod in JSON output.
type attachment struct {
	Switch     string    `json:"switch"`
	Port       string    `json:"port"`
	Number     uint64    `json:"number"`
	Since      time.Time `json:"since,omitzero"`
	Evidence   string    `json:"evidence"`
	Confidence uint64    `json:"confidence"` // percent
	Conflict   string    `json:"conflict,omitempty"`
}

// service is a service in JSON output.
type service struct {
	Cluster   string            `json:"cluster"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Type      string            `json:"type"`
	Created   time.Time         `json:"created,omitzero"`
	Labels    map[string]string `json:"labels"`
	Selector  map[string]string `json:"selector"`
	VIPs      []vip             `json:"vips"`
	Hostnames []string          `json:"hostnames"`
	Ports     []servicePort     `json:"ports"`
	Members   []member          `json:"members"`

	moment int // as that of a pod
}

type vip struct {
	Kind    string `json:"kind"`
	Address string `json:"address"`
}

type servicePort struct {
	Name       string `json:"name"`
	Protocol   string `json:"protocol"`
	Port       uint64 `json:"port"`
	TargetPort string `json:"target-port"`
	NodePort   uint64 `json:"node-port,omitempty"`
}

// member is an address behind a service, with the places of its pod.
type member struct {
	Address     string       `json:"address"`
	Pod         string       `json:"pod"`
	PodUID      string       `json:"pod-uid"`
	Node        string       `json:"node"`
	Ready       bool         `json:"ready"`
	Serving     bool         `json:"serving"`
	Terminating bool         `json:"terminating"`
	Ports       []string     `json:"ports"`
	Attachments []attachment `json:"attachments"`
}

func readPods(data *branch) []*pod {
	var pods []*pod
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		services := servicesByPod(c)
		entries := c.each("pods", "pod")
		room := make([]pod, 0, len(entries))
		for _, p := range entries {
			s := p.in("state")
			if !s.has("name") {
				continue // only its place is known
			}
			room = append(room, pod{
				Cluster: c.key("name"), Namespace: s.text("namespace"), Name: s.text("name"), UID: s.text("uid"),
				IPs: s.texts("ip"), Node: s.text("node"), HostNetwork: s.truth("host-network"), Phase: s.text("phase"),
				Ready: s.truth("ready"), Terminating: s.truth("terminating"), Restarts: s.number("restarts"), Reason: s.text("reason"),
				Created: s.instant("created"), ReadySince: s.instant("ready-since"),
				Workload: workload{s.text("workload-kind"), s.text("workload-name")},
				Labels:   p.pairs("labels", "label"), Services: sorted(services[s.text("uid")]), Attachments: readAttachments(p),
			})
		}
		pods = slices.Grow(pods, len(room))
		for i := range room {
			pods = append(pods, &room[i])
		}
	}
	slices.SortFunc(pods, (*pod).compare)
	return pods
}

// compare orders pods by cluster, namespace, name and UID.
func (p *pod) compare(o *pod) int {
	for _, c := range [...][2]string{{p.Cluster, o.Cluster}, {p.Namespace, o.Namespace}, {p.Name, o.Name}} {
		if c[0] != c[1] {
			return strings.Compare(c[0], c[1])
		}
	}
	return strings.Compare(p.UID, o.UID)
}

func sorted(names []string) []string {
	slices.Sort(names)
	return append([]string{}, slices.Compact(names)...)
}

func servicesByPod(cluster *branch) map[string][]string {
	byPod := map[string][]string{}
	for _, s := range cluster.each("services", "service") {
		for _, m := range s.each("members", "member") {
			uid := m.key("pod-uid")
			byPod[uid] = append(byPod[uid], s.key("name"))
		}
	}
	return byPod
}

func readAttachments(pod *branch) []attachment {
	list := []attachment{}
	for _, a := range pod.each("attachments", "attachment") {
		s := a.in("state")
		list = append(list, attachment{s.text("switch"), s.text("interface"), s.number("port-number"),
			s.instant("since"), word(s.text("evidence")), s.number("confidence"), s.text("conflict")})
	}
	slices.SortFunc(list, func(a, b attachment) int {
		return cmp.Or(cmp.Compare(a.Switch, b.Switch), cmp.Compare(a.Number, b.Number))
	})
	return list
}

// word gives an enumerated value as operators write it: NODE_ADDRESS is node-address.
func word(enum string) string { return strings.ToLower(strings.ReplaceAll(enum, "_", "-")) }

func readServices(data *branch) []service {
	var services []service
	for _, c := range data.each("kubernetes", "clusters", "cluster") {
		places := map[string][]attachment{}
		for _, p := range c.each("pods", "pod") {
			places[p.key("uid")] = readAttachments(p)
		}
		for _, s := range c.each("services", "service") {
			state := s.in("state")
			if !state.has("name") {
				continue
			}
			services = append(services, service{
				Cluster: c.key("name"), Namespace: state.text("namespace"), Name: state.text("name"), UID: state.text("uid"),
				Type: state.text("type"), Created: state.instant("created"), Labels: s.pairs("labels", "label"),
				Selector: s.pairs("selectors", "selector"), VIPs: readVIPs(s), Hostnames: state.texts("hostname"), Ports: readServicePorts(s), Members: readMembers(s, places),
			})
		}
	}
	slices.SortFunc(services, func(a, b service) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return services
}

func readVIPs(s *branch) []vip {
	list := []vip{}
	for _, v := range s.each("vips", "vip") {
		list = append(list, vip{word(v.key("kind")), v.key("address")})
	}
	return list
}

func readServicePorts(s *branch) []servicePort {
	list := []servicePort{}
	for _, p := range s.each("ports", "port") {
		state := p.in("state")
		list = append(list, servicePort{state.text("name"), state.text("protocol"), state.number("port"),
			state.text("target-port"), state.number("node-port")})
	}
	return list
}

// noPod is the pod-uid of a member that no pod stands behind.
const noPod = "NONE"

func readMembers(s *branch, places map[string][]attachment) []member {
	list := []member{}
	for _, m := range s.each("members", "member") {
		state := m.in("state")
		one := member{
			Address: state.text("address"), Pod: state.text("pod"), PodUID: state.text("pod-uid"), Node: state.text("node"),
			Ready: state.truth("ready"), Serving: state.truth("serving"), Terminating: state.truth("terminating"),
			Ports: state.texts("port"), Attachments: places[state.text("pod-uid")],
		}
		if one.PodUID == noPod {
			one.PodUID = ""
		}
		if one.Attachments == nil {
			one.Attachments = []attachment{}
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Address, b.Address), cmp.Compare(a.PodUID, b.PodUID))
	})
	return list
}

func placesOf(list []attachment) []place {
	places := make([]place, len(list))
	for i, a := range list {
		places[i] = place{a.Switch, a.Port, a.Number}
	}
	return places
}
