package p4rt

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Digests come by the hundred thousand, and every one has dozens of members. So they are decoded
// straight from the wire: generated code would make three objects of each member.

// Numbers of the fields that are read here (p4/v1/p4runtime.proto and p4data.proto).
const (
	fieldResponseDigest = 3 // StreamMessageResponse

	fieldListDigestID  = 1 // DigestList
	fieldListID        = 2
	fieldListData      = 3
	fieldListTimestamp = 4

	fieldDataBitstring = 1 // P4Data
	fieldDataBool      = 3
	fieldDataStruct    = 5
	fieldDataEnumValue = 12

	fieldStructMembers = 1 // P4StructLike
)

// wireField is one field of an encoded message.
type wireField struct {
	number protowire.Number
	bytes  []byte // of a string, bytes or a message; nil otherwise
	varint uint64
}

// nextField takes the first field off an encoded message.
func nextField(b []byte) (f wireField, rest []byte, err error) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return f, nil, protowire.ParseError(n)
	}
	f.number, b = number, b[n:]
	switch kind {
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(b)
	default:
		n = protowire.ConsumeFieldValue(number, kind, b)
	}
	if n < 0 {
		return f, nil, protowire.ParseError(n)
	}
	return f, b[n:], nil
}

// DigestMessage is a decoded message of digests.
type DigestMessage struct {
	DigestList
	DigestID uint32
	Known    bool // the program has the digest
	Broken   int  // digests whose shape is not the program's: they are left out
}

// DecodeDigests decodes an encoded p4.v1.DigestList that was received at now. It fails when that
// is no such message.
func (p *Program) DecodeDigests(wire []byte, now time.Time) (DigestMessage, error) {
	m := DigestMessage{DigestList: DigestList{Received: now}}
	count := 0
	for b := wire; len(b) > 0; {
		f, rest, err := nextField(b)
		if err != nil {
			return m, fmt.Errorf("digest list: %w", err)
		}
		switch b = rest; f.number {
		case fieldListDigestID:
			m.DigestID = uint32(f.varint)
		case fieldListID:
			m.ListID = f.varint
		case fieldListTimestamp:
			m.Sent = time.Unix(0, int64(f.varint))
		case fieldListData:
			count++
		}
	}
	d, ok := p.digestIDs[m.DigestID]
	if m.Known = ok; !ok {
		m.Broken = count
		return m, nil
	}
	m.Layout = d.layout
	// A member takes two bytes or more, whatever the message claims to have.
	members := digestMembers{want: len(d.layout.fields), values: make([]Value, 0, min(len(d.layout.fields)*count, len(wire)/2))}
	members.text.Grow(len(wire)) // so that it never moves
	m.Digests = make([][]Value, 0, count)
	for b := wire; len(b) > 0; {
		f, rest, err := nextField(b)
		if err != nil {
			return m, fmt.Errorf("digest list: %w", err)
		}
		if b = rest; f.number != fieldListData {
			continue
		}
		values, err := members.of(f.bytes)
		if err != nil {
			return m, fmt.Errorf("digest list %d: %w", m.ListID, err)
		}
		if len(values) != members.want {
			m.Broken++
			continue
		}
		m.Digests = append(m.Digests, values)
	}
	return m, nil
}

// digestMembers takes digests apart. All members of a list are parts of one string.
type digestMembers struct {
	want   int // of a digest
	values []Value
	text   strings.Builder
}

// of gives the members of an encoded P4Data; a digest of one member may come bare.
func (d *digestMembers) of(data []byte) ([]Value, error) {
	first := len(d.values)
	bare := true
	for b := data; len(b) > 0; {
		f, rest, err := nextField(b)
		if err != nil {
			return nil, err
		}
		if b = rest; f.number != fieldDataStruct {
			continue
		}
		bare = false
		for m := f.bytes; len(m) > 0; {
			if n := shortBitstring(m); n > 0 {
				d.values = append(d.values, d.keep(m[4:n]))
				m = m[n:]
				continue
			}
			f, rest, err := nextField(m)
			if err != nil {
				return nil, err
			}
			if m = rest; f.number != fieldStructMembers {
				continue
			}
			if err := d.add(f.bytes); err != nil {
				return nil, err
			}
		}
	}
	if bare {
		if err := d.add(data); err != nil {
			return nil, err
		}
	}
	return d.values[first:len(d.values):len(d.values)], nil
}

// shortBitstring says how long the first field of an encoded P4StructLike is if it is what nearly
// all are: a member (tag, length) that is a bitstring (tag, length) of less than 126 bytes. 0 if not.
func shortBitstring(m []byte) int {
	const tag = 1<<3 | byte(protowire.BytesType) // of fieldStructMembers, and of fieldDataBitstring
	if len(m) < 4 || m[0] != tag || m[1] < 2 || m[1] >= 0x80 || m[2] != tag || m[3] != m[1]-2 || len(m) < 2+int(m[1]) {
		return 0
	}
	return 2 + int(m[1])
}

// add takes the value of an encoded P4Data.
func (d *digestMembers) add(data []byte) error {
	value := Uint(0)
	for b := data; len(b) > 0; {
		f, rest, err := nextField(b)
		if err != nil {
			return err
		}
		switch b = rest; f.number {
		case fieldDataBitstring, fieldDataEnumValue:
			value = d.keep(f.bytes)
		case fieldDataBool:
			value = Uint(f.varint & 1)
		}
	}
	d.values = append(d.values, value)
	return nil
}

// keep makes a Value of bytes that are another's, in the text.
func (d *digestMembers) keep(b []byte) Value {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if len(b) == 0 {
		return "\x00"
	}
	at := d.text.Len()
	d.text.Write(b)
	return Value(d.text.String()[at:])
}
