package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// flow lowers the nodes of one pipeline.
type flow struct {
	*lowerer
	src    *bmjson.Pipeline
	nodes  *pipelineNodes
	end    label
	at     map[bmjson.Node]label
	todo   []bmjson.Node
	placed map[bmjson.Node]bool
}

// pipelineCode lowers a pipeline.
func (l *lowerer) pipelineCode(src *bmjson.Pipeline, nodes *pipelineNodes) {
	f := &flow{lowerer: l, src: src, nodes: nodes, at: map[bmjson.Node]label{}, placed: map[bmjson.Node]bool{}}
	f.end = l.here()
	l.emit(inst{op: opEnd})
	f.label(src.Init)
	for len(f.todo) > 0 {
		n := f.todo[len(f.todo)-1]
		f.todo = f.todo[:len(f.todo)-1]
		f.node(n)
	}
}

// label is where a node is; a node seen for the first time is to be lowered.
func (f *flow) label(n bmjson.Node) label {
	if n.Kind == bmjson.NodeEnd {
		return f.end
	}
	at, ok := f.at[n]
	if !ok {
		at = f.newLabel()
		f.at[n] = at
		f.todo = append(f.todo, n)
		f.lowerer.nodes[f.nodes.at(n)] = at
	}
	return at
}

// node lowers a node, and those that follow it alone right behind it.
func (f *flow) node(n bmjson.Node) {
	for !f.placed[n] && n.Kind != bmjson.NodeEnd && !f.tooBig && f.err == nil {
		f.place(f.label(n))
		f.placed[n] = true
		next, ok := f.work(n)
		f.statement()
		if !ok {
			return
		}
		f.label(next)
		if f.placed[next] || next.Kind == bmjson.NodeEnd {
			f.jump(f.label(next))
			return
		}
		n = next
	}
}

// work lowers what a node does; ok says that it goes on at next.
func (f *flow) work(n bmjson.Node) (next bmjson.Node, ok bool) {
	switch n.Kind {
	case bmjson.NodeConditional:
		s := &f.src.Conditionals[n.Index]
		yes, no := f.label(s.True), f.label(s.False)
		if !f.placed[s.False] && s.False.Kind != bmjson.NodeEnd {
			f.branch(s.Cond, yes, no, no)
			return s.False, true
		}
		f.branch(s.Cond, yes, no, yes)
		return s.True, true
	case bmjson.NodeActionCall:
		s := &f.src.ActionCalls[n.Index]
		f.body(f.prog.actions[s.Action])
		return s.Next, true
	}
	return f.table(n)
}

func (f *flow) table(n bmjson.Node) (next bmjson.Node, ok bool) {
	t := &f.src.Tables[n.Index]
	tp := f.nodes.programs[n.Index]
	if tp == nil { // the closure knows how
		f.op3(opNode, 0, 0, len(f.out.nodes), 0)
		f.out.nodes = append(f.out.nodes, f.nodes.at(n))
		f.everywhere(t)
		f.seen.tableKey(t)
		for _, a := range t.Actions {
			f.seen.action(a)
		}
		return next, false
	}
	if d := tp.fixedAction(); d != nil && len(d.params) == 0 {
		f.body(d.action)
		return f.after(t, d, true), true
	}
	f.seen.tableKey(t)
	ft := flatTable{index: f.nodes.index[n.Index], words: tp.keyWords, parts: f.keyParts(tp), counted: tp.counted, ages: tp.ages}
	at := len(f.out.tables)
	op := opTable
	if tp.profile != nil || tp.meter != nil {
		op, ft.program = opTableBy, tp
		ft.empty = []int{int(f.label(emptyGroup(t)))}
	}
	if tp.profile != nil {
		f.seen.inputs(tp.profile.src.Input)
	}
	f.op3(op, 0, 0, at, 0)
	f.out.tables = append(f.out.tables, ft)
	none := t.Base
	if tp.byHit {
		none = t.Miss
	}
	hit, miss := []int{}, []int{int(f.label(none))}
	for slot := range tp.actions {
		d := tp.data(slot, nil, false)
		hit = append(hit, int(f.outcome(t, d, false)))
		if tp.byHit {
			miss = append(miss, int(f.outcome(t, tp.data(slot, nil, true), true)))
		} else {
			miss = append(miss, hit[slot])
		}
	}
	f.out.tables[at].hit, f.out.tables[at].miss = hit, miss
	return next, false
}

// emptyGroup is where control goes after a hit that runs nothing.
func emptyGroup(t *bmjson.Table) bmjson.Node {
	if t.ByHit {
		return t.Hit
	}
	return t.Base
}

// outcome lowers an action of a table and the way on.
func (f *flow) outcome(t *bmjson.Table, d *actionData, miss bool) label {
	at := f.here()
	f.body(d.action)
	next := f.after(t, d, miss)
	if next.Kind == bmjson.NodeEnd || f.placed[next] {
		f.jump(f.label(next))
	} else {
		f.label(next)
		f.node(next)
	}
	return at
}

// after is where control goes after an action of a table.
func (f *flow) after(t *bmjson.Table, d *actionData, miss bool) bmjson.Node {
	switch {
	case !t.ByHit:
		return t.Next[d.slot]
	case miss:
		return t.Miss
	}
	return t.Hit
}

// everywhere makes every node that may follow a table known.
func (f *flow) everywhere(t *bmjson.Table) {
	for _, n := range append([]bmjson.Node{t.Base, t.Hit, t.Miss}, t.Next...) {
		f.label(n)
	}
}
