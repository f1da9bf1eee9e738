package gnmi

import (
	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// tree is a part of the data tree on its way to JSON: a leaf, a container, or a list with
// its entries. Members keep the order in which they came.
type tree struct {
	node    *node
	value   value
	members []*tree
	index   map[string]*tree // of members, by the text of their element
	entry   bool             // of a list
}

// put adds a leaf at a path beneath t.
func (t *tree) put(path []elem, v value) {
	at := t
	for _, e := range path {
		if len(e.values) > 0 {
			at = at.member(e.node.name, e.node)
			at = at.member(string(e.appendText(nil)), e.node)
			at.entry = true
			continue
		}
		at = at.member(e.node.name, e.node)
	}
	at.value = v
}

func (t *tree) member(key string, n *node) *tree {
	if m, ok := t.index[key]; ok {
		return m
	}
	if t.index == nil {
		t.index = map[string]*tree{}
	}
	m := &tree{node: n}
	t.index[key] = m
	t.members = append(t.members, m)
	return m
}

// appendJSON appends the tree. module is that of the parent: in JSON_IETF a member whose
// module is another carries its name (RFC 7951, section 4).
func (t *tree) appendJSON(b []byte, enc gpb.Encoding, module string) []byte {
	if t.node != nil && t.node.leaf {
		return t.value.appendJSON(b, enc, t.node.wide)
	}
	if len(t.members) > 0 && t.members[0].entry {
		b = append(b, '[')
		for i, m := range t.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = m.appendJSON(b, enc, module)
		}
		return append(b, ']')
	}
	b = append(b, '{')
	for i, m := range t.members {
		if i > 0 {
			b = append(b, ',')
		}
		name := m.node.name
		if enc == gpb.Encoding_JSON_IETF && m.node.module != module {
			name = m.node.module + ":" + name
		}
		b = appendJSONString(b, name)
		b = append(b, ':')
		b = m.appendJSON(b, enc, m.node.module)
	}
	return append(b, '}')
}

// document gives the tree as the value of an update.
func (t *tree) document(enc gpb.Encoding) *gpb.TypedValue {
	doc := t.appendJSON(nil, enc, "")
	if enc == gpb.Encoding_JSON_IETF {
		return &gpb.TypedValue{Value: &gpb.TypedValue_JsonIetfVal{JsonIetfVal: doc}}
	}
	return &gpb.TypedValue{Value: &gpb.TypedValue_JsonVal{JsonVal: doc}}
}
