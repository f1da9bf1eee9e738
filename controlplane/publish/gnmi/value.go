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

// key gives the value as it stands in the key of a path.
func (v value) key() string {
	if v.kind == unsigned {
		return strconv.FormatUint(v.bits, 10)
	}
	return v.text
}

// typed gives the value as the encoding has it. wide says that the leaf is a 64-bit
// number.
func (v value) typed(enc gpb.Encoding, wide bool) *gpb.TypedValue {
	switch enc {
	case gpb.Encoding_JSON:
		return &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: v.appendJSON(nil, enc, wide)}}
	case gpb.Encoding_JSON_IETF:
		return &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: v.appendJSON(nil, enc, wide)}}
	}
	switch v.kind {
	case identity:
		return stringValue(v.text[strings.IndexByte(v.text, ':')+1:])
	case truth:
		return &gpb.TypedValue{Value: &gpb.TypedValue_BoolVal{BoolVal: v.bits != 0}}
	case unsigned:
		return &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: v.bits}}
	case signed:
		return &gpb.TypedValue{Value: &gpb.TypedValue_IntVal{IntVal: int64(v.bits)}}
	case texts:
		array := &gpb.ScalarArray{}
		for _, s := range v.list {
			array.Element = append(array.Element, stringValue(s))
		}
		return &gpb.TypedValue{Value: &gpb.TypedValue_LeaflistVal{LeaflistVal: array}}
	}
	return stringValue(v.text)
}

func stringValue(s string) *gpb.TypedValue {
	return &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: s}}
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
	quoted, err := json.Marshal(s)
	if err != nil {
		panic("gnmi: a string that JSON cannot hold: " + err.Error())
	}
	return append(b, quoted...)
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
