package p4rtserver

import (
	"strconv"
	"sync"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/grpc/codes"
)

// Types whose values are strings to the controller: P4Runtime specification, section 18.1. It
// leaves the mapping to the switch's configuration; this switch has none and makes one. A
// decimal number, without leading zeros, stands for itself, so that ports have names. Any other
// string gets the lowest number from 1 on that is not in use, when it first comes, and keeps it
// as long as the pipeline and those that are reconciled with it run. A number that no string
// was given for is shown as its decimal.

// Bounds of the strings of one type.
const (
	maxNames   = 1 << 20
	maxNameLen = 1 << 10 // bytes
)

// names is the mapping of the types with one URI.
type names struct {
	mu      sync.Mutex
	width   int // bits of the narrowest field that holds the numbers
	numbers map[string]uint64
	texts   map[uint64]string
	last    uint64
}

func newNames() *names {
	return &names{width: 64, numbers: map[string]uint64{}, texts: map[uint64]string{}}
}

// namesOf is the mapping of a type, nil unless its values are strings.
func (s *schema) namesOf(t *p4config.P4NamedType) *names {
	if t == nil {
		return nil
	}
	return s.namesOfSpec(t.GetName())
}

func (s *schema) namesOfSpec(name string) *names {
	t := s.info.GetTypeInfo().GetNewTypes()[name].GetTranslatedType()
	if t.GetSdnString() == nil {
		return nil
	}
	n := s.names[t.GetUri()]
	if n == nil {
		n = newNames()
		s.names[t.GetUri()] = n
	}
	return n
}

// fits tells the mapping the width of a field that holds its numbers.
func (n *names) fits(width int) { n.width = min(n.width, width) }

// in is the number of a string.
func (n *names) in(text []byte) ([]byte, error) {
	if len(text) == 0 || len(text) > maxNameLen {
		return nil, fail(codes.InvalidArgument, "a string of %d bytes: there must be between 1 and %d", len(text), maxNameLen)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	name := string(text)
	if v, ok := n.numbers[name]; ok {
		return bytesOf(v), nil
	}
	if v, err := strconv.ParseUint(name, 10, 64); err == nil && strconv.FormatUint(v, 10) == name && v <= n.largest() {
		if other, taken := n.texts[v]; taken {
			return nil, fail(codes.InvalidArgument, "number %s stands for %q already", name, other)
		}
		n.keep(name, v)
		return bytesOf(v), nil
	}
	for v := n.last + 1; v != 0 && v <= n.largest() && len(n.texts) < maxNames; v++ {
		if _, taken := n.texts[v]; !taken {
			n.last = v
			n.keep(name, v)
			return bytesOf(v), nil
		}
	}
	return nil, fail(codes.ResourceExhausted, "no number of %d bits is left for the string %q", n.width, name)
}

func (n *names) largest() uint64 { return ^uint64(0) >> (64 - n.width) }

func (n *names) keep(name string, v uint64) { n.numbers[name], n.texts[v] = v, name }

// out is the string of a number.
func (n *names) out(b []byte) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	v := uint64(0)
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	if name, ok := n.texts[v]; ok {
		return []byte(name)
	}
	return strconv.AppendUint(nil, v, 10)
}

// adopt takes the mapping over from an earlier pipeline.
func (n *names) adopt(old *names) {
	old.mu.Lock()
	defer old.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, v := range old.numbers {
		if v <= n.largest() {
			n.keep(name, v)
		}
	}
}

// bytesOf is a number as a canonical byte string.
func bytesOf(v uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[7-i] = byte(v >> (8 * i))
	}
	return canonical(b)
}
