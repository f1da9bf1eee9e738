package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// Most of a frame is forwarded as it came. A header is copied from the frame when the packet
// leaves, unless something can write it as a whole; only those of its fields that something
// writes are then put into the copy, and only those and the ones that something reads are
// extracted.

// liveness is what the program reads and writes of each header instance.
type liveness struct {
	src     *bmjson.Program
	remade  []bool   // by header: something writes it as a whole, or moves it
	whole   []bool   // by header: something reads it as a whole
	read    [][]bool // by header and field
	written [][]bool // by header and field
}

func newLiveness(src *bmjson.Program) *liveness {
	l := noLiveness(src)
	for i := range src.Headers {
		h := &src.Headers[i]
		// What is in a stack or a union moves about and is reached in many ways.
		moves := h.Stack >= 0 || h.Union >= 0 || h.Metadata
		l.remade[i], l.whole[i] = moves, moves
	}
	l.parser()
	l.actions()
	l.pipeline(&src.Ingress)
	l.pipeline(&src.Egress)
	l.fixed()
	return l
}

// noLiveness has nothing marked.
func noLiveness(src *bmjson.Program) *liveness {
	l := &liveness{src: src}
	for i := range src.Headers {
		fields := len(src.HeaderTypes[src.Headers[i].Type].Fields)
		l.remade, l.whole = append(l.remade, false), append(l.whole, false)
		l.read = append(l.read, make([]bool, fields))
		l.written = append(l.written, make([]bool, fields))
	}
	return l
}

func (l *liveness) field(f bmjson.FieldRef) {
	if f.Field != bmjson.ValidField {
		l.read[f.Header][f.Field] = true
	}
}

// expr marks what an expression reads.
func (l *liveness) expr(e *bmjson.Expr) {
	if e == nil {
		return
	}
	switch e.Kind {
	case bmjson.ExprField:
		l.field(e.Field)
	case bmjson.ExprHeader:
		l.whole[e.Index] = true
	}
	l.expr(e.Cond)
	l.expr(e.Left)
	l.expr(e.Right)
}

// write marks a field as written.
func (l *liveness) write(f bmjson.FieldRef) {
	if f.Field == bmjson.ValidField {
		l.remade[f.Header] = true
		return
	}
	l.written[f.Header][f.Field] = true
}

// lvalue marks everything that an expression can name as written.
func (l *liveness) lvalue(e *bmjson.Expr) {
	if e == nil {
		return
	}
	switch e.Kind {
	case bmjson.ExprField:
		l.write(e.Field)
	case bmjson.ExprHeader:
		l.remade[e.Index] = true
	}
	l.lvalue(e.Cond)
	l.lvalue(e.Left)
	l.lvalue(e.Right)
}

// primitive marks what a step reads. Every header that it names is taken to be written too,
// except where it is known that it only reads.
func (l *liveness) primitive(p *bmjson.Primitive) {
	for i := range p.Args {
		a := &p.Args[i]
		l.expr(a.Expr)
		for _, e := range a.List {
			l.expr(e)
		}
		if !readsOnly(p.Op, i) {
			l.lvalue(a.Expr)
		}
	}
}

// readsOnly says whether a primitive only reads an argument. To make a header invalid is not
// to write it: what was extracted stays as it is.
func readsOnly(op string, arg int) bool {
	switch op {
	case "assign", "assign_VL", "assign_header", "register_read",
		"modify_field_with_hash_based_offset", "modify_field_rng_uniform":
		return arg > 0
	case "execute_meter":
		return arg < 2
	case "remove_header", "register_write", "count", "_jump_if_zero", "log_msg", "assert", "assume",
		"truncate", "clone_ingress_pkt_to_egress", "clone_egress_pkt_to_egress", "generate_digest":
		return true
	}
	return false
}

func (l *liveness) parser() {
	for i := range l.src.Parser.States {
		s := &l.src.Parser.States[i]
		for j := range s.Ops {
			l.parserOp(&s.Ops[j])
		}
		l.key(s)
	}
	for i := range l.src.Deparser.Calls {
		l.primitive(&l.src.Deparser.Calls[i])
	}
}

func (l *liveness) parserOp(o *bmjson.ParserOp) {
	l.expr(o.Length)
	l.expr(o.Value)
	l.expr(o.Cond)
	if o.Kind == bmjson.ParserSet {
		l.write(o.Dest)
	}
	if o.Call != nil {
		l.primitive(o.Call)
	}
}

func (l *liveness) key(s *bmjson.State) {
	for _, k := range s.Key {
		l.expr(k.Value)
	}
}

func (l *liveness) actions() {
	for i := range l.src.Actions {
		l.action(i)
	}
}

func (l *liveness) action(i int) {
	for j := range l.src.Actions[i].Primitives {
		l.primitive(&l.src.Actions[i].Primitives[j])
	}
}

func (l *liveness) pipeline(p *bmjson.Pipeline) {
	for i := range p.Conditionals {
		l.expr(p.Conditionals[i].Cond)
	}
	for i := range p.Tables {
		l.tableKey(&p.Tables[i])
	}
	for i := range p.Profiles {
		l.inputs(p.Profiles[i].Input)
	}
}

func (l *liveness) tableKey(t *bmjson.Table) {
	for _, k := range t.Keys {
		l.field(k.Field)
	}
}

func (l *liveness) inputs(input []bmjson.CalcInput) {
	for _, in := range input {
		switch in.Kind {
		case bmjson.CalcField:
			l.field(in.Field)
		case bmjson.CalcHeader:
			l.whole[in.Header] = true
		}
	}
}

// fixed marks what the target itself reads and writes.
func (l *liveness) fixed() {
	for i := range l.src.Checksums {
		s := &l.src.Checksums[i]
		l.expr(s.Cond)
		l.field(s.Target)
		if s.Update {
			l.write(s.Target)
		}
	}
	for _, lists := range [][]bmjson.FieldList{l.src.LearnLists, l.src.FieldLists} {
		for _, list := range lists {
			for _, f := range list.Fields {
				if f.Value == nil {
					l.field(f.Field)
				}
			}
		}
	}
	for i := range l.src.Meters {
		if m := &l.src.Meters[i]; m.Direct {
			l.write(m.Result)
		}
	}
	for _, a := range l.src.Aliases {
		l.remade[a.Field.Header] = true
	}
	// A field list is also written, into the copy; that is metadata, or it makes the header
	// differ from the frame.
	for _, list := range l.src.FieldLists {
		for _, f := range list.Fields {
			if f.Value == nil {
				l.remade[f.Field.Header] = true
			}
		}
	}
}

// needs says whether a field has to be extracted.
func (l *liveness) needs(header, field int) bool {
	return l.remade[header] || l.whole[header] || l.read[header][field] || l.written[header][field]
}
