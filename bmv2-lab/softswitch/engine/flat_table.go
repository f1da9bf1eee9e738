package engine

// lookup is a flatTable with what one switch has of it.
type lookup struct {
	*flatTable
	table  *Table
	params int        // where they begin in an entry's words
	counts bool       // entries have something to count
	hash   *hashIndex // nil unless the key is one exact word:
	from   int        // this word of the state,
	valid  int        // or 0 if this one is 0; -1: in any case
}

// makeLookups prepares the tables for flat code.
func (s *Switch) makeLookups() {
	for i := range s.prog.flat.tables {
		t := &s.prog.flat.tables[i]
		l := lookup{flatTable: t, table: s.tables[t.index], counts: t.counted || t.ages, valid: -1}
		l.params = l.table.hot.params
		if t.words == 1 && len(t.parts) == 1 && t.parts[0].mask == nil {
			k := &t.parts[0]
			if l.hash, l.from = l.table.words, k.from; k.header != nil {
				l.valid = k.header.base
			}
		}
		s.lookups = append(s.lookups, l)
	}
}

// applyFlat looks a table up and yields where the action that it found starts.
func (p *packet) applyFlat(in *inst) int {
	t := &p.lookups[in.c]
	var e *entry
	if t.hash != nil {
		word := p.words[t.from]
		if t.valid >= 0 && p.words[t.valid] == 0 {
			word = 0
		}
		e = t.hash.findWord(word)
	} else {
		e = t.table.index.find(p.flatKey(t.flatTable))
	}
	if e != nil {
		if t.counts {
			e.count(&t.table.hot, p)
		}
		if e.slot >= 0 {
			p.params = e.words[t.params:]
			return t.hit[e.slot]
		}
		d := e.act
		p.params = d.params
		return t.hit[d.slot]
	}
	if t.counted {
		t.table.defCounter.Packets++
		t.table.defCounter.Bytes += uint64(p.inLength)
	}
	d := t.table.def.Load()
	p.params = d.params
	return t.miss[d.slot+1]
}

// applyIndirect is applyFlat for tables with an action profile or with meters.
func (p *packet) applyIndirect(t *flatTable) int {
	rt := p.sw.tables[t.index]
	e := rt.index.find(p.flatKey(t))
	if e == nil {
		if t.counted {
			rt.defCounter.Packets++
			rt.defCounter.Bytes += uint64(p.inLength)
		}
		d := t.program.missBy(p, rt, rt.def.Load())
		p.params = d.params
		return t.miss[d.slot+1]
	}
	e.count(&rt.hot, p)
	d := t.program.hitBy(p, e, e.act)
	p.params = d.params
	if d.slot < 0 {
		return t.empty[0]
	}
	return t.hit[d.slot]
}

// flatKey builds a table's key.
func (p *packet) flatKey(t *flatTable) []uint64 {
	key := p.key[:t.words]
	for i := range t.parts {
		k := &t.parts[i]
		if k.header != nil && p.words[k.header.base] == 0 {
			clear(key[k.to : k.to+k.words])
			continue
		}
		for j := range k.words {
			key[k.to+j] = p.words[k.from+j]
		}
		for j, m := range k.mask {
			key[k.to+j] &= m
		}
	}
	return key
}
