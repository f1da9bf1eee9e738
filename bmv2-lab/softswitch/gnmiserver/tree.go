package gnmiserver

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Interface is what is told of one port.
type Interface struct {
	Name       string
	ID         uint32 // P4Runtime's number of the port
	Index      uint32 // the kernel's; 0 without one
	AdminUp    bool   // it is to carry frames
	Oper       string // oper-status: UP, DOWN, NOT_PRESENT …
	LastChange time.Time
	In, Out    Counters
}

// Counters are of one direction of a port, since the switch began.
type Counters struct{ Octets, Packets, Discards uint64 }

// leaf is one leaf of an interface: its path beneath the entry, and how to get it.
type leaf struct {
	path    []string
	counter bool
	value   func(Interface) any // string, bool, uint32 or uint64
}

// leaves are all that an interface has, in the order in which they are sent.
func leaves() []leaf {
	state := func(name string, value func(Interface) any) leaf {
		return leaf{path: []string{"state", name}, value: value}
	}
	counter := func(name string, value func(Interface) uint64) leaf {
		return leaf{[]string{"state", "counters", name}, true, func(i Interface) any { return value(i) }}
	}
	return []leaf{
		{path: []string{"name"}, value: func(i Interface) any { return i.Name }},
		state("name", func(i Interface) any { return i.Name }),
		state("type", func(Interface) any { return "iana-if-type:ethernetCsmacd" }),
		state("id", func(i Interface) any { return i.ID }),
		state("ifindex", func(i Interface) any { return i.Index }),
		state("enabled", func(i Interface) any { return i.AdminUp }),
		state("admin-status", func(i Interface) any {
			if i.AdminUp {
				return "UP"
			}
			return "DOWN"
		}),
		state("oper-status", func(i Interface) any { return i.Oper }),
		state("last-change", func(i Interface) any { return uint64(i.LastChange.UnixNano()) }),
		counter("in-octets", func(i Interface) uint64 { return i.In.Octets }),
		counter("in-pkts", func(i Interface) uint64 { return i.In.Packets }),
		counter("in-discards", func(i Interface) uint64 { return i.In.Discards }),
		counter("out-octets", func(i Interface) uint64 { return i.Out.Octets }),
		counter("out-pkts", func(i Interface) uint64 { return i.Out.Packets }),
		counter("out-discards", func(i Interface) uint64 { return i.Out.Discards }),
	}
}

// id names the leaf of an interface.
func (l leaf) id(name string) string { return name + "/" + strings.Join(l.path, "/") }

// of is the leaf's path for an interface.
func (l leaf) of(name string) *gpb.Path {
	p := &gpb.Path{Elem: []*gpb.PathElem{{Name: "interfaces"}, {Name: "interface", Key: map[string]string{"name": name}}}}
	for _, n := range l.path {
		p.Elem = append(p.Elem, &gpb.PathElem{Name: n})
	}
	return p
}

// request is a path that a client asked for, with the prefix before it.
type request []*gpb.PathElem

// parse checks a path: it must be one that some interface could have.
func parse(prefix, path *gpb.Path) (request, error) {
	for _, p := range []*gpb.Path{prefix, path} {
		if o := p.GetOrigin(); o != "" && o != "openconfig" {
			return nil, status.Errorf(codes.InvalidArgument, "origin %q: there is openconfig only", o)
		}
		if len(p.GetElement()) > 0 { //nolint:staticcheck // The old form of paths is to be refused, not ignored.
			return nil, status.Error(codes.InvalidArgument, "path: element is the form of paths before gNMI 0.4; use elem")
		}
	}
	var r request
	for _, e := range slices.Concat(prefix.GetElem(), path.GetElem()) {
		// Two wildcards of any length mean no more than one, and cost a try for each way to divide it between them.
		if n := len(r); e.GetName() != "..." || n == 0 || r[n-1].GetName() != "..." {
			r = append(r, e)
		}
	}
	for _, e := range r {
		for key := range e.GetKey() {
			if plain(e.GetName()) != "interface" || key != "name" {
				return nil, status.Errorf(codes.InvalidArgument, "path %s: %s has no key %s", r, e.GetName(), key)
			}
		}
	}
	for _, l := range leaves() {
		if r.matches(l, "", true) {
			return r, nil
		}
	}
	return nil, status.Errorf(codes.InvalidArgument, "path %s: there is no such node in openconfig-interfaces, or it is not served", r)
}

// String writes the path for messages.
func (r request) String() string {
	var b strings.Builder
	for _, e := range r {
		b.WriteString("/" + e.GetName())
		for k, v := range e.GetKey() {
			b.WriteString("[" + k + "=" + v + "]")
		}
	}
	return b.String() + strings.Repeat("/", max(1-len(r), 0))
}

// matches says whether the leaf of an interface, or of any, is at the path or beneath it.
func (r request) matches(l leaf, name string, anyone bool) bool {
	return matches(r, append([]string{"interfaces", "interface"}, l.path...), name, anyone)
}

func matches(r request, names []string, name string, anyone bool) bool {
	if len(r) == 0 {
		return true
	}
	e := plain(r[0].GetName())
	if e == "..." {
		for skip := range len(names) + 1 {
			if matches(r[1:], names[skip:], name, anyone) {
				return true
			}
		}
		return false
	}
	if len(names) == 0 || e != "*" && e != names[0] {
		return false
	}
	if key, given := r[0].GetKey()["name"]; names[0] == "interface" && given && !anyone && key != "*" && key != name {
		return false
	}
	return matches(r[1:], names[1:], name, anyone)
}

// plain is a name without its module.
func plain(name string) string {
	if i := strings.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// encode writes a value.
func encode(v any, e gpb.Encoding) *gpb.TypedValue {
	if e == gpb.Encoding_PROTO {
		switch v := v.(type) {
		case bool:
			return &gpb.TypedValue{Value: &gpb.TypedValue_BoolVal{BoolVal: v}}
		case uint32:
			return &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: uint64(v)}}
		case uint64:
			return &gpb.TypedValue{Value: &gpb.TypedValue_UintVal{UintVal: v}}
		}
		return &gpb.TypedValue{Value: &gpb.TypedValue_StringVal{StringVal: v.(string)}}
	}
	if n, wide := v.(uint64); wide && e == gpb.Encoding_JSON_IETF {
		v = strconv.FormatUint(n, 10) // RFC 7951, section 6.1
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("gnmiserver: " + err.Error()) // a leaf is a string, a bool or a number
	}
	if e == gpb.Encoding_JSON_IETF {
		return &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: text}}
	}
	return &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: text}}
}

// checkEncoding refuses those that are not served.
func checkEncoding(e gpb.Encoding) error {
	switch e {
	case gpb.Encoding_PROTO, gpb.Encoding_JSON, gpb.Encoding_JSON_IETF:
		return nil
	}
	return status.Errorf(codes.Unimplemented, "encoding %s: there are PROTO, JSON and JSON_IETF", e)
}
