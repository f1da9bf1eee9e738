package gnmi

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

type valueKind uint8

const (
	text     valueKind = iota // in text
	identity                  // in text, with the module's name and a colon before it
	truth                     // in bits, 0 or 1
	unsigned                  // in bits
	signed                    // in bits
	texts                     // in list
)

// value is what a leaf or a leaf-list holds.
type value struct {
	kind valueKind
	bits uint64
	text string
	list []string
}

func str(s string) value { return value{kind: text, text: s} }

func num[T uint8 | uint16 | uint32 | uint64](n T) value {
	return value{kind: unsigned, bits: uint64(n)}
}

func sint(n int64) value { return value{kind: signed, bits: uint64(n)} }

func flag(b bool) value {
	if b {
		return value{kind: truth, bits: 1}
	}
	return value{kind: truth}
}

func (v value) equal(o value) bool {
	return v.kind == o.kind && v.bits == o.bits && v.text == o.text && slices.Equal(v.list, o.list)
}

// size is roughly how many bytes the value takes in a message.
func (v value) size() int {
	n := 8 + len(v.text)
	for _, s := range v.list {
		n += 4 + len(s)
	}
	return n
}

// key gives the value as it stands in the key of a path.
func (v value) key() string {
	if v.kind == unsigned {
		return strconv.FormatUint(v.bits, 10)
	}
	return v.text
}

// Numbers of the fields of TypedValue that occur here (gnmi.proto).
const (
	typedString   protowire.Number = 1
	typedInt      protowire.Number = 2
	typedUint     protowire.Number = 3
	typedBool     protowire.Number = 4
	typedLeaflist protowire.Number = 8
	typedJSON     protowire.Number = 10
	typedJSONIETF protowire.Number = 11
	typedASCII    protowire.Number = 12
	arrayElement  protowire.Number = 1 // of ScalarArray
)

// typed gives the value as the encoding has it. wide says that the leaf is a 64-bit
// number.
func (v value) typed(enc gpb.Encoding, wide bool) *gpb.TypedValue {
	t := &gpb.TypedValue{}
	if err := proto.Unmarshal(v.appendTyped(nil, enc, wide), t); err != nil {
		panic("gnmi: a value is not encoded as its message: " + err.Error())
	}
	return t
}

// appendTyped appends the value as the fields of a TypedValue (gNMI specification, sections 2.2.3 and 2.3).
func (v value) appendTyped(b []byte, enc gpb.Encoding, wide bool) []byte {
	switch enc {
	case gpb.Encoding_JSON:
		b, at := open(b, typedJSON)
		return shut(v.appendJSON(b, enc, wide), at)
	case gpb.Encoding_JSON_IETF:
		b, at := open(b, typedJSONIETF)
		return shut(v.appendJSON(b, enc, wide), at)
	case gpb.Encoding_ASCII:
		b, at := open(b, typedASCII)
		return shut(v.appendASCII(b), at)
	}
	switch v.kind {
	case identity:
		return appendText(b, typedString, v.text[strings.IndexByte(v.text, ':')+1:])
	case truth:
		return appendNumber(b, typedBool, v.bits)
	case unsigned:
		return appendNumber(b, typedUint, v.bits)
	case signed:
		return appendNumber(b, typedInt, v.bits)
	case texts:
		b, at := open(b, typedLeaflist)
		for _, s := range v.list {
			var element int
			b, element = open(b, arrayElement)
			b = shut(appendText(b, typedString, s), element)
		}
		return shut(b, at)
	}
	return appendText(b, typedString, v.text)
}

// appendASCII appends the value as a line of text: the elements of a list have commas between them, and what is not
// ASCII is escaped as Go does.
func (v value) appendASCII(b []byte) []byte {
	switch v.kind {
	case truth:
		return strconv.AppendBool(b, v.bits != 0)
	case unsigned:
		return strconv.AppendUint(b, v.bits, 10)
	case signed:
		return strconv.AppendInt(b, int64(v.bits), 10)
	case texts:
		return appendPlain(b, strings.Join(v.list, ","))
	}
	return appendPlain(b, v.text)
}

func appendPlain(b []byte, s string) []byte {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		quoted := strconv.QuoteToASCII(s)
		s = quoted[1 : len(quoted)-1]
	}
	return append(b, s...)
}

// appendJSON appends the value in JSON. JSON_IETF follows RFC 7951: 64-bit numbers are strings and
// identities carry their module.
func (v value) appendJSON(b []byte, enc gpb.Encoding, wide bool) []byte {
	quoted := wide && enc == gpb.Encoding_JSON_IETF && (v.kind == unsigned || v.kind == signed)
	if quoted {
		b = append(b, '"')
	}
	switch v.kind {
	case truth:
		return strconv.AppendBool(b, v.bits != 0)
	case unsigned:
		b = strconv.AppendUint(b, v.bits, 10)
	case signed:
		b = strconv.AppendInt(b, int64(v.bits), 10)
	case texts:
		b = append(b, '[')
		for i, s := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSONString(b, s)
		}
		return append(b, ']')
	case identity:
		s := v.text
		if enc == gpb.Encoding_JSON {
			s = s[strings.IndexByte(s, ':')+1:]
		}
		return appendJSONString(b, s)
	default:
		return appendJSONString(b, v.text)
	}
	if quoted {
		b = append(b, '"')
	}
	return b
}

func appendJSONString(b []byte, s string) []byte {
	if plainJSON(s) {
		b = append(b, '"')
		return append(append(b, s...), '"')
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("gnmi: a string that JSON cannot hold: " + err.Error())
	}
	return append(b, quoted...)
}

// plainJSON says whether s stands for itself in JSON, as names and addresses do.
func plainJSON(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// instant gives t in nanoseconds since the epoch; 0 for what lies outside of that.
func instant(t time.Time) value {
	if t.Before(time.Unix(0, 0)) || t.After(time.Unix(0, math.MaxInt64)) {
		return num(uint64(0))
	}
	return num(uint64(t.UnixNano()))
}

func address(a netip.Addr) value { return str(plainAddress(a)) }

// plainAddress gives an address as the models have it: without zone, and in groups of hexadecimal
// digits throughout where it is IPv6's, for the pattern of the type has no others.
func plainAddress(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return ""
	case a.Is4In6():
		b := a.As16()
		return fmt.Sprintf("::ffff:%x:%x", binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:]))
	}
	return a.WithZone("").String()
}

func addresses(list []netip.Addr) value {
	v := value{kind: texts}
	for _, a := range list {
		v.list = append(v.list, plainAddress(a))
	}
	return v
}

func portRefs(list []inventory.PortRef) value {
	v := value{kind: texts}
	for _, p := range list {
		v.list = append(v.list, p.String())
	}
	return v
}

func prefixes(list []netip.Prefix) value {
	v := value{kind: texts}
	for _, p := range list {
		v.list = append(v.list, p.String())
	}
	return v
}

// oneOf gives the enumerated value for a word of the vocabulary: pairs has the word, then
// the value. The result is empty, and the leaf left out, for a word it does not know.
func oneOf(word string, pairs ...string) value {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == word {
			return str(pairs[i+1])
		}
	}
	return str("")
}
