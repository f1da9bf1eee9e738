package gnmi

import (
	"fmt"
	"strings"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	models "github.com/fabricscope/fabricscope/models/schema"
)

// node is a node of the schema.
type node struct {
	name     string
	module   string   // name of the module that defines it
	keys     []string // of a list, in order
	leaf     bool
	wide     bool   // a 64-bit number, which JSON_IETF writes as a string (RFC 7951, section 6.1)
	onChange bool   // TARGET_DEFINED is ON_CHANGE, not SAMPLE
	atomic   bool   // the subtree is sent as a whole
	served   bool   // the server gives it, or something beneath it
	applied  bool   // a leaf of state that only repeats what is configured: the config beside has it too
	values   string // the module whose identities are its values; "" for none
	parent   *node
	children map[string]*node
	elem     *gpb.PathElem // the node without keys, shared by all messages
	wire     []byte        // the same as a field of a path
	path     string        // in the schema, as /flows/conversations/conversation
}

// schema is the tree of each sort of target.
type schema struct {
	fabric *node // roots of Fabricscope's own models
	device *node // openconfig-interfaces
}

// servedOfInterfaces lists the leaves of openconfig-interfaces that the server gives.
func servedOfInterfaces() []string {
	return []string{
		"name", "state/name", "state/type", "state/ifindex", "state/description", "state/enabled",
		"state/admin-status", "state/oper-status", "state/counters/in-octets", "state/counters/in-pkts",
	}
}

// interfaceTypes is the module whose identities are the types of interfaces.
const interfaceTypes = "iana-if-type"

// newSchema binds the schema of the models.
func newSchema() (schema, error) {
	s := schema{fabric: &node{children: map[string]*node{}}, device: &node{children: map[string]*node{}}}
	for _, m := range models.Root() {
		into := s.fabric
		if m.Name == "interfaces" {
			into = s.device
		}
		into.children[m.Name] = newNode(m, into)
	}
	for _, n := range s.fabric.children {
		n.serve()
	}
	list := s.device.child("interfaces").child("interface")
	for _, path := range servedOfInterfaces() {
		at := list
		for _, name := range strings.Split(path, "/") {
			if at = at.children[name]; at == nil {
				return schema{}, fmt.Errorf("gnmi: openconfig-interfaces has no %s", path)
			}
		}
		// The module has no annotations: what is no counter changes by events.
		at.onChange = at.parent.name != "counters"
		for ; at != nil; at = at.parent {
			at.served = true
		}
	}
	list.child("state").child("type").values = interfaceTypes
	return s, nil
}

func newNode(m models.Node, parent *node) *node {
	n := &node{
		name: m.Name, module: m.Module, keys: m.Keys, leaf: len(m.Children) == 0, wide: m.Wide,
		onChange: m.OnChange, atomic: m.Atomic, parent: parent, children: map[string]*node{},
		elem: &gpb.PathElem{Name: m.Name}, path: parent.path + "/" + m.Name,
	}
	b, at := open(nil, pathElem)
	n.wire = shut(appendText(b, elemName, n.name), at)
	for _, c := range m.Children {
		n.children[c.Name] = newNode(c, n)
	}
	if config, state := n.children["config"], n.children["state"]; config != nil && state != nil {
		for name, l := range state.children {
			l.applied = l.leaf && config.children[name] != nil
		}
	}
	return n
}

// child gives a node of the schema that the renderers rely on.
func (n *node) child(name string) *node {
	c, ok := n.children[name]
	if !ok {
		panic("gnmi: the schema has no " + name + " in " + n.name)
	}
	return c
}

func (n *node) serve() {
	n.served = true
	for _, c := range n.children {
		c.serve()
	}
}

// has says whether a filter selects a leaf at or beneath the node.
func (n *node) has(f filter) bool {
	if f == nil || n.leaf && f(n) {
		return true
	}
	for _, c := range n.children {
		if c.has(f) {
			return true
		}
	}
	return false
}
