package access

import (
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

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

// showFinding says whether a finding may be seen: ID and text repeat the subject.
func (r *Scope) showFinding(path string, f inventory.Finding) bool {
	if !plain()[f.Kind] {
		return false
	}
	switch r.subject(f.Subject) {
	case own:
		return true
	case common:
		return beneath(path, r.Shared)
	}
	return false
}

// subject judges what a finding is about. One that is of several services is the reader's if they all are.
func (r *Scope) subject(s inventory.Subject) standing {
	switch s.Kind {
	case "service":
		all := servicesOf(s.Name)
		if len(all) > 0 && len(r.ownServices(s.Cluster, all)) == len(all) {
			return own
		}
		return foreign
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
