package gnmi

import (
	"context"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Access decides who may ask, and what they see.
type Access interface {
	// Reader admits the caller of an RPC, or says why not in an error that carries a gRPC status. method is the full
	// name, as /gnmi.gNMI/Get. A nil reader sees everything.
	Reader(ctx context.Context, method string) (Reader, error)
	// Caller names who calls, which is who shares limits; "" when that is not known.
	Caller(ctx context.Context) string
}

// Reader is what one caller sees. It never changes: who may see something else is another reader.
type Reader interface {
	// Key is equal for readers who see the same; what they subscribe to is encoded once for all of them.
	Key() string
	// Show gives a fact as the caller sees it, and whether that is anything: of a cluster or a namespace, say. path is
	// where facts of its kind are in the schema, without keys, as /flows/conversations/conversation.
	Show(path string, f inventory.Fact) (inventory.Fact, bool)
	// Reads says whether a leaf is shown, by its path in the schema without keys, as
	// /flows/conversations/conversation/client/state/address.
	Reads(path string) bool
	// Renames says whether facts of the kind that is at a path are shown under other keys than their own, by which they
	// cannot be looked up.
	Renames(path string) bool
}

// reader asks Deps.Access who calls.
func (s *Server) reader(ctx context.Context, method string) (Reader, error) {
	if s.access == nil {
		return nil, nil
	}
	return s.access.Reader(ctx, "/gnmi.gNMI/"+method)
}
