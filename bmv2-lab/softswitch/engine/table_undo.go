package engine

// How changes of tables are taken back. Entries are found by their identity: one that was
// deleted and put back is another object, because lookups may still be reading the old one.

// take removes an entry that was inserted.
func (t *Table) take(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.entries[id]; e != nil {
		t.drop(id, e)
	}
}

// putBack makes an entry again that was deleted: at its place among its equals, with what it had
// counted and what its meter's buckets hold.
func (t *Table) putBack(id string, old *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.retain(old.act)
	t.sw.state.Lock()
	again := *old.rest
	e := &entry{words: old.words, rest: &again, rank: old.rank, slot: old.slot}
	t.sw.state.Unlock()
	e.beneath, e.place = nil, inTuple
	e.setKey(&t.hot, old.key)
	t.entries[id] = e
	t.index.insert(e)
}

// restorer is what gives an entry back the action and the settings that it has now, or had
// with act. counter and colours are nil, or what they are about to be set to. The caller holds
// t.sw.state.
func (t *Table) restorer(id string, e *entry, act *actionData, counter *CounterData, colours *Colours) func() {
	timeout := e.timeout
	var count CounterData
	if counter != nil {
		count = e.counter(&t.hot)
	}
	var meter meterCell
	if e.meter != nil {
		meter = *e.meter
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		e := t.entries[id]
		if e == nil {
			return
		}
		t.retain(act)
		t.release(e.act)
		t.sw.state.Lock()
		defer t.sw.state.Unlock()
		e.setAction(&t.hot, act)
		e.timeout = timeout
		if counter != nil {
			now := e.counter(&t.hot)
			now.rebase(*counter, count)
			e.setCounter(&t.hot, now)
		}
		if e.meter != nil {
			e.meter.state = meter.state
		}
		if e.meter != nil && colours != nil {
			e.meter.marked.rebase(*colours, meter.marked)
		}
	}
}

// swapDefault gives the default entry another action; the caller holds t.mu.
func (t *Table) swapDefault(data *actionData) {
	old := t.def.Swap(data)
	t.release(old)
	t.sw.Undo(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.retain(old)
		t.release(t.def.Swap(old))
	})
}

// rebase puts a count that was set to from back to what it had been, to, without losing what
// came to it meanwhile.
func (c *CounterData) rebase(from, to CounterData) {
	c.Packets += to.Packets - from.Packets
	c.Bytes += to.Bytes - from.Bytes
}

func (c *Colours) rebase(from, to Colours) {
	for i := range c {
		c[i].rebase(from[i], to[i])
	}
}
