package bmjson

import (
	"fmt"
	"math"
)

// nodes maps the names of a pipeline's control-flow nodes.
type nodes map[string]Node

func (d *decoder) pipelineList(root *node) {
	list := d.list(root.member("pipelines"))
	for _, n := range list {
		d.object(n, "name", "id", "init_table", "tables", "action_profiles", "conditionals", "action_calls")
		if d.err != nil {
			return
		}
		switch name := n.member("name"); d.text(name) {
		case "ingress":
			d.pipeline(&d.p.Ingress, n)
		case "egress":
			d.pipeline(&d.p.Egress, n)
		default:
			d.unsupported(name)
		}
	}
	if d.err == nil && (d.p.Ingress.Name == "" || d.p.Egress.Name == "") {
		d.fail(root.member("pipelines"), "has to have \"ingress\" and \"egress\"")
	}
}

func (d *decoder) pipeline(p *Pipeline, n *node) {
	if p.Name != "" {
		d.fail(n.member("name"), "%q is defined twice", p.Name)
	}
	p.Name = d.text(n.member("name"))
	all := nodes{}
	tables, conds, calls := d.optList(n.member("tables")), d.optList(n.member("conditionals")), d.optList(n.member("action_calls"))
	for i, t := range tables {
		d.defineNode(all, t, Node{NodeTable, i})
	}
	for i, c := range conds {
		d.defineNode(all, c, Node{NodeConditional, i})
	}
	for i, c := range calls {
		d.defineNode(all, c, Node{NodeActionCall, i})
	}
	profiles := names{}
	for i, a := range d.optList(n.member("action_profiles")) {
		p.Profiles = append(p.Profiles, d.profile(a, profiles, i))
	}
	for _, t := range tables {
		if d.err != nil {
			return
		}
		p.Tables = append(p.Tables, d.table(t, all, profiles))
	}
	for _, c := range conds {
		d.object(c, "name", "id", "expression", "true_next", "false_next")
		p.Conditionals = append(p.Conditionals, Conditional{
			Name: d.text(c.member("name")), At: Place{c},
			Cond: d.typed(c.member("expression"), TypeBool),
			True: d.next(c.member("true_next"), all), False: d.next(c.member("false_next"), all),
		})
	}
	for _, c := range calls {
		p.ActionCalls = append(p.ActionCalls, d.actionCall(c, all))
	}
	p.Init = d.next(n.member("init_table"), all)
	if d.err == nil {
		d.checkAcyclic(p, n)
	}
}

func (d *decoder) defineNode(all nodes, n *node, ref Node) {
	if !d.want(n, kindObject) {
		return
	}
	name := d.text(n.member("name"))
	if _, dup := all[name]; dup {
		d.fail(n.member("name"), "%q is defined twice", name)
	}
	all[name] = ref
}

// next is the name of a node; null and a missing member end the pipeline.
func (d *decoder) next(n *node, all nodes) Node {
	if n.kind <= kindNull {
		return Node{}
	}
	name := d.text(n)
	ref, ok := all[name]
	if !ok {
		d.fail(n, "there is no table, conditional or action call %q", name)
	}
	return ref
}

func (d *decoder) actionCall(n *node, all nodes) ActionCall {
	d.object(n, "name", "id", "action_id", "next_node")
	c := ActionCall{At: Place{n}, Name: d.text(n.member("name"))}
	c.Action = d.byID(n.member("action_id"), d.actionIDs, "action")
	c.Next = d.next(n.member("next_node"), all)
	if d.err == nil && len(d.p.Actions[c.Action].Params) > 0 {
		d.fail(n.member("action_id"), "action %q has parameters", d.p.Actions[c.Action].Name)
	}
	return c
}

func (d *decoder) profile(n *node, seen names, index int) Profile {
	d.object(n, "name", "id", "max_size", "selector")
	p := Profile{At: Place{n}, Name: d.define(n.member("name"), seen, index)}
	if m := n.member("max_size"); m.kind != kindMissing {
		p.Size = d.number(m, 0, math.MaxInt32)
	}
	if s := n.member("selector"); s.kind > kindNull {
		d.object(s, "algo", "input")
		p.Selector, p.Algo = true, d.algo(s.member("algo"))
		for _, in := range d.list(s.member("input")) {
			p.Input = append(p.Input, d.calcInput(in))
		}
	}
	return p
}

// checkAcyclic makes sure that every walk through a pipeline ends.
func (d *decoder) checkAcyclic(p *Pipeline, at *node) {
	const open, done = 1, 2
	state := map[Node]int{}
	type frame struct {
		node Node
		next []Node
	}
	stack := []frame{}
	push := func(n Node) {
		if n.Kind == NodeEnd || state[n] == done {
			return
		}
		if state[n] == open {
			d.fail(at, "the control flow comes back to %s", p.nodeName(n))
			return
		}
		state[n] = open
		stack = append(stack, frame{n, p.successors(n)})
	}
	push(p.Init)
	for len(stack) > 0 && d.err == nil {
		top := &stack[len(stack)-1]
		if len(top.next) == 0 {
			state[top.node] = done
			stack = stack[:len(stack)-1]
			continue
		}
		n := top.next[0]
		top.next = top.next[1:]
		push(n)
	}
}

func (p *Pipeline) successors(n Node) []Node {
	switch n.Kind {
	case NodeTable:
		t := &p.Tables[n.Index]
		if t.ByHit {
			return []Node{t.Hit, t.Miss}
		}
		return append([]Node{t.Base}, t.Next...)
	case NodeConditional:
		return []Node{p.Conditionals[n.Index].True, p.Conditionals[n.Index].False}
	case NodeActionCall:
		return []Node{p.ActionCalls[n.Index].Next}
	}
	return nil
}

func (p *Pipeline) nodeName(n Node) string {
	switch n.Kind {
	case NodeTable:
		return fmt.Sprintf("table %q", p.Tables[n.Index].Name)
	case NodeConditional:
		return fmt.Sprintf("conditional %q", p.Conditionals[n.Index].Name)
	default:
		return fmt.Sprintf("action call %q", p.ActionCalls[n.Index].Name)
	}
}
