package gnmi

import (
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"github.com/openconfig/gnmi/proto/gnmi_ext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Numbers of the fields that the server writes itself (gnmi.proto). A subscriber gets hundreds of thousands of
// leaves a second; as messages of the generated package each would be half a dozen objects.
const (
	responseUpdate    protowire.Number = 1
	responseSync      protowire.Number = 3
	responseExtension protowire.Number = 5

	notificationTimestamp protowire.Number = 1
	notificationPrefix    protowire.Number = 2
	notificationUpdate    protowire.Number = 4
	notificationDelete    protowire.Number = 5
	notificationAtomic    protowire.Number = 6

	updatePath       protowire.Number = 1
	updateVal        protowire.Number = 3
	updateDuplicates protowire.Number = 4

	pathOrigin protowire.Number = 2
	pathElem   protowire.Number = 3
	pathTarget protowire.Number = 4

	elemName protowire.Number = 1
	elemKey  protowire.Number = 2

	mapKey   protowire.Number = 1
	mapValue protowire.Number = 2
)

// open begins a field that holds a message; what is appended until shut is the message.
func open(b []byte, field protowire.Number) ([]byte, int) {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return append(b, 0), len(b) // the length of most messages is one byte
}

// shut ends the message that open began at at.
func shut(b []byte, at int) []byte {
	n := len(b) - at - 1
	more := protowire.SizeVarint(uint64(n)) - 1
	for range more {
		b = append(b, 0)
	}
	if more > 0 {
		copy(b[at+1+more:], b[at+1:at+1+n])
	}
	protowire.AppendVarint(b[:at], uint64(n))
	return b
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// appendWire appends the element as a field of a path.
func (e elem) appendWire(b []byte) []byte {
	if len(e.values) == 0 {
		return append(b, e.node.wire...)
	}
	b, at := open(b, pathElem)
	b = appendText(b, elemName, e.node.name)
	for i, name := range e.node.keys {
		var entry int
		b, entry = open(b, elemKey)
		b = appendText(b, mapKey, name)
		b = appendText(b, mapValue, e.values[i])
		b = shut(b, entry)
	}
	return shut(b, at)
}

// notice is a SubscribeResponse with a notification, as it is written.
type notice struct {
	b              []byte
	response, note int // where the two messages began
}

// begin starts a notification about what is beneath entry, of a target, at a time in nanoseconds since 1970.
func (a *answer) begin(b []byte, target string, entry []elem, at int64) notice {
	var n notice
	n.b, n.response = open(b, responseUpdate)
	n.note = len(n.b)
	n.b = appendNumber(n.b, notificationTimestamp, uint64(at))
	var prefix int
	n.b, prefix = open(n.b, notificationPrefix)
	if a.origin != "" {
		n.b = appendText(n.b, pathOrigin, a.origin)
	}
	for _, e := range entry {
		n.b = e.appendWire(n.b)
	}
	if target != "" {
		n.b = appendText(n.b, pathTarget, target)
	}
	n.b = shut(n.b, prefix)
	return n
}

// update adds a leaf; duplicates says how many of its values were left out before this one.
func (n *notice) update(l *leaf, enc gpb.Encoding, duplicates uint32) {
	b, update := open(n.b, notificationUpdate)
	b, path := open(b, updatePath)
	for _, e := range l.in {
		b = e.appendWire(b)
	}
	b = shut(append(b, l.node.wire...), path)
	b, val := open(b, updateVal)
	b = shut(l.value.appendTyped(b, enc, l.node.wide), val)
	if duplicates > 0 {
		b = appendNumber(b, updateDuplicates, uint64(duplicates))
	}
	n.b = shut(b, update)
}

// delete adds the path of what is no more.
func (n *notice) delete(path []elem) {
	b, at := open(n.b, notificationDelete)
	for _, e := range path {
		b = e.appendWire(b)
	}
	n.b = shut(b, at)
}

// end gives the bytes of the response.
func (n *notice) end(atomic bool) []byte {
	if atomic {
		n.b = appendNumber(n.b, notificationAtomic, 1)
	}
	return shut(n.b, n.response)
}

// leavesOf counts the leaves that a response updates.
func leavesOf(response []byte) (n int) {
	_, _, tag := protowire.ConsumeTag(response)
	note, _ := protowire.ConsumeBytes(response[tag:])
	for len(note) > 0 {
		field, kind, tag := protowire.ConsumeTag(note)
		if field == notificationUpdate {
			n++
		}
		note = note[tag+protowire.ConsumeFieldValue(field, kind, note[tag:]):]
	}
	return n
}

// syncResponse is the response that says that everything was sent once.
func syncResponse() []byte { return appendNumber(nil, responseSync, 1) }

// appendKnown puts behind a SubscribeResponse the extension that says when its change was known.
func appendKnown(response []byte, at time.Time) []byte {
	stamp, err := proto.Marshal(timestamppb.New(at))
	if err != nil {
		panic("gnmi: marshal a time: " + err.Error())
	}
	extension, err := proto.Marshal(&gnmi_ext.Extension{Ext: &gnmi_ext.Extension_RegisteredExt{RegisteredExt: &gnmi_ext.RegisteredExtension{
		Id: gnmi_ext.ExtensionID_EID_EXPERIMENTAL, Msg: stamp}}})
	if err != nil {
		panic("gnmi: marshal an extension: " + err.Error())
	}
	return protowire.AppendBytes(protowire.AppendTag(response, responseExtension, protowire.BytesType), extension)
}
