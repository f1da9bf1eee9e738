package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// Program is a compiled program. It is immutable and may serve any number of switches.
type Program struct {
	src        *bmjson.Program
	lay        *layout
	blocks     []headerBlocks // by header
	std        stdFields
	errs       coreErrors
	parser     []parserState
	parserInit int
	actions    []*action
	tables     []*tableProgram
	profiles   []*profileProgram
	valueSets  []*valueSetProgram
	ingress    *node
	egress     *node
	verify     []checksum
	update     []checksum
	deparser   []*headerLayout
	emitted    []int // the words that say whether they are valid; -1: always
	made       []int // see emit.go
	patched    []*headerLayout
	calls      []op       // of the deparser
	places     []rowPlace // by register
	digests    []digestList
	fieldLists [][]listCopy
	maxKey     int
	flat       *flatCode // nil: the closures run
}

// stdField is a field of the target that fits a word.
type stdField struct {
	off  int
	mask uint64
	ok   bool
}

func (f stdField) set(p *packet, v uint64) {
	if f.ok {
		p.words[f.off] = v & f.mask
	}
}

// written are the fields that the switch writes, and does not read.
func (s *stdFields) written() []*stdField {
	return []*stdField{&s.ingressPort, &s.packetLength, &s.instanceType, &s.egressPort, &s.parserError, &s.checksumError,
		&s.egressRid, &s.ingressTime, &s.egressTime, &s.enqTime, &s.enqDepth, &s.deqTime, &s.deqDepth, &s.queue}
}

// all lists the fields that are there.
func (s *stdFields) all() (list []*stdField) {
	for _, f := range append(s.written(), &s.egressSpec, &s.mcastGroup, &s.priority) {
		if f.ok {
			list = append(list, f)
		}
	}
	return list
}

// stdFields are the fields by which simple_switch and the program talk.
type stdFields struct {
	ingressPort, packetLength, instanceType, egressSpec, egressPort stdField
	parserError, checksumError, mcastGroup, egressRid               stdField
	ingressTime, egressTime                                         stdField
	enqTime, enqDepth, deqTime, deqDepth, queue, priority           stdField
}

// checksum is a compiled checksum.
type checksum struct {
	header *headerLayout
	off    int // of the field
	end    int
	mask   uint64
	cond   boolFn // nil: always
	value  calcFn
}

// digestList is the layout of a digest.
type digestList struct {
	id     uint32
	name   string
	fields []FieldInfo
	from   []digestField
	bytes  int
}

type digestField struct {
	off, words int    // of the state
	value      []byte // or a constant
}

// listCopy is a field that a copy of a packet keeps.
type listCopy struct{ off, words int }

// Compile prepares a program to run. A construct that cannot be run is an error that names it.
func Compile(p *bmjson.Program) (*Program, error) { return compile(p, false) }

func compile(p *bmjson.Program, trace bool) (*Program, error) {
	c := &compiler{src: p, lay: newLayout(p), trace: trace}
	c.prog = &Program{src: p, lay: c.lay}
	steps := []func(){
		c.headerBlocks, c.apart, c.standardFields, c.actions, c.valueSets, c.parser, c.checksums, c.deparser, c.lists, c.pipelines,
	}
	for _, step := range steps {
		if step(); c.err != nil {
			return nil, c.err
		}
	}
	return c.prog, nil
}

func (c *compiler) headerBlocks() {
	live := newLiveness(c.src)
	c.live = live
	for i := range c.src.Headers {
		if h := &c.lay.headers[i]; !live.remade[i] {
			h.patch, h.copied = newPatch(h.typ, live.written[i])
		}
	}
	c.calculationInputs()
	for i := range c.lay.headers {
		h := &c.lay.headers[i]
		need := func(int) bool { return true }
		if i < len(c.src.Headers) && !c.trace { // the others are nowhere
			need = func(field int) bool { return live.needs(i, field) || !(h.copied || live.remade[i]) }
		}
		var hb headerBlocks
		if !h.metadata {
			hb = newHeaderBlocks(h.typ, need)
		}
		c.prog.blocks = append(c.prog.blocks, hb)
	}
}

// calculationInputs marks what calculations read of the extracted fields.
func (c *compiler) calculationInputs() {
	for i := range c.src.Calculations {
		s := &c.src.Calculations[i]
		if raw, ok := c.rawFields(s.Input); !ok || !isChecksum16(s.Algo) || s.Payload {
			c.live.inputs(s.Input)
		} else {
			for _, r := range raw {
				c.live.read[r.header][r.field] = c.live.read[r.header][r.field] || c.live.written[r.header][r.field]
			}
		}
	}
}

func (c *compiler) standardFields() {
	s := &c.prog.std
	for _, f := range []struct {
		to       *stdField
		header   string
		name     string
		required bool
	}{
		{&s.ingressPort, "standard_metadata", "ingress_port", true},
		{&s.packetLength, "standard_metadata", "packet_length", true},
		{&s.instanceType, "standard_metadata", "instance_type", true},
		{&s.egressSpec, "standard_metadata", "egress_spec", true},
		{&s.egressPort, "standard_metadata", "egress_port", true},
		{&s.parserError, "standard_metadata", "parser_error", false},
		{&s.checksumError, "standard_metadata", "checksum_error", false},
		{&s.mcastGroup, "intrinsic_metadata", "mcast_grp", false},
		{&s.egressRid, "intrinsic_metadata", "egress_rid", false},
		{&s.ingressTime, "intrinsic_metadata", "ingress_global_timestamp", false},
		{&s.egressTime, "intrinsic_metadata", "egress_global_timestamp", false},
		{&s.priority, "intrinsic_metadata", "priority", false},
		{&s.enqTime, "queueing_metadata", "enq_timestamp", false},
		{&s.enqDepth, "queueing_metadata", "enq_qdepth", false},
		{&s.deqTime, "queueing_metadata", "deq_timedelta", false},
		{&s.deqDepth, "queueing_metadata", "deq_qdepth", false},
		{&s.queue, "queueing_metadata", "qid", false},
	} {
		*f.to = c.aliased(f.header, f.name)
		if f.required && !f.to.ok {
			c.fail(bmjson.Place{}, "field %s.%s, which the target needs, is not there", f.header, f.name)
		}
	}
	if !s.enqTime.ok || !s.enqDepth.ok || !s.deqTime.ok || !s.deqDepth.ok { // all or none
		for _, f := range []*stdField{&s.enqTime, &s.enqDepth, &s.deqTime, &s.deqDepth, &s.queue} {
			f.ok = false
		}
	}
}

// aliased finds a field by the name that the target has for it.
func (c *compiler) aliased(header, field string) stdField {
	for _, a := range c.src.Aliases {
		if a.Name == header+"."+field {
			f, off := c.lay.field(a.Field)
			return stdField{off, f.mask(), f.words == 1 && !f.varbits}
		}
	}
	for i := range c.src.Headers {
		if c.src.Headers[i].Name == header {
			return c.fieldNamed(i, field)
		}
	}
	return stdField{}
}

func (c *compiler) checksums() {
	for i := range c.src.Checksums {
		s := &c.src.Checksums[i]
		f, off := c.lay.field(s.Target)
		if f.varbits {
			c.fail(s.At, "a checksum cannot be in a field of variable length")
			return
		}
		k := checksum{header: &c.lay.headers[s.Target.Header], off: off, end: off + f.words, mask: ^uint64(0), value: c.calculation(s.Calculation)}
		if f.words == 1 {
			k.mask = f.mask()
		}
		if s.Cond != nil {
			k.cond = c.boolean(s.Cond)
			c.statement()
		}
		if s.Verify {
			c.prog.verify = append(c.prog.verify, k)
		}
		if s.Update {
			c.prog.update = append(c.prog.update, k)
		}
	}
}

func (c *compiler) deparser() {
	for _, h := range c.src.Deparser.Order {
		c.prog.deparser = append(c.prog.deparser, &c.lay.headers[h])
		valid := c.lay.headers[h].base
		if c.lay.headers[h].metadata {
			valid = -1
		}
		c.prog.emitted = append(c.prog.emitted, valid)
	}
	c.rankHeaders()
	for i := range c.src.Deparser.Calls {
		if f := c.step(&c.src.Deparser.Calls[i]); f != nil {
			c.prog.calls = append(c.prog.calls, f)
		}
		c.statement()
	}
}

func (c *compiler) lists() {
	for i := range c.src.LearnLists {
		l := &c.src.LearnLists[i]
		d := digestList{id: uint32(l.ID), name: l.Name}
		for _, lf := range l.Fields {
			n := (lf.Width + 7) / 8
			if n == 0 {
				c.fail(l.At, "a digest with a field of variable length is not supported")
				return
			}
			from := digestField{words: wordsOf(lf.Width)}
			if lf.Value != nil {
				from.value = make([]byte, n)
				lf.Value.FillBytes(from.value)
			} else {
				_, from.off = c.lay.field(lf.Field)
			}
			d.from = append(d.from, from)
			d.fields = append(d.fields, FieldInfo{lf.Name, lf.Width})
			d.bytes += n
		}
		c.prog.digests = append(c.prog.digests, d)
	}
	for i := range c.src.FieldLists {
		var list []listCopy
		for _, lf := range c.src.FieldLists[i].Fields {
			if lf.Value == nil {
				f, off := c.lay.field(lf.Field)
				list = append(list, listCopy{off, f.words})
			}
		}
		c.prog.fieldLists = append(c.prog.fieldLists, list)
	}
}

func (c *compiler) pipelines() {
	var in, out *pipelineNodes
	c.prog.ingress, in = c.pipeline(&c.src.Ingress)
	if c.err == nil {
		c.prog.egress, out = c.pipeline(&c.src.Egress)
	}
	if c.err == nil && !c.trace {
		c.lower(in, out)
	}
	if c.err != nil {
		return
	}
	// Try the constant entries, so that New cannot fail.
	for _, tp := range c.prog.tables {
		if err := newTable(&Switch{prog: c.prog}, tp).declare(); err != nil {
			c.err = err
			return
		}
	}
}
