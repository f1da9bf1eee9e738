package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// op is one compiled step of an action.
type op func(p *packet)

// assign compiles dst = src, cutting the value to the width of dst.
func (c *compiler) assign(dst, src *bmjson.Expr) op {
	if dst.Kind == bmjson.ExprRegister {
		return c.assignRegister(dst.Index, dst.Right, src)
	}
	f := c.fieldOf(dst)
	if f.varbits {
		c.fail(dst.At, "a field of variable length cannot be assigned a number")
		return nil
	}
	if dst.Kind == bmjson.ExprField {
		_, off := c.lay.field(dst.Field)
		if f.words == 1 {
			return c.assignWord(off, f, src)
		}
		return c.assignWide(off, f, src)
	}
	at := c.fieldAddress(dst)
	if f.words == 1 {
		v, mask := c.narrow(src), f.mask()
		return func(p *packet) { x := v(p) & mask; p.words[at(p)] = x }
	}
	from, to := c.temp(f.words)
	v, mask := c.wide(src, f.words), f.mask()
	return func(p *packet) {
		x := p.words[from:to]
		v(p, x)
		x[len(x)-1] &= mask
		copy(p.words[at(p):], x)
	}
}

func (c *compiler) assignWord(off int, f *fieldLayout, src *bmjson.Expr) op {
	mask := f.mask()
	if src.Kind == bmjson.ExprConst {
		k := lowWord(src.Value) & mask
		c.micro = micro{kind: microConst, dst: int32(off), k: k}
		return func(p *packet) { p.words[off] = k }
	}
	fits := coversSpan(mask, c.span(src))
	if from, ok := c.plainField(src); ok && fits {
		c.micro = micro{kind: microMove, dst: int32(off), src: int32(from)}
		return func(p *packet) { p.words[off] = p.words[from] }
	}
	if src.Kind == bmjson.ExprLocal && fits {
		from := c.params[src.Index].off
		c.micro = micro{kind: microParam, dst: int32(off), src: int32(from)}
		return func(p *packet) { p.words[off] = p.params[from] }
	}
	c.micro = c.maskOrAdd(off, mask, src)
	v := c.narrow(src)
	if fits {
		return func(p *packet) { p.words[off] = v(p) }
	}
	return func(p *packet) { p.words[off] = v(p) & mask }
}

// maskOrAdd is the flat operation for a field masked by a constant, or with a constant added.
func (c *compiler) maskOrAdd(off int, mask uint64, src *bmjson.Expr) micro {
	for src.Kind == bmjson.ExprOp && src.Op == bmjson.OpAnd && src.Right.Kind == bmjson.ExprConst {
		mask &= lowWord(src.Right.Value)
		src = src.Left
	}
	if from, ok := c.plainField(src); ok {
		return micro{kind: microMask, dst: int32(off), src: int32(from), k: mask}
	}
	if src.Kind == bmjson.ExprOp && src.Op == bmjson.OpAdd && src.Right.Kind == bmjson.ExprConst {
		if from, ok := c.plainField(src.Left); ok {
			return micro{kind: microAdd, dst: int32(off), src: int32(from), k: lowWord(src.Right.Value), mask: mask}
		}
	}
	return micro{}
}

func (c *compiler) assignWide(off int, f *fieldLayout, src *bmjson.Expr) op {
	n, mask := f.words, f.mask()
	end := off + n
	if src.Kind == bmjson.ExprField {
		if sf, from := c.lay.field(src.Field); sf.width == f.width && !sf.varbits {
			if n == 2 {
				c.micro = micro{kind: microMove2, dst: int32(off), src: int32(from)}
				return func(p *packet) {
					p.words[off], p.words[off+1] = p.words[from], p.words[from+1]
				}
			}
			return func(p *packet) { copy(p.words[off:end], p.words[from:from+n]) }
		}
	}
	v := c.wide(src, n)
	if src.Kind != bmjson.ExprOp {
		return func(p *packet) {
			v(p, p.words[off:end])
			p.words[end-1] &= mask
		}
	}
	// The expression may read the field that it is assigned to.
	from, to := c.temp(n)
	return func(p *packet) {
		x := p.words[from:to]
		v(p, x)
		x[n-1] &= mask
		copy(p.words[off:end], x)
	}
}

// storeWord compiles a function that stores a word in a data lvalue.
func (c *compiler) storeWord(dst *bmjson.Expr) func(p *packet, v uint64) {
	if dst.Kind == bmjson.ExprRegister {
		reg, index := dst.Index, c.narrow(dst.Right)
		mask := topMask(min(c.src.Registers[reg].Width, 64))
		return func(p *packet, v uint64) {
			if cell := p.registers[reg].cell(index(p)); cell != nil {
				clear(cell)
				cell[0] = v & mask
			}
		}
	}
	f := c.fieldOf(dst)
	if f.varbits {
		c.fail(dst.At, "a field of variable length cannot be assigned a number")
		return nil
	}
	mask := ^uint64(0)
	if f.words == 1 {
		mask = f.mask()
	}
	words := f.words
	if dst.Kind == bmjson.ExprField && words == 1 {
		_, off := c.lay.field(dst.Field)
		return func(p *packet, v uint64) { p.words[off] = v & mask }
	}
	at := c.dataAddress(dst)
	return func(p *packet, v uint64) {
		off := at(p)
		clear(p.words[off : off+words])
		p.words[off] = v & mask
	}
}

// dataAddress is the place of any field lvalue.
func (c *compiler) dataAddress(e *bmjson.Expr) address {
	if e.Kind == bmjson.ExprField {
		_, off := c.lay.field(e.Field)
		return func(*packet) int { return off }
	}
	return c.fieldAddress(e)
}
