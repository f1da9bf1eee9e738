package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// Steps that read and write the switch's state: counters, meters and registers. An index outside of
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

// executeMeter stores the packet's colour.
func (c *compiler) executeMeter(meter int, index, dst *bmjson.Expr) op {
	at, store := c.narrow(index), c.storeWord(dst)
	return func(p *packet) {
		if m, i := p.sw.meters[meter], at(p); i < uint64(len(m.cells)) {
			store(p, m.cells[i].execute(p, m.unit))
		}
	}
}

func (c *compiler) registerRead(dst *bmjson.Expr, reg int, index *bmjson.Expr) op {
	width := c.src.Registers[reg].Width
	at := c.narrow(index)
	indexWord, plain := c.plainField(index)
	if width <= 64 {
		if dst.Kind == bmjson.ExprField {
			if f, off := c.lay.field(dst.Field); f.words == 1 && f.width >= width && !f.varbits {
				if plain {
					c.micro = micro{kind: microRead, dst: int32(off), index: int32(indexWord), register: int32(reg)}
				}
				return func(p *packet) {
					if cell := p.registers[reg].cell(at(p)); cell != nil {
						p.words[off] = cell[0]
					}
				}
			}
		}
		store := c.storeWord(dst)
		return func(p *packet) {
			if cell := p.registers[reg].cell(at(p)); cell != nil {
				store(p, cell[0])
			}
		}
	}
	if dst.Kind == bmjson.ExprRegister {
		return c.copyCell(dst, reg, at)
	}
	f, to := c.fieldOf(dst), c.dataAddress(dst)
	words, mask := f.words, f.mask()
	if plain && dst.Kind == bmjson.ExprField && words == 2 && f.width >= width {
		_, off := c.lay.field(dst.Field)
		c.micro = micro{kind: microRead2, dst: int32(off), index: int32(indexWord), register: int32(reg)}
	}
	return func(p *packet) {
		if cell := p.registers[reg].cell(at(p)); cell != nil {
			off := to(p)
			copyWords(p.words[off:off+words], cell)
			p.words[off+words-1] &= mask
		}
	}
}

// copyCell copies a register's cell to another's.
func (c *compiler) copyCell(dst *bmjson.Expr, from int, at narrowFn) op {
	to, index := dst.Index, c.narrow(dst.Right)
	mask := topMask(c.src.Registers[to].Width)
	return func(p *packet) {
		d, s := p.registers[to].cell(index(p)), p.registers[from].cell(at(p))
		if d != nil && s != nil {
			copyWords(d, s)
			d[len(d)-1] &= mask
		}
	}
}

// assignRegister compiles register_write and an assignment to a register.
func (c *compiler) assignRegister(reg int, index, src *bmjson.Expr) op {
	width := c.src.Registers[reg].Width
	at := c.narrow(index)
	indexWord, plain := c.plainField(index)
	flat := micro{index: int32(indexWord), register: int32(reg)}
	mask := topMask(width)
	if width <= 64 {
		v := c.narrow(src)
		if coversSpan(mask, c.span(src)) {
			mask = ^uint64(0)
		}
		if plain && src.Kind == bmjson.ExprConst {
			flat.kind, flat.k = microWriteImm, lowWord(src.Value)&mask
			c.micro = flat
		}
		if off, ok := c.plainField(src); ok {
			if plain {
				flat.kind, flat.src, flat.k = microWrite, int32(off), mask
				c.micro = flat
			}
			return func(p *packet) {
				if cell := p.registers[reg].cell(at(p)); cell != nil {
					cell[0] = p.words[off] & mask
				}
			}
		}
		return func(p *packet) {
			x := v(p)
			if cell := p.registers[reg].cell(at(p)); cell != nil {
				cell[0] = x & mask
			}
		}
	}
	n := wordsOf(width)
	if src.Kind == bmjson.ExprField {
		if f, off := c.lay.field(src.Field); f.width == width && !f.varbits {
			if plain && n == 2 {
				flat.kind, flat.src = microWrite2, int32(off)
				c.micro = flat
			}
			return func(p *packet) {
				if cell := p.registers[reg].cell(at(p)); cell != nil {
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
		if cell := p.registers[reg].cell(at(p)); cell != nil {
			copy(cell, x)
		}
	}
}
