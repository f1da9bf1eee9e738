package correlate

import (
	"hash/maphash"
	"unique"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// memory keeps who the ends of conversations were when they were last resolved.
type memory = recent[known]

// known is what is kept of one conversation. There is one for every conversation that lives, so
// identities are shared.
type known struct {
	client, server unique.Handle[flow.Identity] // zero if nothing is known
	question       uint64                       // what they answer, 0 if they have to be asked for again; and markLesser
}

// markLesser says in known.question that the client's address is the lesser one.
const markLesser = 1

// question is everything that the answer to who the ends are depends on.
type question struct {
	client, server               party
	clientVersion, serverVersion uint64 // of what the index knows of their addresses
	version                      uint64 // of what it knows besides
	hops                         [2]int // of both directions: another one may prove an attachment
}

// knownOf keeps what is said of the ends of a conversation.
func knownOf(conv *flow.Conversation, question uint64) known {
	if lesser(conv) {
		question |= markLesser
	}
	return known{client: unique.Make(conv.Client.Identity), server: unique.Make(conv.Server.Identity), question: question}
}

func lesser(conv *flow.Conversation) bool { return conv.Client.Address.Less(conv.Server.Address) }

// ends are the identities of client and server, as they are told apart in a conversation by now.
func (k *known) ends(conv *flow.Conversation) (client, server flow.Identity) {
	if k.client == (unique.Handle[flow.Identity]{}) {
		return flow.Identity{}, flow.Identity{}
	}
	if (k.question&markLesser != 0) != lesser(conv) { // who began is known better by now
		return k.server.Value(), k.client.Value()
	}
	return k.client.Value(), k.server.Value()
}

// hash is the question in short; never 0, and without markLesser.
func (q question) hash(seed maphash.Seed) uint64 {
	return (maphash.Comparable(seed, q) | 2) &^ markLesser
}

// answers says that what is known is the answer to a question.
func (k *known) answers(asked uint64) bool { return k.question&^markLesser == asked }
