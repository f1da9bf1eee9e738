package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openconfig/goyang/pkg/yang"
)

// documents makes a page of Markdown for each module of ours, by file name, and a table of contents.
func documents(modules map[string][]byte) (map[string][]byte, error) {
	set := yang.NewModules()
	for name, text := range modules {
		if err := set.Parse(string(text), name); err != nil {
			return nil, fmt.Errorf("read a YANG module: %w", err)
		}
	}
	if errs := set.Process(); len(errs) > 0 {
		return nil, fmt.Errorf("process the YANG modules: %v", errs)
	}
	var names []string
	for name := range modules {
		if name = strings.TrimSuffix(name, ".yang"); strings.HasPrefix(name, "fabricscope-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	pages := map[string][]byte{}
	var contents strings.Builder
	contents.WriteString("<!-- Made by " + generator + " -docs docs/models. Do not edit. -->\n\n# The models\n\n" +
		"What the gNMI server shows ([formats/gnmi.md](../formats/gnmi.md)), as the YANG modules under `models/yang` have it.\n\n| module | version | what |\n|---|---|---|\n")
	for _, name := range names {
		p := page{module: set.Modules[name], set: set}
		pages[name+".md"] = []byte(p.write())
		summary, _, _ := strings.Cut(flat(p.module.Description.Name), ". ")
		fmt.Fprintf(&contents, "| [%s](%s.md) | %s | %s. |\n", name, name, extension(p.module.Extensions, extVersion), strings.TrimSuffix(summary, "."))
	}
	pages["README.md"] = []byte(contents.String())
	return pages, nil
}

// page is what is written about one module.
type page struct {
	module *yang.Module
	set    *yang.Modules
	b      strings.Builder
}

// place is an entry on a page, where it stands and how its leaves are sent.
type place struct {
	*yang.Entry
	path     string
	onChange bool
}

func (p *page) write() string {
	m := p.module
	fmt.Fprintf(&p.b, "<!-- Made by %s -docs docs/models. Do not edit. -->\n\n# %s\n\n%s\n\n", generator, m.Name, paragraphs(m.Description.Name))
	fmt.Fprintf(&p.b, "Version %s of %s; namespace `%s`, prefix `%s`.\n", extension(m.Extensions, extVersion), m.Revision[0].Name, m.Namespace.Name, m.Prefix.Name)
	tops := p.tops()
	if len(tops) > 0 {
		p.b.WriteString("\n## Tree\n\n```\nmodule: " + m.Name + "\n")
		for i, top := range tops {
			if at := top.path[:strings.LastIndexByte(top.path, '/')]; at != "" {
				fmt.Fprintf(&p.b, "  augment %s:\n  ", at)
			}
			p.tree(top, "  ", i == len(tops)-1)
		}
		p.b.WriteString("```\n\n## Nodes\n\n*Mode* is how TARGET_DEFINED sends a leaf.\n\n| path | type | mode | what |\n|---|---|---|---|\n")
		for _, top := range tops {
			p.nodes(top)
		}
	}
	p.types()
	return p.b.String()
}

// tops gives the highest nodes that the module defines: its own roots, and what it adds to other modules.
func (p *page) tops() []place {
	var found []place
	var look func(at place)
	look = func(at place) {
		if module, err := at.InstantiatingModule(); err == nil && module == p.module.Name {
			found = append(found, at)
			return
		}
		for _, child := range children(at) {
			look(child)
		}
	}
	for _, name := range roots() {
		for _, e := range sorted(yang.ToEntry(p.set.Modules[strings.TrimSuffix(filepath.Base(name), ".yang")]).Dir) {
			look(newPlace(e, "", false))
		}
	}
	return found
}

func newPlace(e *yang.Entry, above string, onChange bool) place {
	at := place{Entry: e, path: above + "/" + e.Name}
	if e.IsList() {
		for _, k := range strings.Fields(e.Key) {
			at.path += "[" + k + "]"
		}
	}
	at.onChange = onChange || slices.ContainsFunc(e.Exts, func(x *yang.Statement) bool { return is(x, extOnChange) })
	return at
}

// children gives what is directly beneath a node, keys first.
func children(at place) []place {
	keys := strings.Fields(at.Key)
	var first, rest []place
	for _, e := range sorted(at.Dir) {
		if c := newPlace(e, at.path, at.onChange); slices.Contains(keys, e.Name) {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	return append(first, rest...)
}

// tree draws a node and what is beneath it as RFC 8340 does.
func (p *page) tree(at place, indent string, last bool) {
	name := at.Name
	switch {
	case at.IsList():
		name += "* [" + at.Key + "]"
	case at.IsLeafList():
		name += "*"
	case at.IsLeaf() && !slices.Contains(strings.Fields(at.Parent.Key), at.Name):
		name += "?"
	}
	if at.Type != nil {
		name = fmt.Sprintf("%-20s %s", name, typeName(at.Type))
	}
	p.b.WriteString(strings.TrimRight(indent+"+--ro "+name, " ") + "\n")
	beneath := indent + "|  "
	if last {
		beneath = indent + "   "
	}
	list := children(at)
	for i, c := range list {
		p.tree(c, beneath, i == len(list)-1)
	}
}

// nodes writes a row for a node and for each beneath it, but not for the leaves that only refer to keys.
func (p *page) nodes(at place) {
	kind, mode := "container", ""
	switch {
	case at.IsList():
		kind = "list"
		if slices.ContainsFunc(at.Exts, func(x *yang.Statement) bool { return is(x, extAtomic) }) {
			mode = "atomic"
		}
	case at.Type != nil:
		if at.Type.Kind == yang.Yleafref {
			return
		}
		kind, mode = "`"+typeName(at.Type)+"`", "SAMPLE"
		if at.Units != "" {
			kind += ", " + at.Units
		}
		if at.onChange {
			mode = "ON_CHANGE"
		}
	}
	fmt.Fprintf(&p.b, "| `%s` | %s | %s | %s |\n", at.path, kind, mode, strings.ReplaceAll(flat(at.Description), "|", "\\|"))
	for _, c := range children(at) {
		p.nodes(c)
	}
}

// types writes the types that the module defines, with their values.
func (p *page) types() {
	if len(p.module.Typedef) == 0 {
		return
	}
	p.b.WriteString("\n## Types\n")
	for _, t := range p.module.Typedef {
		fmt.Fprintf(&p.b, "\n### %s\n\n%s\n", t.Name, flat(t.Description.Name))
		if len(t.Type.Enum) == 0 {
			fmt.Fprintf(&p.b, "\nA `%s`.\n", t.Type.Name)
			continue
		}
		p.b.WriteString("\n| value | what |\n|---|---|\n")
		for _, v := range t.Type.Enum {
			fmt.Fprintf(&p.b, "| `%s` | %s |\n", v.Name, flat(v.Description.Name))
		}
	}
}

// typeName gives a type as the module names it; of a reference, where it leads.
func typeName(t *yang.YangType) string {
	if t.Kind == yang.Yleafref {
		return "-> " + t.Path
	}
	return t.Name
}

func extension(list []*yang.Statement, name string) string {
	for _, x := range list {
		if is(x, name) {
			return x.Argument
		}
	}
	return ""
}

// flat puts a text on one line.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// paragraphs puts each paragraph of a text on one line.
func paragraphs(s string) string {
	var out []string
	for _, part := range strings.Split(s, "\n\n") {
		out = append(out, flat(part))
	}
	return strings.Join(out, "\n\n")
}
