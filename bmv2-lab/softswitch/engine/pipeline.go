package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// node is a node of the control flow; run does its work and yields the next one.
type node struct {
	run func(p *packet) *node
	pc  int // where it is in the flat code
}

// runPipeline runs a pipeline until its end or an exit.
func (p *packet) runPipeline(n *node) {
	if n != nil && p.prog.flat != nil {
		p.runFlat(n.pc)
		return
	}
	for n != nil && !p.exit {
		n = n.run(p)
	}
}

// pipelineNodes are the nodes of one pipeline, made before they are filled in.
type pipelineNodes struct {
	tables, conds, calls []node
	fixed                []*actionData // by table: what it always runs, or nil
	programs             []*tableProgram
	profiles             []*profileProgram
	index                []int // by table: its index in the program
}

func (n *pipelineNodes) at(ref bmjson.Node) *node {
	switch ref.Kind {
	case bmjson.NodeTable:
		return &n.tables[ref.Index]
	case bmjson.NodeConditional:
		return &n.conds[ref.Index]
	case bmjson.NodeActionCall:
		return &n.calls[ref.Index]
	}
	return nil
}

func (c *compiler) pipeline(p *bmjson.Pipeline) (*node, *pipelineNodes) {
	n := &pipelineNodes{
		tables: make([]node, len(p.Tables)),
		conds:  make([]node, len(p.Conditionals)),
		calls:  make([]node, len(p.ActionCalls)),
	}
	for i := range p.Conditionals {
		s := &p.Conditionals[i]
		cond, yes, no := c.boolean(s.Cond), n.at(s.True), n.at(s.False)
		if c.trace {
			cond = c.tracedCond(s.Cond, "", cond)
		}
		c.statement()
		n.conds[i].run = func(p *packet) *node {
			if cond(p) {
				return yes
			}
			return no
		}
	}
	for i := range p.ActionCalls {
		s := &p.ActionCalls[i]
		a, next := c.prog.actions[s.Action], n.at(s.Next)
		n.calls[i].run = func(p *packet) *node {
			a.exec(p, nil)
			return next
		}
	}
	n.profiles = c.profiles(p)
	for i := range p.Tables {
		n.tables[i].run = c.table(p, &p.Tables[i], n)
		if c.err != nil {
			return nil, nil
		}
	}
	if !c.trace {
		n.chain()
	}
	return n.at(p.Init), n
}

// maxChain bounds how many statements are run in one piece, since each may be the start of one.
const maxChain = 64

// chain makes one piece of tables that always run the same action one after the other.
func (n *pipelineNodes) chain() {
	at := map[*node]int{}
	for i := range n.tables {
		at[&n.tables[i]] = i
	}
	for i := range n.tables {
		var list []step
		var next *node
		for count, j, ok := 0, i, true; ok && count < maxChain; count++ {
			d := n.fixed[j]
			if d == nil || d.action.jumps != nil || d.action.exits || len(d.params) > 0 {
				break
			}
			list, next = append(list, d.action.list...), d.next
			j, ok = at[next]
		}
		if len(list) == 0 {
			continue
		}
		steps := fuse(list)
		if len(steps) == 1 {
			only := steps[0]
			n.tables[i].run = func(p *packet) *node { only(p); return next }
			continue
		}
		n.tables[i].run = func(p *packet) *node {
			for _, s := range steps {
				s(p)
			}
			return next
		}
	}
}

// table compiles the application of a table.
func (c *compiler) table(p *bmjson.Pipeline, t *bmjson.Table, n *pipelineNodes) func(*packet) *node {
	tp := c.tableProgram(t, n)
	index := len(c.prog.tables)
	c.prog.tables = append(c.prog.tables, tp)
	n.programs, n.index = append(n.programs, tp), append(n.index, index)
	fixed := tp.fixedAction()
	n.fixed = append(n.fixed, fixed)
	if fixed != nil {
		return func(p *packet) *node {
			fixed.action.exec(p, fixed.params)
			return fixed.next
		}
	}
	build := c.keyBuilder(tp)
	words, trace := tp.keyWords, c.trace
	return func(p *packet) *node {
		rt := p.sw.tables[index]
		key := p.key[:words]
		build(p, key)
		if e := rt.index.find(key); e != nil {
			e.count(&rt.hot, p)
			d := e.act
			run := tp.hitBy(p, e, d)
			if trace {
				p.say("%s", p.lookupText(tp, key, true, d, run))
			}
			return tp.run(p, run)
		}
		d := rt.def.Load()
		if tp.counted {
			rt.defCounter.Packets++
			rt.defCounter.Bytes += uint64(p.inLength)
		}
		run := tp.missBy(p, rt, d)
		if trace {
			p.say("%s", p.lookupText(tp, key, false, d, run))
		}
		return tp.run(p, run)
	}
}

// hitBy meters a packet that hit an entry, and yields what it runs.
func (tp *tableProgram) hitBy(p *packet, e *entry, d *actionData) *actionData {
	if tp.meter != nil {
		tp.meter.execute(p, e.meter)
	}
	return tp.choose(p, d, false)
}

// missBy is hitBy for a packet that hit none.
func (tp *tableProgram) missBy(p *packet, t *Table, d *actionData) *actionData {
	if tp.meter != nil && t.defMeter.state != nil {
		tp.meter.execute(p, &t.defMeter)
	}
	return tp.choose(p, d, true)
}

func (tp *tableProgram) run(p *packet, d *actionData) *node {
	if d.action != nil {
		d.action.exec(p, d.params)
	}
	return d.next
}

// keyPart copies a key field into the lookup key.
type keyPart struct {
	header *headerLayout // whose validity decides; nil if it is always there
	from   int           // word of the state
	to     int           // word of the key
	words  int
	mask   []uint64 // nil: all bits
}

// keyParts says where the fields of a table's key come from.
func (c *compiler) keyParts(tp *tableProgram) []keyPart {
	var parts []keyPart
	for i := range tp.keys {
		k := &tp.keys[i]
		f, off := c.lay.field(k.src.Field)
		part := keyPart{from: off, to: k.word, words: f.words}
		h := &c.lay.headers[k.src.Field.Header]
		if !h.metadata && k.src.Field.Field != bmjson.ValidField {
			part.header = h
		}
		if k.src.Mask != nil {
			part.mask = constWords(k.src.Mask, f.words)
		}
		parts = append(parts, part)
	}
	return parts
}

// keyBuilder compiles the building of a table's key. Fields of invalid headers read as 0.
func (c *compiler) keyBuilder(tp *tableProgram) func(p *packet, key []uint64) {
	parts := c.keyParts(tp)
	single := true
	for i := range parts {
		single = single && parts[i].words == 1 && parts[i].mask == nil
	}
	if single {
		return func(p *packet, key []uint64) {
			for i := range parts {
				k := &parts[i]
				if k.header != nil && p.words[k.header.base] == 0 {
					key[k.to] = 0
				} else {
					key[k.to] = p.words[k.from]
				}
			}
		}
	}
	return func(p *packet, key []uint64) {
		for i := range parts {
			k := &parts[i]
			dst := key[k.to : k.to+k.words]
			if k.header != nil && p.words[k.header.base] == 0 {
				clear(dst)
				continue
			}
			copy(dst, p.words[k.from:])
			for j, m := range k.mask {
				dst[j] &= m
			}
		}
	}
}
