package access

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// showConversation leaves of a conversation what may be seen.
func (r *Scope) showConversation(path string, c flow.Conversation) (inventory.Fact, bool) {
	whole, shown := r.showEnds(path, &c.Client, &c.Server)
	if !shown {
		return nil, false
	}
	if !whole {
		// The way there says where the other end is.
		c.ForwardHops, c.ReverseHops, c.ForwardSegments, c.ReverseSegments, c.Legs = nil, nil, nil, nil, nil
		if c.Handshake != nil {
			h := *c.Handshake
			h.Switch, c.Handshake = "", &h
		}
		return c, true
	}
	legs := c.Legs
	c.Legs = nil
	for _, l := range legs {
		if r.end(path, &l.End) == foreign {
			continue
		}
		l.Reason = ""
		c.Legs = append(c.Legs, l)
	}
	return c, true
}

// showEnds leaves of two ends what may be seen. shown is false when neither is the reader's nor both are shared; whole
// says that both may be seen.
func (r *Scope) showEnds(path string, client, server *flow.End) (whole, shown bool) {
	a, b := r.end(path, client), r.end(path, server)
	switch {
	case a == foreign && b == foreign:
		return false, false
	case a == common && b == foreign, a == foreign && b == common:
		return false, false
	}
	return a != foreign && b != foreign, true
}

// end judges an end, and empties one that may not be seen but for its port.
func (r *Scope) end(path string, e *flow.End) standing {
	s := r.identity(&e.Identity)
	if s == common && !beneath(path, r.Shared) {
		s = foreign
	}
	if s == foreign {
		e.Address, e.Identity = netip.Addr{}, flow.Identity{}
		return foreign
	}
	id := &e.Identity
	id.Why = ""
	id.Service = strings.Join(r.ownServices(id.Cluster, servicesOf(id.Service)), ",")
	return s
}

// identity judges who is behind an end. What is only services' is the reader's if one of them is.
func (r *Reader) identity(id *flow.Identity) standing {
	if id.Namespace != "" || id.Service == "" {
		return r.standing(id.Cluster, id.Namespace)
	}
	best := foreign
	for _, s := range servicesOf(id.Service) {
		namespace, _, _ := strings.Cut(s, "/")
		best = max(best, r.standing(id.Cluster, namespace))
	}
	return best
}

// conversationPath is where conversations are in the models; flow records are what passed of them.
const conversationPath = "/flows/conversations/conversation"

// ShowRecords says what the caller of an RPC sees of flow records; nil for everything.
func (g *Guard) ShowRecords(ctx context.Context) (func(*records.Record) bool, error) {
	r, err := g.ReaderOf(ctx)
	if r == nil {
		return nil, err
	}
	if !r.Reads(conversationPath) || !r.readsAll(conversationPath) {
		return nil, status.Errorf(codes.PermissionDenied, "flow records are for readers of all of %s", conversationPath)
	}
	return r.showRecord, nil
}

// showRecord leaves of a flow record what the reader may see, and says whether that is anything.
func (r *Scope) showRecord(rec *records.Record) bool {
	if r.all() {
		return true
	}
	client := flow.End{Address: rec.Client.Address, Port: rec.Client.Port, Identity: *rec.Client.Who}
	server := flow.End{Address: rec.Server.Address, Port: rec.Server.Port, Identity: *rec.Server.Who}
	whole, shown := r.showEnds(conversationPath, &client, &server)
	if !shown {
		return false
	}
	rec.Client.Address, rec.Client.Who = client.Address, &client.Identity
	rec.Server.Address, rec.Server.Who = server.Address, &server.Identity
	if !whole {
		rec.Forward.Hops, rec.Reverse.Hops = nil, nil
		rec.Handshake.Switch = ""
	}
	return true
}

// readsAll says whether every leaf beneath a path is seen: a flow record has no paths to leave out.
func (r *Scope) readsAll(path string) bool {
	return !slices.ContainsFunc(r.Hidden, func(h string) bool { return beneath(h, []string{path}) })
}
