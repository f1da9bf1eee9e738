package history

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	fastjson "github.com/go-json-experiment/json" // takes a third of the time to read what encoding/json wrote

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// sum identifies the content of a fact: the first half of the SHA-256 of its JSON.
type sum [16]byte

// encode gives the JSON of a fact and its sum. The facts are plain structs of ours, so a
// fact that does not marshal, or not under its own kind, is a broken invariant.
func encode(f inventory.Fact) ([]byte, sum) {
	if k := kindOf(f); k != f.Ref().Kind {
		panic(fmt.Sprintf("history: %T is not how a fact of kind %q is recorded", f, f.Ref().Kind))
	}
	text, err := json.Marshal(f)
	if err != nil {
		panic(fmt.Sprintf("history: marshal %v: %v", f.Ref(), err))
	}
	return text, sumOf(text)
}

func sumOf(text []byte) sum {
	whole := sha256.Sum256(text)
	return sum(whole[:len(sum{})])
}

// kindOf gives the kind that values of f's type are, or "" for a type that is no fact.
func kindOf(f inventory.Fact) inventory.Kind {
	switch f.(type) {
	case inventory.Cluster:
		return inventory.KindCluster
	case inventory.Namespace:
		return inventory.KindNamespace
	case inventory.Node:
		return inventory.KindNode
	case inventory.Pod:
		return inventory.KindPod
	case inventory.Service:
		return inventory.KindService
	case inventory.Member:
		return inventory.KindMember
	case inventory.Entrance:
		return inventory.KindEntrance
	case inventory.Event:
		return inventory.KindEvent
	case inventory.Gap:
		return inventory.KindGap
	case inventory.Attachment:
		return inventory.KindAttachment
	case inventory.Switch:
		return inventory.KindSwitch
	case inventory.Port:
		return inventory.KindPort
	case inventory.Link:
		return inventory.KindLink
	case inventory.LinkLoss:
		return inventory.KindLinkLoss
	case inventory.Endpoint:
		return inventory.KindEndpoint
	case inventory.Accounting:
		return inventory.KindAccounting
	case inventory.FlowCache:
		return inventory.KindFlowCache
	case inventory.Ledger:
		return inventory.KindLedger
	case inventory.Finding:
		return inventory.KindFinding
	case flow.Edge:
		return inventory.KindEdge
	case flow.Conversation:
		return inventory.KindConversation
	}
	return ""
}

// decode is the inverse of encode for a fact of kind k.
func decode(k inventory.Kind, text []byte) (inventory.Fact, error) {
	switch k {
	case inventory.KindCluster:
		return decodeAs[inventory.Cluster](text)
	case inventory.KindNamespace:
		return decodeAs[inventory.Namespace](text)
	case inventory.KindNode:
		return decodeAs[inventory.Node](text)
	case inventory.KindPod:
		return decodeAs[inventory.Pod](text)
	case inventory.KindService:
		return decodeAs[inventory.Service](text)
	case inventory.KindMember:
		return decodeAs[inventory.Member](text)
	case inventory.KindEntrance:
		return decodeAs[inventory.Entrance](text)
	case inventory.KindEvent:
		return decodeAs[inventory.Event](text)
	case inventory.KindGap:
		return decodeAs[inventory.Gap](text)
	case inventory.KindAttachment:
		return decodeAs[inventory.Attachment](text)
	case inventory.KindSwitch:
		return decodeAs[inventory.Switch](text)
	case inventory.KindPort:
		return decodeAs[inventory.Port](text)
	case inventory.KindLink:
		return decodeAs[inventory.Link](text)
	case inventory.KindLinkLoss:
		return decodeAs[inventory.LinkLoss](text)
	case inventory.KindEndpoint:
		return decodeAs[inventory.Endpoint](text)
	case inventory.KindAccounting:
		return decodeRest[inventory.Accounting](text)
	case inventory.KindFlowCache:
		return decodeRest[inventory.FlowCache](text)
	case inventory.KindLedger:
		return decodeRest[inventory.Ledger](text)
	case inventory.KindFinding:
		return decodeAs[inventory.Finding](text)
	case inventory.KindEdge:
		return decodeRest[flow.Edge](text)
	case inventory.KindConversation:
		return decodeRest[flow.Conversation](text)
	}
	return nil, fmt.Errorf("%w: unknown kind %q", ErrCorrupt, k)
}

func decodeAs[F inventory.Fact](text []byte) (inventory.Fact, error) {
	var f F
	if err := fastjson.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%w: %T: %w", ErrCorrupt, f, err)
	}
	return f, nil
}

// decodeRest is decodeAs of facts that have durations, which encoding/json alone reads as it wrote them, or that no life keeps.
func decodeRest[F inventory.Fact](text []byte) (inventory.Fact, error) {
	var f F
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("%w: %T: %w", ErrCorrupt, f, err)
	}
	return f, nil
}
