package engine

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// TestRollback takes random changes of all kinds back: nothing tells the switch from one where
// they were never made, neither what the control plane reads nor what packets do.
func TestRollback(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no programs", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			a, _ := bothForms(t, path)
			b, _ := bothForms(t, path)
			r := rand.New(rand.NewPCG(7, 8))
			now := uint64(0)
			for round := range 60 {
				for range 3 {
					configure(t, r, a, b)
				}
				before := controlState(a)
				a.Begin()
				for range 40 {
					change(r, a)
				}
				if controlState(a) == before {
					t.Errorf("round %d: nothing was changed", round)
				}
				a.Rollback()
				a.Commit()
				if got, want := controlState(a), controlState(b); got != want {
					t.Fatalf("round %d: rolled back\n%s\nnever changed\n%s", round, got, want)
				}
				for range 40 {
					now += 1000
					frame, port := randomFrame(r, nil), uint32(r.IntN(4))
					var got, want recorder
					a.Process(now, port, frame, &got)
					b.Process(now, port, frame, &want)
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("round %d: %x at port %d\nrolled back   %+v\nnever changed %+v", round, frame, port, got, want)
					}
				}
			}
		})
	}
}

// TestRollbackKeepsCounting takes the setting of counters back while packets are counted.
func TestRollbackKeepsCounting(t *testing.T) {
	sw, _ := bothForms(t, "testdata/indirect.json")
	m, _ := sw.Meter("I.m")
	table := mustTable(t, sw, "I.t_meter")
	hit := []Match{exact(9)}
	must(t, table.Insert(Entry{Match: hit, Action: "I.colour", Params: param(9)}))
	must(t, m.WriteColours(1, Colours{{Packets: 10, Bytes: 100}}))
	must(t, table.WriteColours(hit, 0, Colours{{}, {Packets: 3}}))
	sw.Begin()
	must(t, m.WriteColours(1, Colours{}))
	must(t, table.WriteColours(hit, 0, Colours{}))
	m.cells[1].marked[0].Packets++ // as a packet would
	entry, _, err := table.get(hit, 0)
	must(t, err)
	entry.meter.marked[1].Packets++
	sw.Rollback()
	sw.Commit()
	if got, err := m.Colours(1); err != nil || got != (Colours{{Packets: 11, Bytes: 100}}) {
		t.Errorf("meter %v, %v", got, err)
	}
	if e, err := table.Lookup(hit, 0); err != nil || *e.Colours != (Colours{{}, {Packets: 4}}) {
		t.Errorf("direct meter %v, %v", e.Colours, err)
	}
}

// change makes one random change of a switch, which may be refused.
func change(r *rand.Rand, sw *Switch) {
	if len(sw.tables) > 0 && r.IntN(3) > 0 {
		changeTable(r, sw.tables[r.IntN(len(sw.tables))])
		return
	}
	if len(sw.profiles) > 0 && r.IntN(2) == 0 {
		changeProfile(r, sw.profiles[r.IntN(len(sw.profiles))])
		return
	}
	colours := Colours{{Packets: r.Uint64N(9)}, {Bytes: r.Uint64N(9)}}
	for _, m := range sw.Meters() {
		i := r.IntN(max(m.Size(), 1))
		_, _, _ = m.SetRates(i, MeterRates{CIR: 1, CBurst: r.Int64N(9), PIR: 2}), m.WriteColours(i, colours), m.Reset(r.IntN(max(m.Size(), 1)))
	}
	for _, c := range sw.Counters() {
		_ = c.Write(r.IntN(max(c.Size(), 1)), colours[0])
	}
	for _, reg := range sw.Registers() {
		_ = reg.Write(r.IntN(max(reg.Size(), 1)), []byte{1})
		if r.IntN(10) == 0 {
			_ = reg.Fill([]byte{0})
		}
	}
	for _, s := range sw.valueSets {
		_ = s.Set(nil)
	}
	id := uint16(1 + r.IntN(8))
	_ = sw.SetMulticast(id, []Replica{{Port: 9}})
	_ = sw.DeleteMulticast(uint16(1 + r.IntN(8)))
	_ = sw.SetCloneSession(id, CloneSession{Truncate: 3})
	_ = sw.DeleteCloneSession(uint16(1 + r.IntN(8)))
}

func changeTable(r *rand.Rand, t *Table) {
	e := randomEntry(r, t)
	count, colours := CounterData{Packets: r.Uint64N(99)}, Colours{{Packets: 1}}
	if have := slices.Collect(t.Entries()); len(have) > 0 && r.IntN(2) == 0 {
		old := have[r.IntN(len(have))]
		e.Match, e.Priority = old.Match, old.Priority
	}
	switch r.IntN(6) {
	case 0:
		_ = t.Insert(e)
	case 1:
		e.Counter, e.Colours, e.IdleTimeout = &count, &colours, r.Uint64N(5)
		_ = t.Modify(e)
	case 2:
		_ = t.Delete(e.Match, e.Priority)
	case 3:
		_, _ = t.SetDefault(e.Action, e.Params), t.WriteDefaultCounter(count)
		_ = t.SetDefaultIndirect(e.Indirect, e.Member)
	case 4:
		_, _, _ = t.ResetDefault(), t.WriteDefaultMeter(&MeterRates{}), t.WriteDefaultColours(colours)
	default:
		_, _ = t.WriteCounter(e.Match, e.Priority, count), t.WriteMeter(e.Match, e.Priority, e.Meter)
		_ = t.WriteColours(e.Match, e.Priority, colours)
	}
}

func changeProfile(r *rand.Rand, p *Profile) {
	id, a := uint32(r.IntN(6)), p.Actions()[r.IntN(len(p.Actions()))]
	params := make([][]byte, len(a.Params))
	for n := range params {
		params[n] = []byte{byte(r.IntN(2))}
	}
	var members []GroupMember
	for id := range uint32(6) {
		if r.IntN(3) == 0 {
			members = append(members, GroupMember{ID: id, Weight: 1 + r.IntN(4)})
		}
	}
	switch r.IntN(6) {
	case 0:
		_ = p.AddMember(id, a.Name, params)
	case 1:
		_ = p.ModifyMember(id, a.Name, params)
	case 2:
		_ = p.DeleteMember(id)
	case 3:
		_ = p.AddGroup(id, members)
	case 4:
		_ = p.ModifyGroup(id, members)
	default:
		_ = p.DeleteGroup(id)
	}
}

// controlState is stateOf with what the control plane has set, and how groups number copies.
func controlState(s *Switch) string {
	b := bytes.NewBufferString(stateOf(s))
	for _, t := range s.tables {
		for e := range t.Entries() {
			writeEntry(b, e)
		}
		d, ok := t.Default()
		fmt.Fprint(b, t.Name(), " default ", ok)
		writeEntry(b, d)
	}
	for _, p := range s.profiles {
		for _, id := range slices.Sorted(maps.Keys(p.members)) {
			m := p.members[id]
			fmt.Fprintln(b, "member", m.export(), m.copies, m.weights, m.uses)
		}
		for _, id := range slices.Sorted(maps.Keys(p.groups)) {
			g := p.groups[id]
			fmt.Fprint(b, "group ", id, g.members, g.uses)
			for _, m := range *g.list.Load() {
				fmt.Fprint(b, " ", m.id)
			}
			fmt.Fprintln(b)
		}
		taken := 0
		for _, c := range p.copies {
			if c {
				taken++
			}
		}
		fmt.Fprintln(b, "copies", taken, "chosen", p.chosen)
	}
	for _, v := range s.valueSets {
		fmt.Fprintln(b, "value set", v.Members())
	}
	fmt.Fprintln(b, "replication", *s.replication.Load())
	return b.String()
}

func writeEntry(b *bytes.Buffer, e Entry) {
	fmt.Fprintln(b, "entry", e.Match, e.Priority, e.Action, e.Params, e.Indirect, e.Member, e.Group, e.IdleTimeout, e.Const)
	if e.Counter != nil {
		fmt.Fprintln(b, "  counter", *e.Counter)
	}
	if e.Colours != nil {
		fmt.Fprintln(b, "  meter", e.Meter != nil, *e.Colours)
	}
	if e.Meter != nil {
		fmt.Fprintln(b, "  rates", *e.Meter)
	}
}
