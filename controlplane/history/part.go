package history

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The file keeps together what is asked for together: a pod, its memberships and its attachments are states of one life,
// and so are all states of any other object. A life is written in parts, in the order of recording; one row of the file is a
// part, compressed against the facts that every file begins with. docs/formats/history.md draws its bytes.

// A part is full with fullStates or fullBytes of facts: what is recorded later goes to the next.
const (
	fullStates = 32
	fullBytes  = 24 << 10
)

// What the life of a pod has, mostly: itself, a membership and an attachment, and how each came to be.
const (
	usualObjects = 3
	usualStates  = 8
)

// place is where a part is: of which life it is, and which of its parts, from 0.
type place struct{ life, part int64 }

// part is a stretch of a life.
type part struct {
	objects []inventory.Ref
	states  []state
	stored  []span // that the file has of it; nil while it has no part
	sealed  int64  // what the file has of its expiry
	changed bool
}

// state is an interval: what one object was from a time until another.
type state struct {
	object    int // of the part's
	event     int64
	commit    int64
	endEvent  int64 // open while it has not ended
	endCommit int64
	endKnown  bool
	until     int64 // when it ended to hold by event time: at endEvent, or when something recorded later says otherwise
	text      []byte
}

func (s *state) ended() bool { return s.endCommit < open }

// holds says whether the object was so at t.
func (s *state) holds(t int64, axis Axis) bool {
	if axis == ByCommit {
		return s.commit <= t && t < s.endCommit
	}
	return s.event <= t && t < s.until
}

// kindCodes are the numbers of kinds in the file, which stay as they are.
var kindCodes = [...]inventory.Kind{1: inventory.KindCluster, 2: inventory.KindGap, 3: inventory.KindNamespace, 4: inventory.KindNode,
	5: inventory.KindPod, 6: inventory.KindService, 7: inventory.KindMember, 8: inventory.KindEntrance, 9: inventory.KindEvent,
	10: inventory.KindAttachment, 11: inventory.KindSwitch, 12: inventory.KindPort, 13: inventory.KindLink, 14: inventory.KindEndpoint,
	15: inventory.KindEdge, 16: inventory.KindFinding}

func codeOf(k inventory.Kind) int {
	code := slices.Index(kindCodes[:], k)
	if code < 1 {
		panic(fmt.Sprintf("history: a fact of kind %q is not kept", k))
	}
	return code
}

// ownerOf is the object whose life a fact belongs to: the pod of a membership or an attachment, and itself of all else.
func ownerOf(r inventory.Ref) inventory.Ref {
	uid := ""
	switch r.Kind {
	case inventory.KindMember:
		uid = r.ID[strings.LastIndexByte(r.ID, '/')+1:]
	case inventory.KindAttachment:
		uid, _, _ = strings.Cut(r.ID, "/")
	}
	if uid == "" {
		return r
	}
	return inventory.Ref{Kind: inventory.KindPod, Cluster: r.Cluster, ID: uid}
}

// serviceOf is the service that a member is of.
func serviceOf(member inventory.Ref) inventory.Ref {
	namespace, rest, _ := strings.Cut(member.ID, "/")
	name, _, _ := strings.Cut(rest, "/")
	return inventory.Ref{Kind: inventory.KindService, Cluster: member.Cluster, ID: namespace + "/" + name}
}

// keyOf is what a life is found by. Two lives of one key, which chance makes of one pair in 2^64, are kept as one.
func keyOf(owner inventory.Ref) int64 {
	whole := sha256.Sum256([]byte(string(owner.Kind) + "\x00" + owner.Cluster + "\x00" + owner.ID))
	return int64(binary.BigEndian.Uint64(whole[:]))
}

func (p *part) full() bool {
	size := 0
	for _, s := range p.states {
		size += len(s.text)
	}
	return len(p.states) >= fullStates || size >= fullBytes
}

// some says whether a state of the part is as it is asked for.
func (p *part) some(is func(*state) bool) bool {
	for i := range p.states {
		if is(&p.states[i]) {
			return true
		}
	}
	return false
}

// add puts a state behind the others and gives its index.
func (p *part) add(r inventory.Ref, s state) int {
	if p.states == nil {
		p.objects, p.states = make([]inventory.Ref, 0, usualObjects), make([]state, 0, usualStates)
	}
	s.object = slices.Index(p.objects, r)
	if s.object < 0 {
		s.object = len(p.objects)
		p.objects = append(p.objects, r)
	}
	p.states = append(p.states, s)
	p.changed = true
	return len(p.states) - 1
}

// expiry is the second by which the end of every state was written down; 0 while there is one that has not ended.
func (p *part) expiry() int64 {
	last := int64(0)
	for i := range p.states {
		if !p.states[i].ended() {
			return 0
		}
		last = max(last, p.states[i].endCommit)
	}
	return second(last) + 1
}
