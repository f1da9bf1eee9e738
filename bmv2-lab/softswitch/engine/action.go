package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// action is a compiled action.
type action struct {
	index  int
	name   string
	params []paramLayout
	words  int        // of the action data
	list   []step     // as compiled
	steps  []op       // the same, fused
	jumps  []jumpStep // instead of steps, if the action jumps
	exits  bool       // it may end the pipeline
}

// jumpStep is a step of an action that jumps: run, or else a jump to target if cond is nil
// or yields 0.
type jumpStep struct {
	run    op
	cond   narrowFn
	target int
}

// exec runs the action with its data.
func (a *action) exec(p *packet, params []uint64) {
	p.params = params
	if a.jumps != nil {
		a.execJumps(p)
		return
	}
	for _, s := range a.steps {
		s(p)
	}
}

func (a *action) execJumps(p *packet) {
	for pc := 0; pc < len(a.jumps); {
		s := &a.jumps[pc]
		switch {
		case s.run != nil:
			s.run(p)
			pc++
		case s.cond != nil && s.cond(p) != 0:
			pc++
		default:
			if p.jumps++; p.jumps > maxJumps {
				p.exit, p.aborted = true, true
				p.sw.stats.Runaways++
				return
			}
			pc = s.target
		}
	}
}

func (c *compiler) actions() {
	for i := range c.src.Actions {
		a := &c.src.Actions[i]
		out := &action{index: i, name: a.Name}
		for _, param := range a.Params {
			pl := paramLayout{out.words, wordsOf(param.Width), param.Width}
			out.params = append(out.params, pl)
			out.words += pl.words
		}
		c.params, c.names = out.params, a.Params
		c.actionBody(out, a)
		c.params, c.names = nil, nil
		c.prog.actions = append(c.prog.actions, out)
	}
}

func (c *compiler) actionBody(out *action, a *bmjson.Action) {
	jumps := false
	var list []step
	steps := make([]jumpStep, len(a.Primitives))
	for i := range a.Primitives {
		p := &a.Primitives[i]
		switch p.Op {
		case "_jump":
			steps[i].target = constShift(p.Args[0].Expr.Value)
			jumps = true
		case "_jump_if_zero":
			steps[i].cond = c.jumpCondition(p.Args[0].Expr)
			steps[i].target = constShift(p.Args[1].Expr.Value)
			jumps = true
		default:
			c.micro = micro{}
			if steps[i].run = c.step(p); steps[i].run != nil {
				list = append(list, step{steps[i].run, c.micro})
			}
			out.exits = out.exits || p.Op == "exit" || p.Op == "assert" || p.Op == "assume"
		}
		c.statement()
	}
	if jumps {
		out.jumps = steps
		return
	}
	out.list, out.steps = list, fuse(list)
}

// step compiles a primitive that tells what it does if there is to be a trace.
func (c *compiler) step(p *bmjson.Primitive) op {
	run := c.primitive(p)
	if c.trace {
		run, c.micro = c.traced(p, run), micro{}
	}
	return run
}

// jumpCondition compiles what decides on a jump.
func (c *compiler) jumpCondition(e *bmjson.Expr) narrowFn {
	f := c.truth(e)
	if !c.trace || c.err != nil {
		return f
	}
	text := c.text(e)
	return func(p *packet) uint64 {
		v := f(p)
		p.say("  if %s: %v", text, v != 0)
		return v
	}
}

// truth compiles a number that is only compared with 0.
func (c *compiler) truth(e *bmjson.Expr) narrowFn {
	if c.span(e).narrow() {
		return c.narrow(e)
	}
	f := c.dataToBool(e)
	return func(p *packet) uint64 {
		if f(p) {
			return 1
		}
		return 0
	}
}

// primitive compiles one step; a step that does nothing is nil.
func (c *compiler) primitive(p *bmjson.Primitive) op {
	if c.err != nil {
		return nil
	}
	arg := func(i int) *bmjson.Expr { return p.Args[i].Expr }
	switch p.Op {
	case "assign":
		return c.assign(arg(0), arg(1))
	case "assign_VL":
		return c.assignVarbits(arg(0), arg(1))
	case "assign_header":
		return c.assignHeader(arg(0), arg(1))
	case "assign_header_stack":
		return c.assignStack(arg(0), arg(1))
	case "assign_union":
		return c.assignUnion(arg(0), arg(1))
	case "assign_union_stack":
		return c.assignUnionStack(arg(0), arg(1))
	case "add_header":
		return c.addHeader(arg(0))
	case "remove_header":
		return c.removeHeader(arg(0))
	case "push", "pop":
		return c.shift(arg(0), arg(1), p.Op == "push")
	case "count":
		return c.count(p.Args[0].Index, arg(1))
	case "execute_meter":
		return c.executeMeter(p.Args[0].Index, arg(1), arg(2))
	case "register_read":
		return c.registerRead(arg(0), p.Args[1].Index, arg(2))
	case "register_write":
		return c.assignRegister(p.Args[0].Index, arg(1), arg(2))
	}
	return c.targetPrimitive(p, arg)
}

func (c *compiler) targetPrimitive(p *bmjson.Primitive, arg func(int) *bmjson.Expr) op {
	switch p.Op {
	case "no_op":
		return nil
	case "exit":
		return func(p *packet) { p.exit = true }
	case "mark_to_drop":
		return c.markToDrop(arg(0))
	case "drop":
		return c.drop(c.prog.std.egressSpec, c.prog.std.mcastGroup, p.At, "standard_metadata")
	case "truncate":
		n := c.narrow(arg(0))
		return func(p *packet) {
			if want := int(min(n(p), 1<<30)); p.truncate < 0 || want < p.truncate {
				p.truncate = want
			}
		}
	case "modify_field_with_hash_based_offset":
		return c.hash(arg(0), arg(1), p.Args[2].Index, arg(3))
	case "modify_field_rng_uniform":
		return c.random(arg(0), arg(1), arg(2))
	case "generate_digest":
		list := arg(1).Index + 1
		return func(p *packet) { p.digest = list }
	case "clone_ingress_pkt_to_egress", "clone_egress_pkt_to_egress":
		session, list := c.narrow(arg(0)), arg(1).Index
		return func(p *packet) { p.clone, p.cloneList = int(session(p)&maxCloneSession)+1, list }
	case "resubmit":
		list := arg(0).Index + 1
		return func(p *packet) { p.resubmit = list }
	case "recirculate":
		list := arg(0).Index + 1
		return func(p *packet) { p.recirc = list }
	case "log_msg":
		return c.logMessage(p.Args[0].Text, p.Args[1].List, p.At)
	case "assert", "assume":
		return c.assertion(p.Op, arg(0))
	}
	c.fail(p.At, "primitive %q is not supported", p.Op)
	return nil
}

// maxCloneSession is the largest id of a clone session: BMv2 keeps 15 bits of it.
const maxCloneSession = 1<<15 - 1
