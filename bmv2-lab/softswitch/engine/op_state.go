package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// Steps that read and write the switch's state: counters and registers. An index outside of
// the array does nothing, as in BMv2.

func (c *compiler) count(counter int, index *bmjson.Expr) op {
	at := c.narrow(index)
	return func(p *packet) {
		if cells, i := p.sw.counters[counter].cells, at(p); i < uint64(len(cells)) {
			cells[i].Packets++
			cells[i].Bytes += uint64(p.inLength)
		}
	}
}

func (c *compiler) registerRead(dst *bmjson.Expr, reg int, index *bmjson.Expr) op {
	width := c.src.Registers[reg].Width
	at := c.narrow(index)
	if width <= 64 {
		if dst.Kind == bmjson.ExprField {
			if f, off := c.lay.field(dst.Field); f.words == 1 && f.width >= width && !f.varbits {
				return func(p *packet) {
					r := p.sw.registers[reg]
					if i := at(p); i < uint64(len(r.words)) {
						p.words[off] = r.words[i]
					}
				}
			}
		}
		store := c.storeWord(dst)
		return func(p *packet) {
			if cell := p.sw.registers[reg].cell(at(p)); cell != nil {
				store(p, cell[0])
			}
		}
	}
	if dst.Kind == bmjson.ExprRegister {
		c.fail(dst.At, "reading a register of %d bits into a register is not supported", width)
		return nil
	}
	f, to := c.fieldOf(dst), c.dataAddress(dst)
	words, mask := f.words, f.mask()
	return func(p *packet) {
		if cell := p.sw.registers[reg].cell(at(p)); cell != nil {
			off := to(p)
			copyWords(p.words[off:off+words], cell)
			p.words[off+words-1] &= mask
		}
	}
}

// assignRegister compiles register_write and an assignment to a register.
func (c *compiler) assignRegister(reg int, index, src *bmjson.Expr) op {
	width := c.src.Registers[reg].Width
	at := c.narrow(index)
	mask := topMask(width)
	if width <= 64 {
		v := c.narrow(src)
		if coversSpan(mask, c.span(src)) {
			mask = ^uint64(0)
		}
		if off, ok := c.plainField(src); ok {
			return func(p *packet) {
				if r, i := p.sw.registers[reg], at(p); i < uint64(len(r.words)) {
					r.words[i] = p.words[off] & mask
				}
			}
		}
		return func(p *packet) {
			x := v(p)
			if r, i := p.sw.registers[reg], at(p); i < uint64(len(r.words)) {
				r.words[i] = x & mask
			}
		}
	}
	n := wordsOf(width)
	if src.Kind == bmjson.ExprField {
		if f, off := c.lay.field(src.Field); f.width == width && !f.varbits {
			return func(p *packet) {
				if cell := p.sw.registers[reg].cell(at(p)); cell != nil {
					copy(cell, p.words[off:off+n])
				}
			}
		}
	}
	from, to := c.temp(n)
	v := c.wide(src, n)
	return func(p *packet) {
		x := p.words[from:to]
		v(p, x)
		x[n-1] &= mask
		if cell := p.sw.registers[reg].cell(at(p)); cell != nil {
			copy(cell, x)
		}
	}
}
