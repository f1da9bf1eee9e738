package engine

import (
	"fmt"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// textFn is a piece of a trace that depends on the packet.
type textFn func(p *packet) string

// stepText tells what a step does: dst = value (source), or only source. The source is
// worked out before the step, the value after it.
type stepText struct {
	dst    string
	value  textFn
	source textFn
}

// traced makes a step tell what it does.
func (c *compiler) traced(pr *bmjson.Primitive, run op) op {
	if c.err != nil {
		return run
	}
	t := c.stepText(pr)
	return func(p *packet) {
		source := t.source(p)
		if run != nil {
			run(p)
		}
		switch {
		case t.value == nil:
			p.say("  %s", source)
		case source == "":
			p.say("  %s = %s", t.dst, t.value(p))
		default:
			p.say("  %s = %s (%s)", t.dst, t.value(p), source)
		}
	}
}

func (c *compiler) stepText(pr *bmjson.Primitive) stepText {
	arg := func(i int) *bmjson.Expr { return pr.Args[i].Expr }
	switch pr.Op {
	case "assign", "assign_VL":
		if arg(1).Kind == bmjson.ExprConst {
			return c.writeText(arg(0), fixedText(""))
		}
		return c.writeText(arg(0), fixedText(c.text(arg(1))))
	case "register_read":
		return c.writeText(arg(0), c.cellText("", c.src.Registers[pr.Args[1].Index].Name, arg(2)))
	case "execute_meter":
		return c.writeText(arg(2), c.cellText("meter ", c.src.Meters[pr.Args[0].Index].Name, arg(1)))
	case "modify_field_with_hash_based_offset":
		return c.writeText(arg(0), fixedText(c.hashText(pr)))
	case "modify_field_rng_uniform":
		return c.writeText(arg(0), fixedText("random from "+c.text(arg(1))+" to "+c.text(arg(2))))
	case "register_write":
		cell := &bmjson.Expr{Kind: bmjson.ExprRegister, Type: bmjson.TypeData, Index: pr.Args[0].Index, Right: arg(1)}
		return c.writeText(cell, fixedText(c.text(arg(2))))
	case "count":
		return stepText{source: c.cellText("count ", c.src.Counters[pr.Args[0].Index].Name, arg(1))}
	}
	return stepText{source: fixedText(c.callText(pr))}
}

func fixedText(s string) textFn { return func(*packet) string { return s } }

func (c *compiler) text(e *bmjson.Expr) string { return c.src.Text(e, c.names) }

// writeText tells what an expression is worth that was assigned.
func (c *compiler) writeText(dst *bmjson.Expr, source textFn) stepText {
	t := stepText{dst: c.text(dst), source: source}
	if dst.Kind == bmjson.ExprRegister {
		reg, index := dst.Index, c.narrow(dst.Right)
		width := c.src.Registers[reg].Width
		t.value = func(p *packet) string {
			if cell := p.registers[reg].cell(index(p)); cell != nil {
				return hexDigits(cell, width)
			}
			return "nothing, outside of the register"
		}
		return t
	}
	f, at, slot := c.fieldOf(dst), c.dataAddress(dst), c.varSlot(dst)
	t.value = func(p *packet) string {
		var vars []byte
		if slot >= 0 {
			vars = p.vars[slot]
		}
		return p.fieldText(f, at(p), vars)
	}
	return t
}

// cellText names a cell of an array.
func (c *compiler) cellText(what, name string, index *bmjson.Expr) textFn {
	at := c.narrow(index)
	return func(p *packet) string { return fmt.Sprintf("%s%s[%d]", what, name, at(p)) }
}

// hashText names an algorithm and its inputs.
func (c *compiler) hashText(pr *bmjson.Primitive) string {
	s := &c.src.Calculations[pr.Args[2].Index]
	var inputs []string
	for _, in := range s.Input {
		switch in.Kind {
		case bmjson.CalcField:
			inputs = append(inputs, c.src.FieldText(in.Field))
		case bmjson.CalcHeader:
			inputs = append(inputs, c.src.Headers[in.Header].Name)
		default:
			inputs = append(inputs, "0x"+in.Value.Text(16))
		}
	}
	if s.Payload {
		inputs = append(inputs, "payload")
	}
	return fmt.Sprintf("%s of %s, from %s, below %s", s.Algo, strings.Join(inputs, " "), c.text(pr.Args[1].Expr), c.text(pr.Args[3].Expr))
}

// callText is a primitive with its arguments.
func (c *compiler) callText(pr *bmjson.Primitive) string {
	var args []string
	for i := range pr.Args {
		a := &pr.Args[i]
		switch a.Kind {
		case bmjson.ArgString:
			args = append(args, fmt.Sprintf("%q", a.Text))
		case bmjson.ArgVector:
			for _, e := range a.List {
				args = append(args, c.text(e))
			}
		case bmjson.ArgExpr:
			args = append(args, c.text(a.Expr))
		}
	}
	return pr.Op + "(" + strings.Join(args, ", ") + ")"
}

// tracedCond makes a condition tell what it is.
func (c *compiler) tracedCond(e *bmjson.Expr, indent string, cond boolFn) boolFn {
	text := c.text(e)
	return func(p *packet) bool {
		yes := cond(p)
		p.say("%sif %s: %v", indent, text, yes)
		return yes
	}
}
