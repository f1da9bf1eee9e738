package engine

import (
	"math/big"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// Steps that tell the target what to do with the packet, and the rest of simple_switch's
// primitives.

// markToDrop sets egress_spec to the drop port and mcast_grp to 0 in the given header.
func (c *compiler) markToDrop(e *bmjson.Expr) op {
	if e.Kind != bmjson.ExprHeader {
		c.fail(e.At, "has to name a header")
		return nil
	}
	h := &c.src.Headers[e.Index]
	return c.drop(c.fieldNamed(e.Index, "egress_spec"), c.fieldNamed(e.Index, "mcast_grp"), e.At, h.Name)
}

func (c *compiler) drop(spec, group stdField, at bmjson.Place, header string) op {
	if !spec.ok {
		c.fail(at, "header %q has no field \"egress_spec\"", header)
		return nil
	}
	if !group.ok {
		return func(p *packet) { p.words[spec.off] = uint64(p.sw.opt.DropPort) & spec.mask }
	}
	return func(p *packet) {
		p.words[spec.off] = uint64(p.sw.opt.DropPort) & spec.mask
		p.words[group.off] = 0
	}
}

// fieldNamed finds a field of a header instance.
func (c *compiler) fieldNamed(header int, name string) stdField {
	for i, f := range c.src.HeaderTypes[c.src.Headers[header].Type].Fields {
		if f.Name == name && !f.VarBits && f.Width <= 64 {
			fl, off := c.lay.field(bmjson.FieldRef{Header: header, Field: i})
			return stdField{off, fl.mask(), true}
		}
	}
	return stdField{}
}

// hash is v1model's hash(): dst = base + calculation % max, where a max of 0 counts as 1.
func (c *compiler) hash(dst, base *bmjson.Expr, calc int, size *bmjson.Expr) op {
	b, sz, store := c.narrow(base), c.narrow(size), c.storeWord(dst)
	h := c.calculation(calc)
	if size.Kind == bmjson.ExprConst && base.Kind == bmjson.ExprConst {
		n, from := max(lowWord(size.Value), 1), lowWord(base.Value)
		if n&(n-1) == 0 {
			return func(p *packet) { store(p, h(p)&(n-1)+from) }
		}
		return func(p *packet) { store(p, h(p)%n+from) }
	}
	return func(p *packet) {
		n := max(sz(p), 1)
		store(p, h(p)%n+b(p))
	}
}

// random stores a uniformly distributed value from low to high, inclusive.
func (c *compiler) random(dst, low, high *bmjson.Expr) op {
	l, h, store := c.narrow(low), c.narrow(high), c.storeWord(dst)
	return func(p *packet) {
		lo, hi := l(p), h(p)
		if lo > hi {
			return // unspecified in v1model; BMv2 leaves the field as it is
		}
		if n := hi - lo + 1; n != 0 {
			store(p, lo+p.sw.rand.Uint64N(n))
			return
		}
		store(p, p.sw.rand.Uint64())
	}
}

// assertion drops a packet for which a condition is false; BMv2 would stop the whole switch.
func (c *compiler) assertion(name string, e *bmjson.Expr) op {
	cond := c.narrow(e)
	text := name + " failed at " + e.At.String()
	return func(p *packet) {
		if cond(p) == 0 {
			p.exit, p.aborted = true, true
			p.sw.stats.Assertions++
			if p.sw.opt.Log != nil {
				p.sw.opt.Log(text)
			}
		}
	}
}

// logMessage is log_msg: each {} takes the next value, in decimal.
func (c *compiler) logMessage(format string, args []*bmjson.Expr, at bmjson.Place) op {
	parts := strings.Split(format, "{}")
	if len(parts)-1 != len(args) {
		c.fail(at, "the text has %d {} for %d values", len(parts)-1, len(args))
		return nil
	}
	type value struct {
		f        wideFn
		from, to int
	}
	var values []value
	for _, a := range args {
		f, from, to := c.exact(a, 1)
		values = append(values, value{f, from, to})
	}
	unescape := strings.NewReplacer(`\{`, "{", `\}`, "}")
	for i := range parts {
		parts[i] = unescape.Replace(parts[i])
	}
	return func(p *packet) {
		if p.sw.opt.Log == nil {
			return
		}
		var b strings.Builder
		b.WriteString(parts[0])
		for i, v := range values {
			x := p.words[v.from:v.to]
			v.f(p, x)
			b.WriteString(signedBig(x).String())
			b.WriteString(parts[i+1])
		}
		p.sw.opt.Log(b.String())
	}
}

// signedBig is a value in two's complement as a big integer.
func signedBig(x []uint64) *big.Int {
	neg := wideIsNeg(x)
	if neg {
		wideNeg(x, x)
	}
	b := make([]byte, 8*len(x))
	wordsToBytes(b, x)
	v := new(big.Int).SetBytes(b)
	if neg {
		v.Neg(v)
	}
	return v
}
