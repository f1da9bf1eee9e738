package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// edgePath is where edges are in the models.
const edgePath = "/flows/services/edge"

// showEdge leaves of an edge what may be seen, by the rules of conversations.
func (r *Scope) showEdge(path string, e flow.Edge) (inventory.Fact, bool) {
	client, a := r.party(path, e.Client)
	server, b := r.party(path, e.Server)
	if a != own && b != own && (a == foreign || b == foreign) {
		return nil, false
	}
	if client != e.Client || server != e.Server {
		e.Client, e.Server = client, server
		e.ID = r.rename(e.ID)
	}
	return e, true
}

// party judges a party, and leaves nothing of one that may not be seen. A service's name can be that of several, as
// name,namespace/name.
func (r *Scope) party(path string, p flow.Party) (flow.Party, standing) {
	s := r.standing(p.Cluster, p.Namespace)
	if p.Kind == flow.PartyService && strings.Contains(p.Name, ",") {
		mine := r.ownServices(p.Cluster, servicesOf(p.Namespace+"/"+p.Name))
		if len(mine) > 0 {
			s = own
			p.Namespace, p.Name, _ = strings.Cut(strings.Join(mine, ","), "/")
		} else {
			s = foreign
		}
	}
	if s == common && !beneath(path, r.Shared) {
		s = foreign
	}
	if s == foreign {
		p = flow.Party{}
	}
	return p, s
}

// rename gives an ID in the place of one that is made of names: who guesses the names could find them by it.
func (r *Scope) rename(id string) string {
	sum := hmac.New(sha256.New, r.key)
	sum.Write([]byte(id))
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Renames implements the gNMI server's Reader.
func (r *Scope) Renames(path string) bool {
	return (path == edgePath || path == findingPath) && !r.all()
}
