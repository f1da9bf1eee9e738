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
	data := old.act.Load()
	t.retain(data)
	e := &entry{match: old.match, rank: old.rank, priority: old.priority, seq: old.seq, fixed: old.fixed,
		partial: old.partial, place: -1}
	e.setKey(old.key)
	e.start(data)
	t.sw.state.Lock()
	e.counter, e.lastHit, e.timeout, e.meter = old.counter, old.lastHit, old.timeout, old.meter
	t.sw.state.Unlock()
	t.entries[id] = e
	t.index.insert(e)
}

// restorer is what gives an entry back the action and the settings that it has now, or had
// with act. counter and colours are nil, or what they are about to be set to. The caller holds
// t.sw.state.
func (t *Table) restorer(id string, e *entry, act *actionData, counter *CounterData, colours *Colours) func() {
	timeout, count := e.timeout, e.counter
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
		t.release(e.act.Swap(act))
		t.sw.state.Lock()
		defer t.sw.state.Unlock()
		e.timeout = timeout
		if counter != nil {
			e.counter.rebase(*counter, count)
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
