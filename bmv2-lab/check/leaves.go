package check

import (
	"fmt"
	"slices"
	"strings"
)

// List is the entries of a list of the given name: for each, by its whole path, the leaves
// beneath it by their path from there.
func (l Leaves) List(name string) map[string]Leaves {
	entries := map[string]Leaves{}
	for path, value := range l {
		i := strings.LastIndex(path, "/"+name+"[")
		if i < 0 {
			continue
		}
		length := strings.Index(path[i:], "]/") // behind the last key
		if length < 0 {
			continue
		}
		end := i + length + 1
		entry := path[:end]
		if entries[entry] == nil {
			entries[entry] = Leaves{}
		}
		entries[entry][path[end+1:]] = value
	}
	return entries
}

// Of gives the leaves of one cluster.
func (l Leaves) Of(cluster string) Leaves {
	of := Leaves{}
	for path, value := range l {
		if Key(path, "name", "cluster") == cluster {
			of[path] = value
		}
	}
	return of
}

// Pods are the pods in the leaves of /kubernetes, with their attachments.
func (l Leaves) Pods() []PodAnswer {
	var pods []PodAnswer
	for path, p := range l.List("pod") {
		pod := PodAnswer{UID: Key(path, "uid"), Namespace: p["state/namespace"], Name: p["state/name"], Node: p["state/node"], Ready: p["state/ready"] == "true"}
		if ip := p["state/ip"]; ip != "" {
			pod.IPs = strings.Split(ip, ",")
		}
		for at := range p.List("attachment") {
			pod.Attachments = append(pod.Attachments, Attachment{Switch: Key(at, "switch"), Port: Key(at, "interface")})
		}
		pods = append(pods, pod)
	}
	return pods
}

// Members are the addresses behind the services in the leaves of /kubernetes, as Kubectl
// gives them.
func (l Leaves) Members() map[string][]string {
	members := map[string][]string{}
	for path := range l.List("service") {
		members[Key(path, "namespace")+"/"+Key(path, "name")] = nil
	}
	for path := range l.List("member") {
		service := Key(path, "namespace") + "/" + Key(path, "name")
		members[service] = append(members[service], Key(path, "address"))
	}
	for _, addresses := range members {
		slices.Sort(addresses)
	}
	return members
}

// Same compares two readings of the same paths, leaf by leaf.
func Same(got, want Leaves) []string {
	return differ(got.lines(), want.lines())
}

func (l Leaves) lines() map[string]string {
	lines := map[string]string{}
	for path, value := range l {
		lines[path] = path + " = " + value
	}
	return lines
}

// Hops compares the hops of all conversations in the leaves of /flows with what the command
// line says of them.
func Hops(l Leaves, said []Flow) []string {
	got, want := map[string]string{}, map[string]string{}
	for path, h := range l.List("hop") {
		key := fmt.Sprintf("%s %s %s", Key(path, "id"), Key(path, "direction"), Key(path, "index"))
		got[key] = fmt.Sprintf("conversation %s at %s: %s packets %s bytes", key, h["state/interface"], h["state/counters/pkts"], h["state/counters/octets"])
	}
	for _, f := range said {
		for direction, d := range map[string]Direction{"FORWARD": f.Forward, "REVERSE": f.Reverse} {
			for i, h := range d.Hops {
				key := fmt.Sprintf("%s %s %d", f.ID, direction, i)
				want[key] = fmt.Sprintf("conversation %s at %s: %s", key, h.Port, Count{h.Packets, h.Bytes})
			}
		}
	}
	return differ(got, want)
}
