package cli

import (
	"errors"
	"slices"
	"strings"

	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields that are read (gnmi.proto). A large cluster has millions of leaves: as messages of the generated
// package each would be half a dozen objects.
const (
	responseUpdate    protowire.Number = 1
	responseSync      protowire.Number = 3
	responseExtension protowire.Number = 5

	notificationTimestamp protowire.Number = 1
	notificationPrefix    protowire.Number = 2
	notificationUpdate    protowire.Number = 4
	notificationDelete    protowire.Number = 5
	notificationAtomic    protowire.Number = 6

	updatePath protowire.Number = 1
	updateVal  protowire.Number = 3

	pathElement protowire.Number = 3
	elementName protowire.Number = 1
	elementKey  protowire.Number = 2
	mapKey      protowire.Number = 1
	mapValue    protowire.Number = 2

	typedString   protowire.Number = 1
	typedInt      protowire.Number = 2
	typedUint     protowire.Number = 3
	typedBool     protowire.Number = 4
	typedLeaflist protowire.Number = 8
	arrayElement  protowire.Number = 1 // of ScalarArray
)

// element is one of a path, with its keys in the order of their names.
type element struct {
	name string
	keys []key
}

type key struct{ name, value string }

// value is what a leaf or a leaf-list holds.
type value struct {
	kind   protowire.Number // of a TypedValue; 0 for what the commands do not read
	number uint64           // of an int, a uint or a bool
	text   string
	list   []string
}

// leafUpdate is a leaf with its path.
type leafUpdate struct {
	path  []element
	value value
}

func (v value) unsigned() uint64 {
	if v.kind == typedUint {
		return v.number
	}
	return 0
}

func (v value) truth() bool { return v.kind == typedBool && v.number != 0 }

// note is what a SubscribeResponse says.
type note struct {
	at      int64 // nanoseconds since 1970
	sync    bool  // everything was sent once
	atomic  bool
	prefix  []element
	updates []leafUpdate
	deletes [][]element

	extensions [][]byte
}

// noteReader reads responses one after the other.
type noteReader struct {
	names map[string]string // of elements and keys: each comes with every message

	note   note // good until the next is read, but for its texts
	text   string
	whole  []byte // the response, of which text is a copy
	arena  []element
	ofKeys []key
}

func newNoteReader() *noteReader { return &noteReader{names: map[string]string{}} }

var errMalformed = errors.New("the answer is not as gNMI's messages are")

// read reads a SubscribeResponse.
func (r *noteReader) read(response []byte) (*note, error) {
	r.whole, r.text = response, string(response)
	r.arena, r.ofKeys = r.arena[:0], r.ofKeys[:0]
	r.note = note{updates: r.note.updates[:0], deletes: r.note.deletes[:0]}
	err := fields(response, func(field protowire.Number, v []byte, n uint64) error {
		switch field {
		case responseUpdate:
			return fields(v, r.notification)
		case responseSync:
			r.note.sync = n != 0
		case responseExtension:
			r.note.extensions = append(r.note.extensions, v)
		}
		return nil
	})
	return &r.note, err
}

func (r *noteReader) notification(field protowire.Number, v []byte, n uint64) (err error) {
	switch field {
	case notificationTimestamp:
		r.note.at = int64(n)
	case notificationPrefix:
		r.note.prefix, err = r.path(v)
	case notificationUpdate:
		var u leafUpdate
		u, err = r.update(v)
		r.note.updates = append(r.note.updates, u)
	case notificationDelete:
		var gone []element
		gone, err = r.path(v)
		r.note.deletes = append(r.note.deletes, gone)
	case notificationAtomic:
		r.note.atomic = n != 0
	}
	return err
}

func (r *noteReader) update(message []byte) (u leafUpdate, err error) {
	return u, fields(message, func(field protowire.Number, v []byte, _ uint64) (err error) {
		switch field {
		case updatePath:
			u.path, err = r.path(v)
		case updateVal:
			u.value, err = r.value(v)
		}
		return err
	})
}

func (r *noteReader) path(message []byte) ([]element, error) {
	begin := len(r.arena)
	err := fields(message, func(field protowire.Number, v []byte, _ uint64) error {
		if field != pathElement {
			return nil
		}
		e, err := r.element(v)
		r.arena = append(r.arena, e)
		return err
	})
	return r.arena[begin:len(r.arena):len(r.arena)], err
}

func (r *noteReader) element(message []byte) (e element, err error) {
	begin := len(r.ofKeys)
	err = fields(message, func(field protowire.Number, v []byte, _ uint64) error {
		switch field {
		case elementName:
			e.name = r.name(v)
		case elementKey:
			return r.key(v)
		}
		return nil
	})
	e.keys = r.ofKeys[begin:len(r.ofKeys):len(r.ofKeys)]
	sortKeys(e.keys)
	return e, err
}

// sortKeys puts the few keys of an entry in the order of their names: a message may have them in any.
func sortKeys(keys []key) {
	for i := 1; i < len(keys); i++ {
		for n := i; n > 0 && keys[n].name < keys[n-1].name; n-- {
			keys[n], keys[n-1] = keys[n-1], keys[n]
		}
	}
}

func (r *noteReader) key(message []byte) error {
	var k key
	err := fields(message, func(field protowire.Number, v []byte, _ uint64) error {
		switch field {
		case mapKey:
			k.name = r.name(v)
		case mapValue:
			k.value = r.string(v)
		}
		return nil
	})
	r.ofKeys = append(r.ofKeys, k)
	return err
}

func (r *noteReader) value(message []byte) (u value, err error) {
	return u, fields(message, func(field protowire.Number, v []byte, n uint64) error {
		if field != typedLeaflist {
			u = r.scalar(field, v, n)
			return nil
		}
		u = value{kind: field}
		return fields(v, func(field protowire.Number, v []byte, _ uint64) error {
			if field != arrayElement {
				return nil
			}
			return fields(v, func(field protowire.Number, v []byte, n uint64) error {
				u.list = append(u.list, r.scalar(field, v, n).text)
				return nil
			})
		})
	})
}

// scalar gives a value that is none of several.
func (r *noteReader) scalar(field protowire.Number, v []byte, n uint64) value {
	switch field {
	case typedString:
		return value{kind: field, text: r.string(v)}
	case typedInt, typedUint, typedBool:
		return value{kind: field, number: n}
	}
	return value{}
}

// string gives a text of the response without a copy of its own.
func (r *noteReader) string(v []byte) string {
	at := cap(r.whole) - cap(v) // what protowire gives of bytes goes on to their end
	return r.text[at : at+len(v)]
}

// name gives a text that others have too.
func (r *noteReader) name(v []byte) string {
	name, ok := r.names[string(v)]
	if !ok {
		name = strings.Clone(string(v))
		r.names[name] = name
	}
	return name
}

// fields gives each field of a message: the bytes of one that has some, or the number.
func fields(message []byte, take func(field protowire.Number, v []byte, n uint64) error) error {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return errMalformed
		}
		message = message[size:]
		var v []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			v, size = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(message)
		default:
			size = protowire.ConsumeFieldValue(field, kind, message)
		}
		if size < 0 {
			return errMalformed
		}
		message = message[size:]
		if err := take(field, v, n); err != nil {
			return err
		}
	}
	return nil
}

// encoded is a message as it came. Its bytes are good until the next comes into it.
type encoded struct{ bytes []byte }

// codec is Protobuf's, but that it leaves what is to be read by hand as it came.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(protocodec.Name)} }

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*encoded)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	m.bytes = slices.Grow(m.bytes[:0], data.Len())[:data.Len()]
	data.CopyTo(m.bytes)
	return nil
}
