package access

import (
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// findingPath is where findings are in the models.
const findingPath = "/diagnosis/findings/finding"

// plain says of the kinds of findings whether their texts name nobody but the subject. The others, and kinds that are not
// here, are for readers of everything.
func plain() map[string]bool {
	return map[string]bool{
		"unanswered-port":    true,
		"refused-port":       true,
		"stalled-server":     true,
		"overloaded-server":  true,
		"no-endpoints":       true,
		"lossy-link":         true,
		"ttl-expired":        true,
		"malformed-frames":   true,
		"switch-unreachable": true,
		"missing-packets":    true,
		"api-gap":            true,
		"location-conflict":  false, // says who else is at the place, and has a pod's UID for a name
		"port-down":          false, // counts everybody's pods behind it
		"storage-failing":    false, // has the daemon's paths, as the next
		"storage-damaged":    false,
		"clock-stepped":      false,
	}
}

// showFinding leaves of a finding what may be seen: ID and text repeat the subject. Of one about several services, as those
// behind one address, the reader sees its own.
func (r *Scope) showFinding(path string, f inventory.Finding) (inventory.Fact, bool) {
	if !plain()[f.Kind] {
		return nil, false
	}
	if f.Subject.Kind == "service" {
		return r.showServices(f)
	}
	switch r.subject(f.Subject) {
	case own:
		return f, true
	case common:
		return f, beneath(path, r.Shared)
	}
	return nil, false
}

// subject judges what a finding is about that is not services.
func (r *Scope) subject(s inventory.Subject) standing {
	switch s.Kind {
	case "pod":
		namespace, _, _ := strings.Cut(s.Name, "/")
		return r.standing(s.Cluster, namespace)
	case "node", "cluster":
		return r.standing(s.Cluster, "")
	case "address", "switch", "port", "link":
		return r.standing("", "")
	}
	return foreign
}

// showServices leaves of a finding about a list of services, with or without a port behind the last one, those that are the
// reader's. What was seen of them holds for each: they are behind the same address.
func (r *Scope) showServices(f inventory.Finding) (inventory.Fact, bool) {
	list, port, _ := strings.Cut(f.Subject.Name, ":")
	all := servicesOf(list)
	mine := r.ownServices(f.Subject.Cluster, all)
	if len(mine) == 0 {
		return nil, false
	}
	if len(mine) == len(all) {
		return f, true
	}
	said, repeats := strings.CutPrefix(f.Text, "service "+f.Subject.Name+" ")
	if !repeats {
		return nil, false // how it names the others is not known here
	}
	f.Subject.Name = strings.Join(mine, ",")
	if port != "" {
		f.Subject.Name += ":" + port
	}
	f.Text = "service " + f.Subject.Name + " " + said
	f.ID = r.rename(f.ID)
	return f, true
}
