package diagnose

import (
	"fmt"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

type serviceKey struct{ cluster, name string } // namespace/name

// service is who answers for a service, and whether anybody asks.
type service struct {
	members, ready int
	asked          time.Time
	by             uint64 // conversations' changes since the last that was ready
	gone           bool   // the service is, and not all of its members
}

// member takes that one came or changed, or went.
func (s *state) member(r inventory.Ref, m inventory.Member, there bool) {
	k := serviceKey{m.Cluster, m.Namespace + "/" + m.Service}
	v := s.services[k]
	if v == nil {
		v = &service{}
		s.services[k] = v
	}
	if old, known := s.members[r]; known {
		v.members--
		if old.Ready {
			v.ready--
		}
		delete(s.members, r)
	}
	if !there {
		if v.gone && v.members == 0 {
			delete(s.services, k)
		}
		return
	}
	s.members[r] = m
	v.members++
	v.gone = false
	if m.Ready {
		v.ready++
		v.by = 0
	}
}

// serviceGone takes that a service is not there any more. Its members go before it or after.
func (s *state) serviceGone(k serviceKey) {
	switch v := s.services[k]; {
	case v == nil:
	case v.members == 0:
		delete(s.services, k)
	default:
		v.gone = true
	}
}

// asks notes that a service is asked. One without members is known when there is no endpoint left.
func (s *state) asks(c *flow.Conversation, now time.Time) {
	if c.Server.Identity.Service == "" || now.Sub(c.Last) > window {
		return
	}
	for name := range strings.SplitSeq(c.Server.Identity.Service, ",") {
		if v := s.services[serviceKey{c.Server.Identity.Cluster, name}]; v != nil {
			v.asked = now
			v.by++
		}
	}
}

// empty gives the services that are asked and have nobody who is ready.
func (s *state) empty(now time.Time) (list []inventory.Finding) {
	for k, v := range s.services {
		if v.ready > 0 || v.by == 0 || now.Sub(v.asked) > window {
			continue
		}
		list = append(list, finding("no-endpoints", inventory.Critical, inventory.Subject{Kind: "service", Cluster: k.cluster, Name: k.name}, now, v.by,
			fmt.Sprintf("service %s is asked, and none of its %d members is ready", k.name, v.members)))
	}
	return list
}
