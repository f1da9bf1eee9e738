package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// happening is something that happened, in JSON output.
type happening struct {
	Time    time.Time `json:"time"`
	Cluster string    `json:"cluster"`
	Kind    string    `json:"kind"` // of the object: pod, service, node, event, finding, switch, port, link, endpoint or cluster
	Object  string    `json:"object"`
	What    string    `json:"what"`
	Late    bool      `json:"late,omitempty"` // it came to be known only after later things

	subject string // what the happening is of: see the subjects below
	at      string // the port that it is at, if any
	pod     string // of a finding that names the pod: namespace/name
}

// Subjects by which a timeline chooses.
func podSubject(cluster, uid string) string   { return "pod " + cluster + " " + uid }
func nodeSubject(cluster, name string) string { return "node " + cluster + " " + name }
func serviceSubject(cluster, namespaced string) string {
	return "service " + cluster + " " + namespaced
}
func workloadSubject(cluster, namespaced string) string {
	return "workload " + cluster + " " + namespaced
}
func clusterSubject(name string) string { return "cluster " + name }
func switchSubject(name string) string  { return "switch " + name }
func portSubject(port string) string    { return "port " + port }

// describe gives what a change means, in the words of an operator.
func describe(s step) []happening {
	t := s.after
	cluster := t.keys["name"]
	h := happening{Time: s.at, Cluster: cluster}
	var what []string
	switch t.list[strings.LastIndexByte(t.list, '/')+1:] {
	case "pod":
		h.Kind, h.Object, h.subject = "pod", named(s, "namespace", "name"), podSubject(cluster, t.keys["uid"])
		what = podChanges(s)
	case "attachment":
		h.Kind, h.Object, h.subject = "pod", "", podSubject(cluster, t.keys["uid"])
		h.at = t.keys["switch"] + "/" + t.keys["interface"]
		what = attachmentChanges(s, h.at)
	case "service":
		h.Kind, h.Object = "service", t.keys["namespace"]+"/"+t.keys["service-name"]
		h.subject = serviceSubject(cluster, h.Object)
		what = serviceChanges(s)
	case "member":
		h.Kind, h.Object = "service", t.keys["namespace"]+"/"+t.keys["service-name"]
		h.subject = serviceSubject(cluster, h.Object)
		what = memberChanges(s)
	case "node":
		h.Kind, h.Object, h.subject = "node", t.keys["node-name"], nodeSubject(cluster, t.keys["node-name"])
		what = nodeChanges(s)
	case "event":
		return eventHappening(s, h)
	case "cluster":
		h.Kind, h.Object, h.subject = "cluster", cluster, clusterSubject(cluster)
		what = clusterChanges(s)
	case "switch":
		h.Cluster, h.Kind, h.Object, h.subject = "", "switch", t.keys["name"], switchSubject(t.keys["name"])
		what = changed(s, "connection", func(is string) string { return "is " + word(is) })
	case "port":
		h.at = t.keys["name"] + "/" + t.keys["port-name"]
		h.Cluster, h.Kind, h.Object, h.subject = "", "port", h.at, portSubject(h.at)
		what = portChanges(s)
	case "link":
		return linkHappenings(s, h)
	case "finding":
		return findingHappenings(s, h)
	case "endpoint":
		h.at = t.keys["switch"] + "/" + t.keys["interface"]
		h.Cluster, h.Kind, h.Object, h.subject = "", "endpoint", t.keys["address"], portSubject(h.at)
		what = comesAndGoes(s, "address", "learned at "+h.at, "gone from "+h.at)
	}
	return each(h, what)
}

func each(h happening, what []string) []happening {
	var all []happening
	for _, w := range what {
		h.What = w
		all = append(all, h)
	}
	return all
}

// named gives leaves with slashes between, of the state after or, where that is none, before.
func named(s step, leaves ...string) string {
	of := s.after
	if !of.has(leaves[0]) {
		of = s.before
	}
	parts := make([]string, len(leaves))
	for i, l := range leaves {
		parts[i] = of.text(l)
	}
	return strings.Join(parts, "/")
}

// comesAndGoes tells of a thing that is there while it has a leaf.
func comesAndGoes(s step, leaf, came, went string) []string {
	switch was, is := s.before.has(leaf), s.after.has(leaf); {
	case is && !was:
		return []string{came}
	case was && !is:
		return []string{went}
	}
	return nil
}

// changed tells of a text that became another.
func changed(s step, leaf string, tell func(is string) string) []string {
	if was, is := s.before.text(leaf), s.after.text(leaf); was != is && is != "" {
		return []string{tell(is)}
	}
	return nil
}

// turned tells of a truth that became another, while the thing was there.
func turned(s step, leaf, yes, no string) []string {
	was, is := s.before.truth(leaf), s.after.truth(leaf)
	switch {
	case is && !was:
		return []string{yes}
	case was && !is && s.after.has(leaf):
		return []string{no}
	}
	return nil
}

func podChanges(s step) []string {
	if what := comesAndGoes(s, "name", "created", "deleted"); len(what) > 0 && what[0] == "deleted" {
		return what
	}
	what := comesAndGoes(s, "name", "created", "")
	what = append(what, changed(s, "node", func(is string) string { return "scheduled to " + is })...)
	what = append(what, changed(s, "phase", func(is string) string { return "is " + is })...)
	if is, was := s.after.texts("ip"), s.before.texts("ip"); len(is) > 0 && !slices.Equal(is, was) {
		what = append(what, "has "+strings.Join(is, ", "))
	}
	if is, was := s.after.number("restarts"), s.before.number("restarts"); is > was && s.before.has("name") {
		what = append(what, strings.TrimSpace(fmt.Sprintf("restarted, %d times so far %s", is, inBrackets(s.after.text("reason")))))
	} else if s.before.has("name") {
		what = append(what, changed(s, "reason", func(is string) string { return "container: " + is })...)
	}
	what = append(what, turned(s, "ready", "ready", "not ready")...)
	return append(what, turned(s, "terminating", "terminates", "")...)
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func attachmentChanges(s step, at string) []string {
	if !s.after.has("switch") {
		return []string{"left " + at}
	}
	how := fmt.Sprintf("%s, %d%%", word(s.after.text("evidence")), s.after.number("confidence"))
	if c := s.after.text("conflict"); c != "" {
		how += "; conflict: " + c
	}
	if !s.before.has("switch") {
		return []string{"sits at " + at + " (" + how + ")"}
	}
	return []string{"at " + at + " is known by " + how}
}

func serviceChanges(s step) []string {
	what := comesAndGoes(s, "name", "created", "deleted")
	vips := func(t *thing) map[string]bool {
		all := map[string]bool{}
		for leaf, v := range t.leaves {
			if strings.HasPrefix(leaf, "vips/vip[") && strings.HasSuffix(leaf, "/state/address") {
				all[v.text] = true
			}
		}
		return all
	}
	was, is := vips(s.before), vips(s.after)
	for _, a := range sortedKeys(is) {
		if !was[a] {
			what = append(what, "answers under "+a)
		}
	}
	for _, a := range sortedKeys(was) {
		if !is[a] && s.after.has("name") {
			what = append(what, "answers no more under "+a)
		}
	}
	return what
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func memberChanges(s step) []string {
	who := named(s, "pod")
	if who == "" {
		who = s.after.keys["address"]
	}
	if what := comesAndGoes(s, "address", "", "member "+who+" leaves"); len(what) > 0 && what[0] != "" {
		return what
	}
	var what []string
	if !s.before.has("address") {
		what = append(what, "member "+who+" joins"+map[bool]string{true: ", ready", false: ""}[s.after.truth("ready")])
	} else {
		what = turned(s, "ready", "member "+who+" is ready", "member "+who+" is not ready")
	}
	return append(what, serving(s, who)...)
}

// serving tells where a member answers and gets no connections, or gets some and does not answer: while it is deleted,
// and of services that publish members that are not ready.
func serving(s step, who string) []string {
	was, is := s.before, s.after
	switch {
	case is.truth("terminating") && !was.truth("terminating"):
		if is.truth("serving") {
			return []string{"member " + who + " terminates, and still answers"}
		}
		return []string{"member " + who + " terminates"}
	case is.truth("ready") && !is.truth("serving") && (!was.truth("ready") || was.truth("serving")):
		return []string{"member " + who + " gets connections though it does not answer: the service publishes members that are not ready"}
	case is.truth("terminating") && was.truth("serving") && !is.truth("serving"):
		return []string{"member " + who + " answers no more"}
	case is.truth("ready") && was.truth("ready") && is.truth("serving") && !was.truth("serving"):
		return []string{"member " + who + " answers"}
	}
	return nil
}

func nodeChanges(s step) []string {
	what := comesAndGoes(s, "name", "joins", "leaves")
	if len(what) > 0 && what[0] == "leaves" {
		return what
	}
	what = append(what, turned(s, "ready", "ready", "not ready")...)
	what = append(what, turned(s, "unschedulable", "takes no new pods", "takes new pods again")...)
	is, was := s.after.texts("problem"), s.before.texts("problem")
	for _, p := range is {
		if !slices.Contains(was, p) {
			what = append(what, p)
		}
	}
	for _, p := range was {
		if !slices.Contains(is, p) && s.after.has("name") {
			what = append(what, p+" is over")
		}
	}
	return what
}

func clusterChanges(s step) []string {
	what := comesAndGoes(s, "unknown-since", "nothing is known from here on ("+s.after.text("unknown-reason")+")", "known again")
	what = append(what, comesAndGoes(s, "name", "watched", "not watched any more")...)
	return append(what, changed(s, "connection", func(is string) string {
		return strings.TrimSpace("API is " + word(is) + " " + inBrackets(s.after.text("message")))
	})...)
}

func eventHappening(s step, h happening) []happening {
	t := s.after
	if !t.has("reason") {
		return nil // the API server keeps events for a while only
	}
	namespaced := t.text("object-namespace") + "/" + t.text("object-name")
	h.Kind, h.Object = "event", t.text("object-kind")+" "+strings.TrimPrefix(namespaced, "/")
	switch kind := t.text("object-kind"); kind {
	case "Pod":
		h.subject = podSubject(h.Cluster, t.text("object-uid"))
	case "Node":
		h.subject = nodeSubject(h.Cluster, t.text("object-name"))
	case "Service":
		h.subject = serviceSubject(h.Cluster, namespaced)
	default:
		h.subject = workloadSubject(h.Cluster, t.text("object-namespace")+"/"+kind+"/"+t.text("object-name"))
	}
	text := t.text("reason") + ": " + t.text("message")
	if n := t.number("count"); n > 1 {
		text += fmt.Sprintf(" (%d times)", n)
	}
	return each(h, []string{strings.TrimSuffix(text, ": ")})
}

func portChanges(s step) []string {
	was, is := s.before.text("oper-status"), s.after.text("oper-status")
	shut := s.after.text("admin-status") == "DOWN"
	switch {
	case !s.after.has("oper-status"):
		return comesAndGoes(s, "name", "", "not a port of the fabric any more")
	case was == is && shut && s.before.text("admin-status") == "UP":
		return []string{"shut"}
	case was == is || was == "" && is == "UNKNOWN":
		return nil
	case is == "UNKNOWN":
		return []string{strings.TrimSpace("state not known from here on " + inBrackets(s.after.text("unknown-reason")))}
	case is == "DOWN" && shut:
		return []string{"down (shut)"}
	}
	return []string{word(is)}
}

// findingHappenings tells when a finding began and ended; not how its evidence grew.
func findingHappenings(s step, h happening) []happening {
	of := s.after
	if !of.has("kind") {
		of = s.before
	}
	name := of.text("subject")
	h.Cluster, h.Kind, h.Object = of.text("subject-cluster"), "finding", of.text("subject-kind")+" "+name
	bare := name
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		bare = name[:i] // without the port of a server
	}
	switch of.text("subject-kind") {
	case "service":
		h.subject = serviceSubject(h.Cluster, bare)
	case "node":
		h.subject = nodeSubject(h.Cluster, bare)
	case "pod":
		uid, _, _ := strings.Cut(bare, "@")
		h.subject, h.pod = podSubject(h.Cluster, uid), bare
	case "port":
		h.subject, h.at = portSubject(name), name
	case "link":
		_, h.at, _ = strings.Cut(name, ">")
		on, _, _ := strings.Cut(h.at, "/")
		h.subject = switchSubject(on)
	case "switch":
		h.subject = switchSubject(name)
	case "cluster":
		h.subject = clusterSubject(h.Cluster)
	}
	return each(h, comesAndGoes(s, "kind", word(of.text("severity"))+": "+of.text("text"), "over: "+of.text("kind")))
}

// linkHappenings tells both ends of a link.
func linkHappenings(s step, h happening) []happening {
	a := s.after.keys["a-switch"] + "/" + s.after.keys["a-interface"]
	b := s.after.keys["b-switch"] + "/" + s.after.keys["b-interface"]
	h.Cluster, h.Kind, h.Object = "", "link", a+">"+b
	h.at, h.subject = b, switchSubject(s.after.keys["b-switch"])
	return each(h, comesAndGoes(s, "a-switch", "up", "down"))
}
