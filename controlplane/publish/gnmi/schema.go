package gnmi

import (
	"fmt"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"

	"github.com/fabricscope/fabricscope/models"
)

// Extensions of OpenConfig that the modules annotate nodes with.
const (
	extOnChange = "oc-ext:telemetry-on-change"
	extAtomic   = "oc-ext:telemetry-atomic"
)

// node is a node of the schema.
type node struct {
	name     string
	module   string   // name of the module that defines it
	keys     []string // of a list, in order
	leaf     bool
	wide     bool // a 64-bit number, which JSON_IETF writes as a string (RFC 7951, section 6.1)
	onChange bool // TARGET_DEFINED is ON_CHANGE, not SAMPLE
	atomic   bool // the subtree is sent as a whole
	served   bool // the server gives it, or something beneath it
	parent   *node
	children map[string]*node
}

// schema is the tree of each sort of target.
type schema struct {
	fabric *node // roots of Fabricscope's own models
	device *node // openconfig-interfaces
}

// modulePrefixes tells the module of a node by the prefix that its definition carries.
func modulePrefixes() map[string]string {
	return map[string]string{
		"fs-types": "fabricscope-types", "fs-kube": "fabricscope-kubernetes", "fs-fabric": "fabricscope-fabric",
		"fs-flows": "fabricscope-flows", "fs-if": "fabricscope-interfaces", "oc-if": "openconfig-interfaces",
	}
}

// servedOfInterfaces lists the leaves of openconfig-interfaces that the server gives.
func servedOfInterfaces() []string {
	return []string{
		"name", "state/name", "state/type", "state/ifindex", "state/description", "state/enabled",
		"state/admin-status", "state/oper-status", "state/counters/in-octets", "state/counters/in-pkts",
	}
}

// newSchema reads the schema that the generated models carry.
func newSchema() (schema, error) {
	entries, err := models.UnzipSchema()
	if err != nil {
		return schema{}, fmt.Errorf("gnmi: read the schema of the models: %w", err)
	}
	root, ok := entries["Root"]
	if !ok {
		return schema{}, fmt.Errorf("gnmi: the schema of the models has no root")
	}
	s := schema{fabric: &node{children: map[string]*node{}}, device: &node{children: map[string]*node{}}}
	prefixes := modulePrefixes()
	for name, e := range root.Dir {
		into := s.fabric
		if name == "interfaces" {
			into = s.device
		}
		n, err := newNode(e, into, prefixes)
		if err != nil {
			return schema{}, err
		}
		into.children[name] = n
	}
	for _, n := range s.fabric.children {
		n.serve()
	}
	list := s.device.children["interfaces"].children["interface"]
	for _, path := range servedOfInterfaces() {
		at := list
		for _, name := range strings.Split(path, "/") {
			if at = at.children[name]; at == nil {
				return schema{}, fmt.Errorf("gnmi: openconfig-interfaces has no %s", path)
			}
		}
		for ; at != nil; at = at.parent {
			at.served = true
		}
	}
	return s, nil
}

func newNode(e *yang.Entry, parent *node, prefixes map[string]string) (*node, error) {
	n := &node{name: e.Name, parent: parent, onChange: parent.onChange, leaf: e.Dir == nil, module: parent.module}
	if e.Prefix != nil {
		module, ok := prefixes[e.Prefix.Name]
		if !ok {
			return nil, fmt.Errorf("gnmi: %s: unknown module prefix %q", e.Name, e.Prefix.Name)
		}
		n.module = module
	}
	if e.IsList() {
		n.keys = strings.Fields(e.Key)
	}
	for _, x := range e.Exts {
		switch x.Keyword {
		case extOnChange:
			n.onChange = true
		case extAtomic:
			n.atomic = true
		}
	}
	if n.leaf {
		n.wide = e.Type.Kind == yang.Yuint64 || e.Type.Kind == yang.Yint64
		return n, nil
	}
	n.children = map[string]*node{}
	for name, child := range e.Dir {
		c, err := newNode(child, n, prefixes)
		if err != nil {
			return nil, err
		}
		n.children[name] = c
	}
	return n, nil
}

func (n *node) serve() {
	n.served = true
	for _, c := range n.children {
		c.serve()
	}
}
